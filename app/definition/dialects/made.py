"""The canonical document while it is made, and where each part of it came from. No dialect is known here.

A `Made` is an object of the canonical document that remembers the place in the user's document behind itself and behind
each of its keys, so that a problem found later is told where the user can mend it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.definition.errors import Path
from app.definition.paths import format_path
from app.json import Json, JsonObject


class Made(dict[str, Json]):
    """An object of the canonical document, made from what stands at `origin`."""

    def __init__(self, origin: Path, **fields: Json) -> None:
        super().__init__(fields)
        self.origin = origin
        self.places: dict[str, tuple[Path, bool]] = {}

    def make(self, key: str, value: Json, at: Path) -> None:
        """Set a key to something made from what stands at `at`; None sets nothing."""
        if value is not None:
            self[key] = value
            self.places[key] = (at, False)

    def take(self, key: str, value: Json, at: Path) -> None:
        """As `make`, of a value built as the one at `at`: what lies inside the one lies there in the other."""
        if value is not None:
            self[key] = value
            self.places[key] = (at, True)


@dataclass
class Places:
    """Which place of the user's document is behind each place of the canonical one."""

    origins: dict[Path, tuple[Path, bool]] = field(default_factory=dict)

    def by_text(self) -> dict[str, tuple[str, bool]]:
        """The same by written paths; with whether what lies inside the one lies there in the other."""
        return {format_path(path): (format_path(origin), same) for path, (origin, same) in self.origins.items()}


def finished(made: Made) -> tuple[JsonObject, Places]:
    """The plain document, and the places behind it."""
    places = Places()
    return _plain(made, (), places), places


def _plain(value: Json, path: Path, places: Places) -> Json:
    if isinstance(value, Made):
        places.origins.setdefault(path, (value.origin, False))
        for key, (origin, same) in value.places.items():
            places.origins[(*path, key)] = (origin, same)
    if isinstance(value, Mapping):
        return {key: _plain(part, (*path, key), places) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, (*path, index), places) for index, part in enumerate(value)]
    return value
