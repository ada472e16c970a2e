"""Walks a list of steps: skip, dispatch on kind, keep the record, apply the error policy. Reads like the language.

What a kind does is one function in `steps/`. Nothing here knows a kind beyond the table below.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from app.catalog.errors import ErrorType
from app.definition.durations import parse_moment
from app.definition.steps import ActionStep, ApprovalStep, Step, WaitForEventStep
from app.json import Json, JsonObject
from app.temporal.messages import StepRecord
from workflows import holding
from workflows.failures import RunStopped, StepFailed, recorded_failure
from workflows.journal import is_over
from workflows.resting import due, remaining
from workflows.retrying import between_attempts, note_attempt, pause_after, retry_plan, worth_another
from workflows.scope import Scope
from workflows.state import now_text
from workflows.steps import (
    action,
    approval,
    condition,
    delay,
    loop,
    parallel,
    pure,
    repeat,
    respond,
    run_workflow,
    wait_for_event,
)
from workflows.tasks import LimitReached, leave_if_cancelled, limited

Kind = Callable[[Scope, Any, StepRecord], Awaitable[Json]]

KINDS: dict[str, Kind] = {
    "action": action.run,
    "condition": condition.run,
    "delay": delay.run,
    "wait_for_event": wait_for_event.run,
    "approval": approval.run,
    "loop": loop.run,
    "repeat": repeat.run,
    "parallel": parallel.run,
    "run_workflow": run_workflow.run,
    "respond": respond.run,
    "set_variable": pure.set_variable,
    "transform": pure.transform,
    "filter": pure.filter_,
    "aggregate": pure.aggregate,
    "stop": pure.stop,
}
"""Every kind of the language; a test holds this table against the models."""


async def run_steps(scope: Scope, steps: Sequence[Step]) -> Json:
    """Walk steps one after the other; answers with the output of the last one that was not skipped."""
    output: Json = None
    for step in steps:
        record = await run_step(scope, step)
        if record.status == "completed":
            output = record.output
    return output


async def run_step(scope: Scope, step: Step) -> StepRecord:
    """Walk one step. Raises `StepFailed` when it failed and its policy is `fail`."""
    leave_if_cancelled()
    await scope.breathe()
    await scope.gate(scope.path(step))
    record = scope.journal.begin(_fresh(scope, step))
    if is_over(record):
        scope.publish_again(step)
    else:
        scope.state.current_step = record.path
        scope.state.moved |= record.status == "pending"
        record = await _to_its_end(scope, step, record)
        # An effect that was done nevertheless is done; the cancellation goes on from here.
        leave_if_cancelled()
    if record.handled and step.on_error == "branch":
        await scope.after(step, {"error": _caught(record)}).run(step.error_steps)
    await scope.recorder.flush_if_due()
    return record


async def _to_its_end(scope: Scope, step: Step, record: StepRecord) -> StepRecord:
    """Walk a step until it is over, through as many generations as operators ask for."""
    while True:
        try:
            if record.status == "held":
                record = await holding.decided(scope, step, record)
            if record.status not in ("skipped", "completed"):
                await _walk(scope, step, record)
            elif record.finished_at is None:
                _finish(scope, step, record, record.status)
            return record
        except StepFailed as failed:
            if not holding.must_ask(scope, step, record, failed):
                _apply_error_policy(scope, step, record, failed)
                return record
            holding.hold(scope, step, record, failed)
        except RunStopped:
            _finish(scope, step, record, "completed", stopped=True)
            raise
        except asyncio.CancelledError:
            _finish(scope, step, record, "cancelled")
            raise


async def _walk(scope: Scope, step: Step, record: StepRecord) -> None:
    if record.status == "failed":
        raise recorded_failure(record)
    if record.status == "pending" and (
        not step.enabled or (step.when is not None and not scope.holds(step.when, "when"))
    ):
        _finish(scope, step, record, "skipped")
        return
    if scope.state.ending is None:
        scope.state.holdings.require_room()
    output = await _attempts(scope, step, record)
    scope.state.holdings.take(record.path, output)
    record.output, record.error = output, None
    _finish(scope, step, record, "completed")


async def _attempts(scope: Scope, step: Step, record: StepRecord) -> Json:
    """An action's attempts are its activity's; any other kind that asks for `retry` is tried again here."""
    if isinstance(step, ActionStep) or step.retry is None:
        return await _attempt(scope, step, record)
    plan = retry_plan(scope, step.retry)
    while True:
        await between_attempts(scope.state, scope.recorder, record, record.attempt)
        began = now_text()
        try:
            return await _attempt(scope, step, record)
        except StepFailed as failed:
            again = worth_another(plan, failed) and record.attempt < plan.max_attempts
            next_at = due(pause_after(plan, record.attempt)) if again else None
            note_attempt(scope, record, failed, began=began, next_at=next_at)
            if not again:
                raise


async def _attempt(scope: Scope, step: Step, record: StepRecord) -> Json:
    kind = KINDS[step.type]
    if record.status != "waiting":
        record.status = "running"
    # An action limits each attempt itself, and a wait's timeout is its deadline.
    if step.timeout is None or isinstance(step, ActionStep | ApprovalStep | WaitForEventStep):
        return await kind(scope, step, record)
    if record.deadline is None:
        record.deadline = due(scope.duration(step.timeout, "timeout").total_seconds())
    seconds = remaining(parse_moment(record.deadline)) or 0.0
    if scope.state.lost is not None:
        if seconds > 0:
            return await kind(scope, step, record)
        raise StepFailed(ErrorType.TIMEOUT, f"timeout: not done within {step.timeout}")
    scope.state.history.timer()

    async def part() -> Json:
        return await kind(scope, step, record)

    try:
        return await limited(part(), seconds)
    except LimitReached:
        raise StepFailed(ErrorType.TIMEOUT, f"timeout: not done within {step.timeout}") from None


def _apply_error_policy(scope: Scope, step: Step, record: StepRecord, failed: StepFailed) -> None:
    """`continue` and `branch` take care of the failure; otherwise it goes on to the step around this one."""
    failed.at(step.id, record.path)
    record.error, record.failed_path = failed.as_step_error(), failed.path
    record.handled = step.on_error in ("continue", "branch")
    if record.status != "failed":
        _finish(scope, step, record, "failed")
    if not record.handled:
        raise failed


def _caught(record: StepRecord) -> JsonObject:
    """What `error_steps` see: the error, and the innermost step that failed."""
    path = record.failed_path or record.path
    return {**(record.error or {}), "step_id": path.rpartition(".")[2], "path": path}


def _fresh(scope: Scope, step: Step) -> StepRecord:
    return StepRecord(
        path=scope.path(step),
        step_id=step.id,
        name=step.title,
        type=step.type,
        action=step.action if isinstance(step, ActionStep) else None,
        status="pending",
        started_at=now_text(),
    )


def _finish(scope: Scope, step: Step, record: StepRecord, status: str, *, stopped: bool = False) -> None:
    """However it ended, the step is seen from now on: `error_steps` and `finally` look at failed ones, too."""
    if status == "cancelled":
        scope.journal.cancel(record)
    record.status = status
    record.finished_at = record.finished_at or now_text()
    record.again_at = None
    scope.state.moved = True
    # An effect that ended well has committed its own row; everything else is written in batches.
    effect = record.action is not None and record.inputs is not None and status == "completed" and not record.unkept
    if next(step.children(), None) is not None:
        scope.journal.abandon(record.path, record.finished_at)
    scope.journal.finish(record, written=effect, stopped=stopped)
    scope.state.holdings.keep(record)
    scope.publish(step, record)
    if status == "completed" and step.compensate and not stopped:
        scope.journal.compensations.append(scope.compensation(step, record))
    scope.state.show()
