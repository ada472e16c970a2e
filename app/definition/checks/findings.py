"""Where the rules put what they find. One mistake is told once, however many rules meet it."""

from app.definition.errors import Path
from app.definition.paths import format_path
from app.definition.problems import Problem

MAX_PROBLEMS = 500


class Findings:
    """Problems as they are found; `problems` has them by place."""

    def __init__(self) -> None:
        self._found: dict[tuple[Path, str], Problem] = {}

    @property
    def problems(self) -> list[Problem]:
        """All problems in the order of their places: steps as they stand, fields by name."""
        return [problem for (place, _message), problem in sorted(self._found.items(), key=_order)]

    def add(self, place: Path, message: str, hint: str = "", *, severity: str = "error") -> None:
        """Note a problem at a place; the same message at the same place is noted once, and not more than 500 in all."""
        if len(self._found) < MAX_PROBLEMS:
            self._found.setdefault((place, message), Problem(format_path(place), message, hint, severity))


def _order(found: tuple[tuple[Path, str], Problem]) -> list[tuple[bool, int, str]]:
    return [(False, part, "") if isinstance(part, int) else (True, 0, part) for part in found[0][0]]
