"""Definitions as other systems write them, read into the language. Pure: no I/O, no clock, and no catalog.

`read` and `read_step` tell the dialect, the canonical document, and for each of its places the one in the user's
document that is behind it. What is stored and shown is always canonical; what no dialect is, comes out as None and is
left to `parse.py`. Each dialect is one module.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from app.definition.dialects import actions, flat, linked, wizard
from app.definition.dialects.detect import DIALECTS, Mixed, dialect_of, step_dialect
from app.definition.dialects.made import Made, Places, finished
from app.definition.dialects.names import Ids
from app.definition.dialects.source import Log, Source
from app.definition.paths import format_path
from app.definition.problems import Problem
from app.definition.reading import shape_problems
from app.json import Json, JsonObject

__all__ = ["DIALECTS", "MAX_STEPS", "Reading", "read", "read_step", "step_dialect"]

MAX_STEPS = 500
"""No document with more steps is read; a workspace allows far fewer."""

_READERS: dict[str, Callable[[Source], Made]] = {
    "flat": flat.read,
    "linked": linked.read,
    "actions": actions.read,
    "wizard": wizard.read,
}
_STEP_READERS: dict[str, Callable[[Source, Ids, Mapping[str, str]], Made]] = {
    "flat": flat.read_step,
    "linked": linked.read_step,
    "wizard": wizard.read_step,
}


@dataclass(frozen=True)
class Reading:
    """What a document of another dialect says. `problems` are told at its own places; without errors among them,
    `document` is its canonical form. `after` is the id of the step that a single step is to follow."""

    dialect: str
    document: JsonObject
    problems: list[Problem]
    after: str = ""
    _places: Places = field(default_factory=Places, repr=False)

    @property
    def errors(self) -> list[Problem]:
        """What keeps the document from being read."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def remarks(self) -> list[Problem]:
        """What its author may want to know all the same."""
        return [problem for problem in self.problems if problem.severity != "error"]

    def told(self, problems: Iterable[Problem]) -> list[Problem]:
        """Problems of the canonical document, at the places of the user's; each once."""
        known = self._places.by_text()
        moved = [replace(problem, path=_original(problem.path, known)) for problem in problems]
        return list(dict.fromkeys(moved))


def read(document: Json) -> Reading | None:
    """A definition in another dialect; None for what is none. Never raises for any JSON value."""
    if not isinstance(document, dict) or shape_problems(document):
        return None
    try:
        name = dialect_of(document)
    except Mixed as error:
        hint = "write all of it in one: " + "; ".join(DIALECTS.values())
        return Reading("", {}, [Problem(format_path(error.place), error.message, hint)])
    if name is None:
        return None
    if (count := _steps_in(document)) > MAX_STEPS:
        problem = Problem("", f"the document has {count} steps, {MAX_STEPS:,} are allowed", "split the workflow")
        return Reading(name, {}, [problem])
    log = Log()
    made = _READERS[name](Source(document, (), log))
    return _reading(name, made, log)


def read_step(step: Json, beside: Mapping[str, str] | None = None) -> Reading | None:
    """One step in another dialect; None for what is none. Never raises for any JSON value.

    `beside` are the steps it is to stand with, ids and output keys: it gets an id of its own, and may refer to them.
    """
    if not isinstance(step, dict) or shape_problems(step) or (name := step_dialect(step)) is None:
        return None
    if _steps_in(step) > MAX_STEPS:
        return Reading(name, {}, [Problem("", f"more than {MAX_STEPS:,} steps inside each other", "split them")])
    log, after = Log(), ""
    ids, keys = Ids(beside or ()), {name: key for pair in (beside or {}).items() for name, key in (pair, pair[::-1])}
    source = Source(step, (), log)
    if name == "actions":
        made, after = actions.read_step(source, ids, keys)
    else:
        made = _STEP_READERS[name](source, ids, keys)
    return replace(_reading(name, made, log), after=after)


def _reading(name: str, made: Made, log: Log) -> Reading:
    document, places = finished(made)
    left = ", ".join(log.left_out)
    hint = f"left out, for it says nothing to a run: {left}" if left else ""
    note = Problem("", f"read as {DIALECTS[name]}; what is kept is the same in Holdfast's own words", hint, "info")
    return Reading(name, document, [note, *log.problems], _places=places)


def _original(path: str, known: Mapping[str, tuple[str, bool]]) -> str:
    """The place behind a path. Paths are compared as texts: a key may hold what no path can be read from."""
    for end in range(min(len(path), _LONGEST_PATH), -1, -1):
        if (end == len(path) or path[end] in ".[") and path[:end] in known:
            origin, same = known[path[:end]]
            rest = path[end:] if same else ""
            return f"{origin}{rest}" if origin else rest.lstrip(".")
    return ""


_LONGEST_PATH = 2_000
"""Characters of a path that are compared; in a longer one the place is known less exactly."""


def _steps_in(value: Json) -> int:
    """Objects that stand in lists, at any depth: at least as many as there are steps."""
    count, stack = 0, [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack.extend(each for key, each in part.items() if key in _HOLDS_STEPS)
        elif isinstance(part, list):
            count += sum(isinstance(each, dict) for each in part)
            stack.extend(part)
    return count


_HOLDS_STEPS = frozenset(
    {"steps", "actions", "then", "else", "branches", "loop_config", "parallel_config", "condition_config",
     "action_config"}
)  # fmt: skip
