"""Walks a list of steps: skip, dispatch on kind, keep the record, apply the error policy. Reads like the language.

What a kind does is one function in `steps/`. Nothing here knows a kind beyond the table below.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from temporalio import workflow

from app.catalog.errors import ErrorType
from app.definition.steps import ActionStep, Step, WaitForEventStep
from app.json import Json, JsonObject
from app.temporal.messages import StepRecord
from workflows.failures import RunStopped, StepFailed
from workflows.journal import is_over
from workflows.scope import Scope
from workflows.state import now_text
from workflows.steps import action, condition, delay, loop, parallel, pure, wait_for_event
from workflows.tasks import LimitReached, leave_if_cancelled, limited

Kind = Callable[[Scope, Any, StepRecord], Awaitable[Json]]

KINDS: dict[str, Kind] = {
    "action": action.run,
    "condition": condition.run,
    "delay": delay.run,
    "wait_for_event": wait_for_event.run,
    "loop": loop.run,
    "parallel": parallel.run,
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
    record = scope.journal.begin(_fresh(scope, step))
    if is_over(record):
        scope.publish(step, record)
    else:
        scope.state.current_step = record.path
        try:
            await _walk(scope, step, record)
        except StepFailed as failed:
            _apply_error_policy(scope, step, record, failed)
        except RunStopped:
            _finish(scope, step, record, "completed")
            raise
        except asyncio.CancelledError:
            _finish(scope, step, record, "cancelled")
            raise
    if record.handled and step.on_error == "branch":
        await scope.inside(step, {"error": _caught(record)}).run(step.error_steps)
    await scope.recorder.flush_if_due()
    return record


async def _walk(scope: Scope, step: Step, record: StepRecord) -> None:
    if not step.enabled or (step.when is not None and not scope.holds(step.when, "when")):
        _finish(scope, step, record, "skipped")
        return
    record.output = await _attempts(scope, step, record)
    record.error = None
    _finish(scope, step, record, "completed")


async def _attempts(scope: Scope, step: Step, record: StepRecord) -> Json:
    """An action's attempts are its activity's; any other kind that asks for `retry` is tried again here."""
    if isinstance(step, ActionStep) or step.retry is None:
        return await _attempt(scope, step, record)
    plan = action.retry_plan(scope, step.retry)
    pause = plan.initial_interval
    while True:
        try:
            return await _attempt(scope, step, record)
        except StepFailed as failed:
            if not failed.retryable or record.attempt >= plan.max_attempts:
                raise
            record.error = failed.as_step_error()
        record.attempt, record.wait = record.attempt + 1, None
        await workflow.sleep(
            pause * (1 - plan.jitter * workflow.random().random()), summary=f"before attempt {record.attempt}"
        )
        pause = min(pause * plan.backoff, plan.max_interval)


async def _attempt(scope: Scope, step: Step, record: StepRecord) -> Json:
    kind = KINDS[step.type]
    record.status = "running"
    # An action limits each attempt itself, and a wait's timeout is its deadline.
    if step.timeout is None or isinstance(step, ActionStep | WaitForEventStep):
        return await kind(scope, step, record)
    seconds = scope.duration(step.timeout, "timeout").total_seconds()

    async def part() -> Json:
        return await kind(scope, step, record)

    try:
        return await limited(part(), seconds)
    except LimitReached:
        raise StepFailed(ErrorType.TIMEOUT, f"timeout: not done within {step.timeout}") from None


def _apply_error_policy(scope: Scope, step: Step, record: StepRecord, failed: StepFailed) -> None:
    """`continue` and `branch` take care of the failure; with `fail` it goes on to the step around this one."""
    failed.at(step.id, record.path)
    record.error, record.failed_path = failed.as_step_error(), failed.path
    record.handled = step.on_error != "fail"
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
        status="running",
        started_at=now_text(),
    )


def _finish(scope: Scope, step: Step, record: StepRecord, status: str) -> None:
    """However it ended, the step is seen from now on: `error_steps` and `finally` look at failed ones, too."""
    record.status = status
    record.finished_at = record.finished_at or now_text()
    # An effect that ended well has committed its own row; everything else is written in batches.
    effect = record.action is not None and record.inputs is not None and status == "completed"
    scope.journal.finish(record, written=effect)
    scope.publish(step, record)
    scope.state.show()
