"""The one generic Temporal workflow: input, messages and ending of a run. The walk itself is the interpreter's.

Deterministic code only: no I/O, no clock but the workflow's. Every change must keep the stored histories replaying.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from app.catalog.errors import ErrorType
    from app.definition.model import Definition
    from app.definition.parse import parse
    from app.json import Json, JsonObject
    from app.temporal import names
    from app.temporal.messages import DeliveredEvent, RunInput, RunResult, Timeline
    from app.temporal.payloads import json_size
    from workflows.failures import RunStopped, StepFailed
    from workflows.interpreter import run_steps
    from workflows.recorder import Recorder
    from workflows.scope import Scope
    from workflows.state import RunState, now_text
    from workflows.tasks import LimitReached, limited


CACHED_DEFINITIONS = 512
MAX_OUTPUT_BYTES = 1024 * 1024
_PARSED: dict[str, Definition] = {}


@dataclass(frozen=True)
class Ending:
    """How a run ends: `status` completed, failed, cancelled or timed_out."""

    status: str
    output: Json = None
    error: JsonObject | None = None


@workflow.defn(name=names.AUTOMATION_WORKFLOW)
class Automation:
    """One run of a published definition."""

    @workflow.init
    def __init__(self, input: RunInput) -> None:
        self._state = RunState(input)
        self._recorder = Recorder(self._state)
        self._scope = Scope(state=self._state, recorder=self._recorder, walk=run_steps)

    @workflow.run
    async def run(self, input: RunInput) -> RunResult:
        """Walk the definition, run its `finally`, record the end. A failed run fails its Temporal workflow too."""
        definition = self._state.definition = _parsed(input)
        ending = await self._ending(self._whole(definition))
        ending = _bounded(await self._finally(definition, ending))
        await self._record_end(ending)
        workflow.upsert_search_attributes([names.STATUS.value_set(ending.status), names.WAITING_FOR.value_unset()])
        return self._result(ending)

    @workflow.signal(name=names.DELIVER_EVENT_SIGNAL)
    def deliver_event(self, delivered: DeliveredEvent) -> None:
        """An event matched waits of this run. The same event twice counts once."""
        self._state.inbox.put(delivered)

    @workflow.query(name=names.TIMELINE_QUERY)
    def timeline(self) -> Timeline:
        """The run as it stands, steps in the order they began."""
        state = self._state
        return Timeline(
            status=state.status,
            current_step=state.current_step,
            waiting_for=state.waiting_for,
            steps_completed=state.journal.completed,
            steps=list(state.journal.records.values()),
            variables=state.variables,
        )

    async def _whole(self, definition: Definition) -> Json:
        limit = definition.settings.timeout
        if limit is None:
            return await self._body(definition)
        seconds = self._scope.duration(limit, "settings.timeout").total_seconds()
        return await limited(self._body(definition), seconds)

    async def _body(self, definition: Definition) -> Json:
        variables = self._scope.evaluate(definition.variables, "variables")
        self._state.variables = {**variables, **self._state.input.variables}
        await self._scope.run(definition.steps)
        return self._scope.evaluate(definition.output, "output")

    async def _ending(self, walk: Awaitable[Json]) -> Ending:
        try:
            return Ending("completed", output=await walk)
        except RunStopped as stopped:
            return _stopped(stopped)
        except StepFailed as failed:
            return Ending("failed", error=failed.as_run_error())
        except LimitReached:
            message = f"settings.timeout: the run was not done within {self._state.definition.settings.timeout}"
            return Ending("timed_out", error=_error(ErrorType.RUN_TIMED_OUT, message))
        except asyncio.CancelledError:
            _forget_cancellation()
            return Ending("cancelled", error=_error(ErrorType.CANCELLED, "the run was cancelled"))

    async def _finally(self, definition: Definition, ending: Ending) -> Ending:
        """`finally` runs whatever happened; if it fails, a run that had completed has failed."""
        if not definition.finally_:
            return ending
        scope = self._scope.named({"error": ending.error, "status": ending.status})
        final = await self._ending(scope.run(definition.finally_))
        return ending if final.status == "completed" or ending.status != "completed" else final

    async def _record_end(self, ending: Ending) -> None:
        """Write how the run ended. A cancellation that comes this late changes nothing but must not lose the record."""
        finished_at = now_text()
        while True:
            try:
                await self._recorder.end(
                    status=ending.status, output=ending.output, error=ending.error, finished_at=finished_at
                )
                return
            except asyncio.CancelledError:
                _forget_cancellation()

    def _result(self, ending: Ending) -> RunResult:
        if ending.status in ("failed", "timed_out"):
            error = ending.error or {}
            raise ApplicationError(error["message"], error, type=error["type"], non_retryable=True)
        if ending.status == "cancelled" and workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError
        return RunResult(status=ending.status, output=ending.output, error=ending.error)


def _bounded(ending: Ending) -> Ending:
    """A run's output travels as one payload; a larger one would hold the run up for ever."""
    size = json_size(ending.output)
    if size <= MAX_OUTPUT_BYTES:
        return ending
    message = f"output: {size:,} bytes are more than the {MAX_OUTPUT_BYTES:,} a run may answer; answer with less"
    return Ending("failed", error=_error(ErrorType.LIMIT_EXCEEDED, message))


def _stopped(stopped: RunStopped) -> Ending:
    if stopped.status == "completed":
        return Ending("completed", output=stopped.output)
    type = stopped.type if stopped.status == "failed" else ErrorType.CANCELLED
    message = stopped.reason or f"stopped as {stopped.status}"
    error = _error(type, message) | {"step_id": stopped.step_id, "path": stopped.path}
    return Ending(stopped.status, output=stopped.output, error=error)


def _error(type: ErrorType, message: str) -> JsonObject:
    return {"type": type.value, "message": message, "step_id": None, "path": None}


def _forget_cancellation() -> None:
    """The cancellation is being answered; what follows (`finally`, the records) must be walked to its end."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def _parsed(input: RunInput) -> Definition:
    """The definition, parsed once a process: versions are immutable, so the digest names the result."""
    definition = _PARSED.get(input.digest)
    if definition is None:
        if len(_PARSED) >= CACHED_DEFINITIONS:
            _PARSED.clear()
        definition = _PARSED[input.digest] = parse(input.definition)
    return definition
