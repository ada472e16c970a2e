"""What a run does once its body has ended, however it did: give up what is open, compensate, `finally`.

How the body ended is kept in the run's state before any of this begins, so that the next execution goes on from there.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace

from temporalio import workflow

from app.catalog.errors import ErrorType
from app.definition import tree
from app.definition.steps import Step
from app.json import Json, JsonObject, json_size
from app.temporal.messages import RunResult
from workflows.failures import RunStopped, StepFailed
from workflows.scope import Scope
from workflows.state import RunState, now_text
from workflows.tasks import LimitReached

MAX_OUTPUT_BYTES = 1024 * 1024
MOST_TOLD = 10
"""Compensations that failed are named up to here, and counted from there on."""


async def ending_of(walk: Awaitable[Json], state: RunState) -> RunResult:
    """How a walk ends; `Suspended` passes."""
    try:
        return RunResult(status="completed", output=await walk)
    except RunStopped as stopped:
        return _stopped(stopped)
    except StepFailed as failed:
        return RunResult(status="failed", error=failed.as_run_error())
    except LimitReached:
        message = f"settings.timeout: the run was not done within {state.definition.settings.timeout}"
        return RunResult(status="timed_out", error=_error(ErrorType.RUN_TIMED_OUT, message))
    except asyncio.CancelledError:
        forget_cancellation()
        return cancelled()


def begin(state: RunState, ending: RunResult) -> None:
    """The body has ended: what is still open in it is given up, and no pause keeps the end from coming."""
    state.ending, state.paused = ending, False
    state.journal.abandon("", now_text())


async def close(scope: Scope, ending: RunResult) -> RunResult:
    """Undo what has to be undone and run `finally`; answers how the run ends at last. `Suspended` passes."""
    state = scope.state
    if ending.status != "completed":
        # Cancelling what undoes would leave half of it done.
        await seen_through(_compensate(scope))
        state.ending = _with_what_was_not_undone(state.ending or ending)
        state.ending = replace(state.ending, not_undone=[], failed_compensations=0)
    elif state.journal.compensations:
        state.journal.compensations.clear()
    return _bounded(await _finally(scope, state.ending or ending))


def reopen(scope: Scope) -> None:
    """Make what is done visible to `finally` and compensation in an execution that does not walk the body."""
    for step in scope.state.definition.steps:
        scope.publish_again(step)


def cancelled() -> RunResult:
    """The ending of a run that was cancelled."""
    return RunResult(status="cancelled", error=_error(ErrorType.CANCELLED, "the run was cancelled"))


def too_large(size: int, limit: int) -> RunResult:
    """The ending of a run whose journal cannot go on into another execution."""
    message = f"the run remembers {size:,} bytes, more than the {limit:,} it may: collect less in loops or loop less"
    return RunResult(status="failed", error=_error(ErrorType.LIMIT_EXCEEDED, message))


def forget_cancellation() -> None:
    """The cancellation is being answered; what follows (`finally`, the records) must be walked to its end."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


async def _compensate(scope: Scope) -> None:
    """Undo completed steps, the latest first. One that cannot be undone keeps no other from it."""
    state, steps = scope.state, _steps(scope)
    while state.journal.compensations:
        entry = state.journal.compensations[-1]
        ending = state.ending
        assert ending is not None, "the body has ended"
        inside = scope.compensating(entry, {"error": ending.error, "status": ending.status})
        try:
            # Publishing lets no `stop` in; one that is there all the same has nothing more to stop.
            with suppress(RunStopped):
                await inside.run(steps[entry.step_id].compensate)
        except StepFailed as failed:
            state.ending = _not_undone(ending, entry.path, failed)
        state.journal.compensations.pop()
        if "[" in entry.path:
            # As many as a loop has items: what undid them is in the rows.
            state.journal.forget_below(f"{entry.path}.compensate.")
        await scope.recorder.flush_if_due()
        await scope.breathe()


def _not_undone(ending: RunResult, path: str, failed: StepFailed) -> RunResult:
    told = [*ending.not_undone, f"{path} ({failed.message})"][:MOST_TOLD]
    return replace(ending, not_undone=told, failed_compensations=ending.failed_compensations + 1)


def _with_what_was_not_undone(ending: RunResult) -> RunResult:
    if not ending.not_undone:
        return ending
    error = dict(ending.error or {})
    more = ending.failed_compensations - len(ending.not_undone)
    told = ", ".join(ending.not_undone) + (f" and {more} more" if more else "")
    error["message"] = f"{error.get('message', '')}; could not be compensated: {told}"
    return replace(ending, error=error)


async def seen_through(part: Awaitable[None]) -> None:
    """Await `part` to its end, though the run is cancelled meanwhile."""
    task = asyncio.ensure_future(part)
    while not task.done():
        try:
            await workflow.wait_condition(task.done)
        except asyncio.CancelledError:
            forget_cancellation()
    task.result()


async def _finally(scope: Scope, ending: RunResult) -> RunResult:
    """`finally` runs whatever happened; if it fails, a run that had completed has failed."""
    steps = scope.state.definition.finally_
    if not steps:
        return ending
    inside = scope.closing({"error": ending.error, "status": ending.status})
    final = await ending_of(inside.run(steps), scope.state)
    scope.journal.abandon("", now_text())
    return ending if final.status == "completed" or ending.status != "completed" else final


def _steps(scope: Scope) -> dict[str, Step]:
    return {step.id: step for _place, step in tree.walk(scope.state.definition)}


def _bounded(ending: RunResult) -> RunResult:
    """A run's output travels as one payload; a larger one would hold the run up for ever."""
    size = json_size(ending.output)
    if size <= MAX_OUTPUT_BYTES:
        return ending
    message = f"output: {size:,} bytes are more than the {MAX_OUTPUT_BYTES:,} a run may answer; answer with less"
    return RunResult(status="failed", error=_error(ErrorType.LIMIT_EXCEEDED, message))


def _stopped(stopped: RunStopped) -> RunResult:
    if stopped.status == "completed":
        return RunResult(status="completed", output=stopped.output)
    type = stopped.type if stopped.status == "failed" else ErrorType.CANCELLED
    message = stopped.reason or f"stopped as {stopped.status}"
    error = _error(type, message) | {"step_id": stopped.step_id, "path": stopped.path}
    return RunResult(status=stopped.status, output=stopped.output, error=error)


def _error(type: ErrorType, message: str) -> JsonObject:
    return {"type": type.value, "message": message, "step_id": None, "path": None}
