"""What is wrong with a definition, said so that its author can mend it. Raised and collected here, worded elsewhere."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from app.json import JsonObject


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: `path` is a JSON path (`steps[2].inputs.to`), `severity` is error, warning or info."""

    path: str
    message: str
    hint: str = ""
    severity: str = "error"

    def as_json(self) -> JsonObject:
        return asdict(self)


class DefinitionInvalid(ValueError):
    """The document is no definition; `problems` lists all that is wrong with it, never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{first.path or 'definition'}: {first.message}{more}")
