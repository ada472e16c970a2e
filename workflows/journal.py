"""What has happened so far: the single source for resume, redrive and live view.

It travels as `JournalState`, from execution to execution and into a redriven run, so everything in it is plain data. It
decides nothing: what a record means for the walk is the interpreter's business.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.catalog.errors import ErrorType
from app.json import Json, JsonObject
from app.temporal.messages import (
    Assignment,
    Compensation,
    JournalState,
    LoopProgress,
    RepeatProgress,
    StepRecord,
)
from app.temporal.record_messages import FailedAttempt

FINISHED = ("completed", "skipped")
WAITS = ("wait_for_event", "approval")
"""Kinds that others look for in the database as long as they are open."""
UNANSWERED = (ErrorType.TIMEOUT, ErrorType.WORKER_LOST, ErrorType.CONNECTION_FAILED)
"""Failures after which the effect may have happened."""
_ITEM = re.compile(r"\[(\d+)\]\.")
OPEN = ("pending", "running", "waiting", "held")


@dataclass
class Progress:
    """What a loop began with and the results of the items it has finished, by index."""

    items: list[Json]
    results: dict[int, Json] = field(default_factory=dict)


@dataclass
class Unwritten:
    """What has to be written into the database, by whoever takes it."""

    rows: dict[str, StepRecord] = field(default_factory=dict)
    closed_waits: list[str] = field(default_factory=list)
    attempts: list[FailedAttempt] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


class Journal:
    """The run's memory."""

    def __init__(self, state: JournalState | None = None) -> None:
        state = state or JournalState()
        self.records: dict[str, StepRecord] = {record.path: record for record in state.records}
        self.loops = {
            path: Progress(loop.items, {int(index): result for index, result in loop.results})
            for path, loop in state.loops.items()
        }
        self.repeats: dict[str, RepeatProgress] = dict(state.repeats)
        self.begun: dict[str, JsonObject] = dict(state.begun)
        self.compensations: list[Compensation] = list(state.compensations)
        self.keys: dict[str, str] = dict(state.keys)
        self.variables: JsonObject = dict(state.variables)
        self.first_variables: JsonObject = dict(state.first_variables)
        self.run_started_at = state.run_started_at
        self.completed = state.completed
        """Steps that ended (completed, skipped, or failed with the failure handled), forgotten ones included."""
        self._assignments: dict[str, Assignment] = dict(state.assignments)
        self.latest_effect = state.latest_effect
        """The highest `order` of an effect that is done."""
        self._begun = state.begun_steps
        self._closed: dict[str, tuple[str, str | None]] = {}
        """Status and pause of steps before they were cancelled, in case they were so too early."""
        # Whatever an execution takes along, the one before has put into its history.
        self._unwritten = Unwritten(dropped=list(state.dropped))
        self._drops = 0
        self._to_drop: dict[int, str] = {}

    def state(self) -> JournalState:
        """All of it but what is unwritten, sharing its values."""
        return JournalState(
            records=list(self.records.values()),
            loops={
                path: LoopProgress(
                    items=loop.items, results=[[index, result] for index, result in loop.results.items()]
                )
                for path, loop in self.loops.items()
            },
            repeats=self.repeats,
            begun=self.begun,
            assignments=self._assignments,
            compensations=self.compensations,
            keys=self.keys,
            completed=self.completed,
            begun_steps=self._begun,
            latest_effect=self.latest_effect,
            variables=self.variables,
            first_variables=self.first_variables,
            run_started_at=self.run_started_at,
            dropped=list(self._to_drop.values()),
        )

    # Beginning

    def knows(self, path: str) -> bool:
        """Whether the step at this path was begun, and is not to be begun anew."""
        old = self.records.get(path)
        return old is not None and not _begins_anew(old)

    def begin(self, fresh: StepRecord) -> StepRecord:
        """The record to walk the step with: the one there is, unless the step begins anew or for the first time."""
        old = self.records.get(fresh.path)
        if old is not None and not _begins_anew(old):
            return old
        return self._begin(fresh, old)

    def again(self, record: StepRecord) -> StepRecord:
        """A new generation of a step that failed, for an operator who has it tried again."""
        fresh = replace(
            record, status="running", attempt=1, output=None, error=None, failed_path=None, finished_at=None, wait=None,
            handled=False, deadline=None, again_at=None, renew=False,
        )  # fmt: skip
        return self._begin(fresh, record)

    def renew(self, path: str) -> None:
        """What failed or was cancelled below this step begins anew when it is reached again."""
        self._keep_closed(path)
        for record in self.below(path):
            record.renew = record.status == "cancelled" or (record.status == "failed" and not record.handled)

    def _begin(self, fresh: StepRecord, old: StepRecord | None) -> StepRecord:
        """A new generation after a failure brings a new effect, which must not be answered with the old failure; where
        nobody knows whether the effect happened (it was cancelled, or no answer came), the same key finds out."""
        if old is not None:
            failed = old.status in ("failed", "held")
            fresh.generation = old.generation + 1
            fresh.effect = old.effect + (failed and (old.error or {}).get("type") not in UNANSWERED)
            self.begun.pop(fresh.path, None)
            if fresh.effect > old.effect:
                self.keys.pop(fresh.path, None)
        self._closed.pop(fresh.path, None)
        self._begun += 1
        fresh.order = self._begun
        self.records[fresh.path] = fresh
        return fresh

    # Ending

    def finish(self, record: StepRecord, *, written: bool, stopped: bool = False) -> None:
        """Note that a step is over. `written`: its row is in the database already (an effect commits its own).

        `stopped`: by a `stop` inside it; how far it got stays known, for a redrive.
        """
        if is_over(record):
            self.completed += 1
            for memory in () if stopped else (self.loops, self.repeats, self.begun, self.keys):
                memory.pop(record.path, None)
        if record.status != "cancelled":
            self._keep_closed(record.path)
        if record.action is not None and record.inputs is not None and record.status == "completed":
            self.latest_effect = max(self.latest_effect, record.order)
        if record.type in ("wait_for_event", "approval") and (
            record.status != "skipped" or record.decision is not None
        ):
            self._unwritten.closed_waits.append(record.path)
        if not written:
            self._unwritten.rows[record.path] = record

    def abandon(self, path: str, finished_at: str) -> None:
        """What is still open below a step that is over was given up; an empty path means all of the run."""
        for record in self.below(path) if path else list(self.records.values()):
            if record.status in OPEN:
                self.cancel(record)
                record.finished_at = finished_at
                self.finish(record, written=False)

    def cancel(self, record: StepRecord) -> None:
        """The step is cancelled. `finish` is still to be told."""
        self._closed[record.path] = record.status, record.again_at
        record.status, record.again_at = "cancelled", None

    def reopen(self) -> None:
        """Take back the cancellations that nothing has come after."""
        for path, (status, again_at) in self._closed.items():
            record = self.records.get(path)
            if record is not None and record.status == "cancelled":
                record.status, record.again_at, record.finished_at = status, again_at, None
        self._closed.clear()

    def _keep_closed(self, path: str) -> None:
        """What was cancelled below this step stays so: the walk has gone on from there."""
        for record in self.below(path) if self._closed else ():
            self._closed.pop(record.path, None)

    @property
    def known_effects(self) -> int:
        """Effects up to this `order` are known, but for those that are open or were cancelled."""
        unsure = [
            record.order - 1
            for record in self.records.values()
            if record.action is not None and (record.status in OPEN or record.path in self._closed)
        ]
        return min([self.latest_effect, *unsure])

    def has_ended(self, path: str) -> bool:
        """Whether the step at this path is over, or what is around it was done and forgotten."""
        record = self.records.get(path)
        if record is not None:
            return record.path not in self._closed and record.status not in OPEN
        return any(self._is_done(path[: item.start()], int(item[1])) for item in _ITEM.finditer(path))

    def _is_done(self, path: str, index: int) -> bool:
        """Whether the loop or repeat at this path has done with this item, if it is under way."""
        loop, repeat = self.loops.get(path), self.repeats.get(path)
        return (loop is not None and index in loop.results) or (repeat is not None and index < repeat.index)

    @property
    def assignments(self) -> Mapping[str, Assignment]:
        """Which step set which variables, by its path; what the items of a loop set stands at the loop's."""
        return self._assignments

    def assign(self, record: StepRecord, values: JsonObject) -> None:
        """A step has set variables."""
        self.variables.update(values)
        self._assignments[record.path] = Assignment(order=record.order, values=values)

    def forget(self, path: str, index: int) -> None:
        """Drop what lies below a finished loop item, so that the journal stays small. Unwritten rows are kept."""
        prefix = f"{path}[{index}]."
        self.forget_below(prefix)
        self._fold_assignments(path, prefix)

    def forget_below(self, prefix: str) -> None:
        """Drop what stands at paths that begin so. Unwritten rows are kept."""
        memories: tuple[dict[str, object], ...] = (
            self.records, self.loops, self.repeats, self.begun, self.keys,
        )  # type: ignore[assignment]  # fmt: skip
        for memory in memories:
            for inner in [inner for inner in memory if inner.startswith(prefix)]:
                del memory[inner]

    def _fold_assignments(self, path: str, prefix: str) -> None:
        """What the items of a loop set is kept as one."""
        inner = [name for name in self._assignments if name.startswith(prefix)]
        found = [self._assignments.pop(name) for name in inner]
        if not found:
            return
        known = self._assignments.get(path)
        folded = Assignment(order=known.order, values=dict(known.values)) if known else Assignment(order=0, values={})
        for one in sorted(found, key=lambda one: one.order):
            folded.values.update(one.values)
            folded.order = max(folded.order, one.order)
        self._assignments[path] = folded

    def below(self, path: str) -> list[StepRecord]:
        """Records of the steps inside this one."""
        inside = (f"{path}.", f"{path}[")
        return [record for record in self.records.values() if record.path.startswith(inside)]

    # Writing

    @property
    def unwritten(self) -> int:
        """Finished steps whose rows are still to be written."""
        return len(self._unwritten.rows)

    @property
    def has_closed_waits(self) -> bool:
        """Whether waits are over that the database still takes for open."""
        return bool(self._unwritten.closed_waits)

    def is_written(self, record: StepRecord) -> bool:
        """Whether the step is over and its row is in the database, or on its way there."""
        return record.status not in OPEN and record.path not in self._unwritten.rows

    def failed_attempt(self, attempt: FailedAttempt) -> None:
        """An attempt of a step that holds others failed."""
        self._unwritten.attempts.append(attempt)

    def drop_rows(self, prefix: str) -> None:
        """The rows of an old iteration are let go, once what they tell is certain to be in Temporal's history.

        Until then they are what keeps an effect from being done again.
        """
        self._drops += 1
        self._to_drop[self._drops] = prefix

    @property
    def drops(self) -> int:
        """A mark for `release_drops`: what was let go so far."""
        return self._drops

    def release_drops(self, mark: int) -> None:
        """What was let go up to the mark is in the history."""
        for number in [number for number in self._to_drop if number <= mark]:
            self._unwritten.dropped.append(self._to_drop.pop(number))

    def take_unwritten(self) -> Unwritten:
        """Hand over what has to be written; the caller writes it, however long that takes."""
        taken, self._unwritten = self._unwritten, Unwritten()
        return taken

    def give_back(self, taken: Unwritten) -> None:
        """Take back what could not be written because the walk was cancelled meanwhile; writing twice is harmless."""
        newer = self._unwritten
        self._unwritten = Unwritten(
            rows=taken.rows | newer.rows,
            closed_waits=taken.closed_waits + newer.closed_waits,
            attempts=taken.attempts + newer.attempts,
            dropped=taken.dropped + newer.dropped,
        )


def is_over(record: StepRecord) -> bool:
    """Whether walking this step again would do nothing: it completed, was skipped, or its failure was handled."""
    return record.status in FINISHED or (record.status == "failed" and record.handled)


def _begins_anew(record: StepRecord) -> bool:
    return record.renew or record.status == "cancelled"
