"""An object of the user's document while it is read: its keys by type, and a problem for whatever nobody asked for.

What the keys mean is known to the modules of the dialects alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.definition.errors import Path
from app.definition.nearest import suggestion
from app.definition.paths import format_path
from app.definition.problems import Problem
from app.definition.values import described
from app.json import Json, JsonObject


@dataclass
class Log:
    """What there is to tell about a document: problems, and what was left out because it means nothing to a run."""

    problems: list[Problem] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def error(self, place: Path, message: str, hint: str = "") -> None:
        self._add(Problem(format_path(place), message, hint))

    def warning(self, place: Path, message: str, hint: str = "") -> None:
        self._add(Problem(format_path(place), message, hint, "warning"))

    def note(self, place: Path, message: str, hint: str = "") -> None:
        self._add(Problem(format_path(place), message, hint, "info"))

    def _add(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


class Source:
    """One object of the document. A key of the wrong type is a problem and counts as missing, as null does."""

    def __init__(self, value: JsonObject, place: Path, log: Log) -> None:
        self.value, self.place, self.log = value, place, log
        self._asked: set[str] = set()

    def at(self, *keys: str | int) -> Path:
        """The place of a part."""
        return (*self.place, *keys)

    def error(self, key: str | None, message: str, hint: str = "") -> None:
        self.log.error(self.at(key) if key else self.place, message, hint)

    def has(self, key: str) -> bool:
        """Whether the key says anything; rows of a table have an empty object where they say nothing."""
        return self.value.get(key) not in (None, {})

    def key(self, *names: str) -> str:
        """The one of these keys that says anything, the first when none does. Two that disagree are a problem."""
        self.known(*names)
        said = [name for name in names if self.has(name)]
        if len(said) > 1 and self.value[said[0]] != self.value[said[1]]:
            self.error(said[1], f"'{said[0]}' says this already, and otherwise", "keep one of the two")
        return said[0] if said else names[0]

    def known(self, *names: str) -> None:
        """Keys that are read elsewhere, or need not be."""
        self._asked.update(names)

    def any(self, *names: str) -> Json:
        """The value of the first of these keys that says anything."""
        return self.value.get(self.key(*names))

    def text(self, *names: str) -> str:
        """A text; empty when there is none."""
        value = self.any(*names)
        if isinstance(value, str):
            return value
        self._wrong(names, value, "a text")
        return ""

    def flag(self, name: str, default: bool) -> bool:
        value = self.any(name)
        if isinstance(value, bool):
            return value
        self._wrong((name,), value, "true or false")
        return default

    def whole(self, *names: str) -> int | None:
        """A whole number from 0."""
        value = self.any(*names)
        if isinstance(value, int) and not isinstance(value, bool):
            if 0 <= value <= 1_000_000_000:
                return value
            self.error(self.key(*names), f"{value} is no number of 0 or more that makes sense here")
            return None
        self._wrong(names, value, "a whole number")
        return None

    def object(self, *names: str) -> "Source":
        """An object; an empty one when there is none."""
        value = self.any(*names)
        if not isinstance(value, dict):
            self._wrong(names, value, "an object")
            value = {}
        return Source(value, self.at(self.key(*names)), self.log)

    def objects(self, *names: str) -> list["Source"]:
        """A list of objects; empty when there is none."""
        value, key = self.any(*names), self.key(*names)
        if not isinstance(value, list):
            self._wrong(names, value, "a list")
            return []
        found = []
        for index, item in enumerate(value):
            if isinstance(item, dict):
                found.append(Source(item, self.at(key, index), self.log))
            else:
                self.log.error(self.at(key, index), f"expected an object, got {described(item)}")
        return found

    def choice(self, names: dict[str, str], *keys: str, default: str) -> str:
        """One of several words, as the language calls it."""
        word = self.text(*keys)
        if not word:
            return default
        if word in names:
            return names[word]
        self.error(self.key(*keys), f"unknown {keys[0]} '{word[:60]}'", suggestion(word, names, what="known"))
        return default

    def ignore(self, *names: str) -> None:
        """Keys that mean nothing to a run; told once for the whole document."""
        self.known(*names)
        self.log.left_out += [name for name in names if self.has(name) and name not in self.log.left_out]

    def done(self, what: str) -> None:
        """Everything was asked for: whatever else stands here is a problem."""
        for key in self.value:
            if key not in self._asked:
                hint = suggestion(key, sorted(self._asked), what="known keys")
                self.error(key, f"unknown key '{key[:60]}' in {what}", hint)

    def rest(self) -> Iterator[tuple[str, Json]]:
        """Keys nobody asked for yet, with their values."""
        yield from ((key, value) for key, value in self.value.items() if key not in self._asked)
        self._asked.update(self.value)

    def _wrong(self, names: Iterable[str], value: Json, expected: str) -> None:
        if value is not None:
            self.error(self.key(*names), f"expected {expected}, got {described(value)}")


class Layered(Source):
    """Two objects as one: what `over` says lies over what `under` says. Each key keeps its place."""

    def __init__(self, over: Source, under: Source) -> None:
        below = {key: value for key, value in under.value.items() if not over.has(key)}
        super().__init__({**over.value, **below}, over.place, over.log)
        self._under, self._below = under, below.keys()

    def at(self, *keys: str | int) -> Path:
        return self._under.at(*keys) if keys and keys[0] in self._below else super().at(*keys)
