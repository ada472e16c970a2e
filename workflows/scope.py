"""Where a step is walked: its path, the names its expressions see, and the walk of the steps inside it.

A condition, a parallel branch and error steps share the names of the scope around them; a loop item has its own. Step
kinds get a scope and nothing else; they reach the walk through `scope.run`, so that no kind imports the interpreter.
"""

import asyncio
import json
from collections import ChainMap
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from temporalio import workflow

from app.catalog.errors import ErrorType
from app.definition import conditions, durations, expressions
from app.definition.conditions import Condition
from app.definition.limits import MAX_OPERATIONS, Budget
from app.definition.steps import ParallelStep, Step
from app.json import Json, JsonObject
from app.temporal.messages import Compensation, StepRecord
from workflows.failures import Suspended, fail
from workflows.recorder import Recorder
from workflows.resting import until_true
from workflows.state import RunState, moment, now_text
from workflows.tasks import Tasks, until_decided

MOST_WORK = 400_000
"""Units of work (about a microsecond each) in one workflow task; with what one step may add, less than a second."""

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
        asks: bool = True,
    ) -> None:
        self.asks_operator = asks
        """Whether a failure here fails the run, so that `on_failure: hold` asks an operator first."""
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

    def inside(self, step: Step) -> "Scope":
        """The scope of the steps inside a condition or a parallel branch: the names stay shared."""
        return self._child(f"{self.path(step)}.", self._views, None, asks=self._asks_inside(step))

    def asking(self, step: Step, names: JsonObject) -> "Scope":
        """The scope of the steps that tell people of an approval."""
        return self._child(f"{self.path(step)}.", self._views, names, asks=self._asks_inside(step))

    def after(self, step: Step, names: JsonObject) -> "Scope":
        """The scope of the error steps of a step that failed: what fails there is not handled by that step."""
        return self._child(f"{self.path(step)}.", self._views, names, asks=self.asks_operator)

    def item(self, step: Step, index: int, names: JsonObject) -> "Scope":
        """The scope of one loop item: sees what is outside, keeps its own steps to itself."""
        views = self._views
        own = views.new_child() if isinstance(views, ChainMap) else ChainMap[str, Json]({}, views)
        return self._child(f"{self.path(step)}[{index}].", own, names, asks=self._asks_inside(step))

    def closing(self, names: JsonObject) -> "Scope":
        """This scope with further names, for `finally`: the run is ending, and no failure changes that any more."""
        return self._child(self._prefix, self._views, names, asks=False)

    def compensating(self, entry: Compensation, names: JsonObject) -> "Scope":
        """The scope of the steps that undo what `entry` tells of."""
        own: ChainMap[str, Json] = ChainMap({}, dict(entry.views), self._views)
        return self._child(f"{entry.path}.compensate.", own, {**entry.names, **names}, asks=False)

    def compensation(self, step: Step, record: StepRecord) -> Compensation:
        """How the step that is done here is undone later, when the loop item around it is forgotten."""
        local: JsonObject = {}
        if isinstance(self._views, ChainMap):
            for views in reversed(self._views.maps[:-1]):
                local.update(views)
        text = json.dumps([inner.model_dump(mode="json") for inner in step.compensate])
        needed = {key: view for key, view in local.items() if key in text or "steps[" in text or "steps |" in text}
        return Compensation(path=record.path, step_id=step.id, names=self._names, views=needed)

    def _asks_inside(self, step: Step) -> bool:
        """Whether a failure inside the step is the run's: not when the step, or one around it, deals with it."""
        spares = isinstance(step, ParallelStep) and step.wait_for != "all"
        return self.asks_operator and step.on_error == "fail" and step.retry is None and not spares

    def _child(self, prefix: str, views: MutableMapping[str, Json], names: JsonObject | None, *, asks: bool) -> "Scope":
        return Scope(
            state=self.state,
            recorder=self.recorder,
            walk=self._walk,
            prefix=prefix,
            views=views,
            names={**self._names, **(names or {})},
            asks=asks,
        )

    async def side_by_side(self, parts: Sequence[Coroutine[Any, Any, Any]], decided: Callable[[Tasks], bool]) -> Tasks:
        """Walk several parts at once until all have ended, or it is decided that the others need not; see
        `tasks.until_decided`. Answers with the parts' tasks, all of them done."""
        state = self.state
        state.walkers += len(parts) - 1
        tasks = [asyncio.create_task(part) for part in parts]
        for task in tasks:
            task.add_done_callback(state.leave)
        try:
            await until_decided(tasks, lambda: decided(tasks))
        finally:
            state.walkers += 1
        return tasks

    def forget(self, step: Step, index: int) -> None:
        """Let go of a finished item's steps: what they gave is kept as the item's result."""
        self.journal.forget(self.path(step), index)
        self.state.holdings.fold(self.path(step), index)
        self.state.inbox.forget(f"{self.path(step)}[{index}].")

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
        if record.type == "run_workflow":
            view["run_id"] = (record.wait or {}).get("run_id")
        if record.status == "skipped" and record.decision is None:
            del view["output"]
        self._views[step.key] = view

    def publish_again(self, step: Step) -> None:
        """Make a step that is over, and those inside it that share its names, visible without walking them."""
        record = self.journal.records.get(self.path(step))
        if record is None:
            return
        for _place, inner in step.children():
            for one in inner:
                self.inside(step).publish_again(one)
        self.publish(step, record)

    def context(self, *, secrets: bool = False) -> Mapping[str, Json]:
        """The names of an expression evaluated here and now; `secrets` is one where they can be placed, and nowhere
        else: what an operator gives is evaluated as well."""
        run = self.state.input
        return {
            "trigger": run.trigger.data,
            "event": run.trigger.event,
            "steps": dict(self._views) if isinstance(self._views, ChainMap) else self._views,
            "vars": self.journal.variables,
            "run": {
                "id": run.run_id,
                "workflow_id": run.workflow_id,
                "workflow_name": run.workflow_name,
                "version": run.version,
                "started_at": moment(self.state.started_at),
            },
            "workspace": {"id": run.workspace_id, "name": run.workspace_name, "vars": run.workspace_variables},
            **({"secrets": run.secrets} if secrets else {}),
            "now": now_text(),
            **self._names,
        }

    # Evaluating, with errors that name the field

    def evaluate(self, value: Json, field: str, *, secrets: bool = False) -> Json:
        """`value` with its expressions resolved; fails the step with the field's name when one cannot be."""
        with self.metered(MAX_OPERATIONS) as budget:
            return guarded(field, expressions.evaluate, value, self.context(secrets=secrets), budget=budget)

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
            spent = operations - budget.operations
            self.state.work += spent
            self.state.work_before += spent - budget.later

    async def gate(self, path: str) -> None:
        """Before each step: whether the walk may go on to it. Raises `Suspended` when it goes on in another execution.

        A step that was begun already is none of a pause's business: its wait goes on meanwhile.
        """
        state = self.state
        if state.lost is not None:
            if not state.lost:
                raise Suspended
            return
        if self.journal.knows(path):
            return
        if state.suspending:
            raise Suspended
        if state.paused:
            await until_true(state, lambda: not state.paused)

    async def breathe(self) -> None:
        """Give the workflow task back after much computing: Temporal takes one of two seconds for a deadlock.

        Counted in the language's units of work, not in time, so that a replay breathes at the same places. What goes on
        side by side shares one task: while one part breathes, the others wait with it.
        """
        state = self.state
        if state.work < MOST_WORK:
            return
        state.at_full_price = state.at_full_price and workflow.patched("at full price")
        if state.charged < MOST_WORK:
            return
        if not workflow.patched("breathing together"):
            state.work = state.work_before = 0
            await self._breath()
            return
        while state.charged >= MOST_WORK:
            if state.breathing:
                await workflow.wait_condition(lambda: state.charged < MOST_WORK)
                continue
            state.breathing = True
            try:
                await self._breath()
            finally:
                state.breathing, state.work, state.work_before = False, 0, 0

    async def _breath(self) -> None:
        self.state.history.timer()
        await workflow.sleep(0.001, summary="pause after much computing")

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
