"""How much the run holds: bytes of what its steps gave, of its loops' results and of its variables.

Counted so that a run cannot fill its worker, and so that it fits into what it may take along. It decides by the limits
the run was started with; one from before there were any has none.
"""

from app.catalog.errors import ErrorType
from app.json import Json
from app.temporal.messages import DataLimits
from app.temporal.payloads import json_size
from workflows.failures import fail
from workflows.journal import Journal


class Holdings:
    """Sizes by the path of what gave something: a step, or a loop for the results of its items. A variable's stands at
    `vars.<name>`."""

    def __init__(self, limits: DataLimits | None, journal: Journal) -> None:
        self._limits = limits
        self._sizes: dict[str, int] = {}
        self._total = 0
        if limits is not None:
            self._begin_with(journal)

    def _begin_with(self, journal: Journal) -> None:
        for record in journal.records.values():
            self._note(record.path, record.output)
        for path, loop in journal.loops.items():
            self._note(f"{path}[]", list(loop.results.values()))
        self.assign(journal.variables)

    def take(self, path: str, output: Json) -> None:
        """A step gave this. Raises `StepFailed` when it is more than one may give."""
        if self._limits is not None:
            self._put(path, self._bounded(json_size(output)))

    def take_item(self, path: str, result: Json) -> None:
        """An item of the loop at this path gave this. Raises as `take`, also for all its items together."""
        if self._limits is not None:
            size = self._bounded(json_size(result))
            self._put(f"{path}[]", self._bounded(self._sizes.get(f"{path}[]", 1) + size + 1))

    def _bounded(self, size: int) -> int:
        assert self._limits is not None, "asked by a run that has limits"
        if size > self._limits.step_output:
            fail(
                ErrorType.LIMIT_EXCEEDED,
                f"output: {size:,} bytes are more than the {self._limits.step_output:,} a step may hand on; keep what "
                "is needed of it, or raise HOLDFAST_MAX_STEP_OUTPUT_BYTES",
            )
        return size

    def require_room(self) -> None:
        """Before a step begins. Raises `StepFailed` when the run holds more than a run may."""
        if self._limits is not None and self._total > self._limits.outputs:
            fail(
                ErrorType.LIMIT_EXCEEDED,
                f"the run holds {self._total:,} bytes of outputs and variables, more than the "
                f"{self._limits.outputs:,} it may: hand on less, collect less in loops, or raise "
                "HOLDFAST_MAX_RUN_DATA_BYTES",
            )

    def forget(self, prefix: str) -> None:
        """What stands at paths that begin so is held no more."""
        for path in [path for path in self._sizes if path.startswith(prefix)]:
            self._total -= self._sizes.pop(path)

    def assign(self, values: dict[str, Json]) -> None:
        """Variables were set."""
        if self._limits is not None:
            for name, value in values.items():
                self._note(f"vars.{name}", value)

    def _note(self, path: str, value: Json) -> None:
        self._put(path, json_size(value))

    def _put(self, path: str, size: int) -> None:
        self._total += size - self._sizes.get(path, 0)
        self._sizes[path] = size
