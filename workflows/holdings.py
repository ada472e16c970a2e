"""How much the run holds: bytes of what its steps were given and gave, of what its loops go over and of its variables.

Counted so that a run cannot fill its worker, and so that it fits into what it may take along. It decides by the limits
the run was started with; one from before there were any has none, and one from before all was counted (`limits.whole`)
counts what its steps and loops gave and its variables.
"""

from app.catalog.errors import ErrorType
from app.json import Json, json_size
from app.temporal.messages import MOST_RUN_DATA, DataLimits, StepRecord
from workflows.failures import fail
from workflows.journal import Journal, is_over


class Holdings:
    """Sizes by the path of what gave something: a step, or a loop for the results of its items. A variable's stands at
    `vars.<name>`, that of the step that set it at `<path>:set.<name>`, what a step was given at `<path>:given` and what
    a loop goes over at `<path>[items]`."""

    def __init__(self, limits: DataLimits | None, journal: Journal) -> None:
        self._limits = limits
        self._sizes: dict[str, int] = {}
        self._total = 0
        if limits is not None:
            self._begin_with(journal)

    def _begin_with(self, journal: Journal) -> None:
        for record in journal.records.values():
            self._note(record.path, record.output)
            self.keep(record)
        for path, loop in journal.loops.items():
            self._note(f"{path}[]", list(loop.results.values()))
            self.go_over(path, loop.items)
        for path, assignment in journal.assignments.items() if self._whole else ():
            self._assigned(path, assignment.values)
        for path, begun in journal.begun.items():
            self.begin(path, begun)
        self.assign(journal.variables)

    @property
    def _whole(self) -> bool:
        return self._limits is not None and self._limits.whole

    def keep(self, record: StepRecord) -> None:
        """A step has ended: what it was given and what it waited for stay in its record. A loop that is over, or whose
        failure was dealt with, has let go of its items."""
        if self._whole:
            given = [part for part in (record.inputs, record.wait) if part is not None]
            self._put(f"{record.path}:given", json_size(given) if given else 0)
            for place in (f"{record.path}[]", f"{record.path}[items]") if is_over(record) else ():
                self._total -= self._sizes.pop(place, 0)

    def begin(self, path: str, inputs: Json) -> None:
        """The step at this path is kept with its inputs until its next attempt."""
        if self._whole:
            self._note(f"{path}:given", inputs)

    def go_over(self, path: str, items: list[Json]) -> None:
        """The loop at this path began with these items; they are let go with all else of the loop."""
        if self._whole:
            self._note(f"{path}[items]", items)

    def require_small(self, values: dict[str, Json]) -> None:
        """Before variables are set. Raises `StepFailed` when they are more than one step may give."""
        if self._whole:
            self._bounded(json_size(values))

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
            raising = "" if self._limits.outputs >= MOST_RUN_DATA else ", or raise HOLDFAST_MAX_RUN_DATA_BYTES"
            fail(
                ErrorType.LIMIT_EXCEEDED,
                f"the run holds {self._total:,} bytes of inputs, outputs and variables, more than the "
                f"{self._limits.outputs:,} it may: hand on less, collect less in loops, keep large data "
                f"elsewhere{raising}",
            )

    def forget(self, prefix: str) -> None:
        """What stands at paths that begin so is held no more."""
        for path in [path for path in self._sizes if path.startswith(prefix)]:
            self._total -= self._sizes.pop(path)

    def fold(self, path: str, index: int) -> None:
        """An item of the loop at this path is forgotten; which variables it set is kept at the loop's path."""
        prefix = f"{path}[{index}]."
        for place in [place for place in self._sizes if place.startswith(prefix) and ":set." in place]:
            size = self._sizes[place]
            self._put(f"{path}:set.{place.partition(':set.')[2]}", size)
        self.forget(prefix)

    def assign(self, values: dict[str, Json], by: str | None = None) -> None:
        """Variables were set, by the step at this path if it is one of this run's."""
        if self._limits is not None:
            for name, value in values.items():
                self._note(f"vars.{name}", value)
        if by is not None and self._whole:
            self._assigned(by, values)

    def _assigned(self, path: str, values: dict[str, Json]) -> None:
        for name, value in values.items():
            self._note(f"{path}:set.{name}", value)

    def _note(self, path: str, value: Json) -> None:
        self._put(path, json_size(value))

    def _put(self, path: str, size: int) -> None:
        self._total += size - self._sizes.get(path, 0)
        self._sizes[path] = size
