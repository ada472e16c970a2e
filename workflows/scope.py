"""Where a step is walked: its path, the names its expressions see, and the walk of the steps inside it.

A condition, a parallel branch and error steps share the names of the scope around them; a loop item has its own. Step
kinds get a scope and nothing else; they reach the walk through `scope.run`, so that no kind imports the interpreter.
"""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from temporalio import workflow

from app.catalog.errors import ErrorType
from app.definition import conditions, durations, expressions
from app.definition.conditions import Condition
from app.definition.limits import MAX_OPERATIONS, Budget
from app.definition.steps import Step
from app.json import Json, JsonObject
from app.temporal.messages import StepRecord
from workflows.failures import RunStopped, fail
from workflows.recorder import Recorder
from workflows.state import RunState, moment, now_text

MOST_WORK = 400_000
"""Units of work (about a microsecond each) in one workflow task; with what one step may add, less than a second."""

MOST_EVENTS = 45_000
MOST_HISTORY_BYTES = 40 * 1024 * 1024
"""Temporal terminates a run at 51,200 events or 50 MiB; the rest is room for an orderly end."""

P = ParamSpec("P")
T = TypeVar("T")

Walk = Callable[["Scope", Sequence[Step]], Awaitable[Json]]


class Scope:
    """One level of the walk."""

    def __init__(
        self,
        *,
        state: RunState,
        recorder: Recorder,
        walk: Walk,
        prefix: str = "",
        views: MutableMapping[str, Json] | None = None,
        names: JsonObject | None = None,
    ) -> None:
        self.state = state
        self.journal = state.journal
        self.recorder = recorder
        self._walk = walk
        self._prefix = prefix
        self._views: MutableMapping[str, Json] = {} if views is None else views
        self._names = names or {}

    # Walking

    async def run(self, steps: Sequence[Step]) -> Json:
        """Walk steps in this scope; answers with the output of the last one."""
        return await self._walk(self, steps)

    def path(self, step: Step) -> str:
        """The step's path in this run, loop indices included: `each[3].nudge`."""
        return f"{self._prefix}{step.id}"

    def inside(self, step: Step, names: JsonObject | None = None) -> "Scope":
        """The scope of the steps inside a condition, a parallel branch or an error branch: the names stay shared."""
        return self._child(f"{self.path(step)}.", self._views, names)

    def item(self, step: Step, index: int, names: JsonObject) -> "Scope":
        """The scope of one loop item: sees what is outside, keeps its own steps to itself."""
        own: ChainMap[str, Json] = ChainMap({}, self._views)
        return self._child(f"{self.path(step)}[{index}].", own, names)

    def named(self, names: JsonObject) -> "Scope":
        """This scope with further names for its expressions."""
        return self._child(self._prefix, self._views, names)

    def _child(self, prefix: str, views: MutableMapping[str, Json], names: JsonObject | None) -> "Scope":
        return Scope(
            state=self.state,
            recorder=self.recorder,
            walk=self._walk,
            prefix=prefix,
            views=views,
            names={**self._names, **(names or {})},
        )

    # What expressions see

    def publish(self, step: Step, record: StepRecord) -> None:
        """Make a step that is over visible as `steps.<key>`."""
        view: JsonObject = {
            "output": record.output,
            "status": record.status,
            "error": record.error,
            "attempts": record.attempt,
            "started_at": record.started_at,
            "finished_at": record.finished_at,
        }
        if record.wait is not None and record.wait["kind"] == "event":
            view["event"] = record.wait.get("received")
            view["timed_out"] = record.wait.get("timed_out", False)
        if record.status == "skipped":
            del view["output"]
        self._views[step.key] = view

    def context(self) -> Mapping[str, Json]:
        """The names of an expression evaluated here and now."""
        run = self.state.input
        return {
            "trigger": run.trigger.data,
            "event": run.trigger.event,
            "steps": dict(self._views) if isinstance(self._views, ChainMap) else self._views,
            "vars": self.state.variables,
            "run": {
                "id": run.run_id,
                "workflow_id": run.workflow_id,
                "workflow_name": run.workflow_name,
                "version": run.version,
                "started_at": moment(self.state.started_at),
            },
            "workspace": {"id": run.workspace_id, "name": run.workspace_name},
            "now": now_text(),
            **self._names,
        }

    # Evaluating, with errors that name the field

    def evaluate(self, value: Json, field: str) -> Json:
        """`value` with its expressions resolved; fails the step with the field's name when one cannot be."""
        with self.metered(MAX_OPERATIONS) as budget:
            return guarded(field, expressions.evaluate, value, self.context(), budget=budget)

    def holds(self, condition: Condition, field: str) -> bool:
        """Whether the condition holds here and now."""
        with self.metered(MAX_OPERATIONS) as budget:
            return guarded(field, conditions.evaluate, condition, self.context(), budget=budget)

    @contextmanager
    def metered(self, operations: int) -> Iterator[Budget]:
        """A budget for one evaluation; what is spent of it counts towards the next breath."""
        budget = Budget(operations)
        try:
            yield budget
        finally:
            self.state.work += operations - budget.operations

    async def breathe(self) -> None:
        """Give the workflow task back after much computing: Temporal takes one of two seconds for a deadlock.

        Counted in the language's units of work, not in time, so that a replay breathes at the same places.
        """
        self._require_history()
        if self.state.work >= MOST_WORK:
            self.state.work = 0
            await workflow.sleep(0.001, summary="pause after much computing")

    def _require_history(self) -> None:
        """End the run, with its `finally` and its records, before Temporal terminates it for its history's size."""
        info, state = workflow.info(), self.state
        events, size = info.get_current_history_length(), info.get_current_history_size()
        if not state.history_full and (events > MOST_EVENTS or size > MOST_HISTORY_BYTES):
            state.history_full = True
            raise RunStopped(
                status="failed",
                type=ErrorType.LIMIT_EXCEEDED,
                reason=f"the run's history is full ({events:,} events, {size:,} bytes): loop over fewer items",
            )

    def duration(self, value: Json, field: str) -> timedelta:
        """A duration, given or computed."""
        return guarded(field, durations.parse, self.evaluate(value, field))

    def moment(self, value: Json, field: str) -> datetime:
        """An RFC 3339 moment, given or computed."""
        return guarded(field, durations.parse_moment, self.evaluate(value, field))


def guarded(field: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a pure function of the language; its complaint fails the step with the field's name."""
    try:
        return function(*args, **kwargs)
    except ValueError as error:
        fail(ErrorType.EXPRESSION, f"{field}: {error}")


def remaining(until: datetime | None) -> float | None:
    """Seconds from the run's clock to `until`, not below zero; None = no end."""
    if until is None:
        return None
    return max(0.0, (until - workflow.now()).total_seconds())
