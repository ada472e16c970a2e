"""`action`: do something from the catalog. Inline actions are evaluated here; all others are Temporal activities.

A short action makes its first attempt as a local activity: no round trip through the server when all goes well. A
failure worth retrying goes on as a regular activity, where operations see it pending and can act on it. The effect's
key stays the same throughout.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, TimeoutError, is_cancelled_exception

from app.catalog.base import Action
from app.catalog.errors import ErrorType
from app.catalog.inline import INLINE
from app.catalog.registry import resolve
from app.definition.limits import MAX_ITEM_OPERATIONS
from app.definition.steps import ActionStep, Retry
from app.json import Json
from app.temporal import names
from app.temporal.messages import ActionCall, ActionOutcome, RetryPlan, StepRecord
from app.temporal.payloads import LARGEST_LOCAL_ANSWER, LARGEST_TASK, json_size
from workflows.failures import StepFailed, fail
from workflows.outbox import Outbox
from workflows.scope import Scope, guarded
from workflows.tasks import leave_if_cancelled

HEARTBEAT_TIMEOUT = timedelta(seconds=30)
"""A worker that is silent for this long is taken for dead, and the attempt made elsewhere."""
LONGEST_LOCAL_ATTEMPT = 30.0
"""Seconds an attempt may take to be made as a local activity."""
COMMIT_ALLOWANCE = timedelta(days=7)
"""Time beyond the attempt's own limit in which a worker may wait for the database to keep the outcome."""


async def run(scope: Scope, step: ActionStep, record: StepRecord) -> Json:
    """The action's output; fails the step when no attempt is left."""
    entry = resolve(step.action)
    if entry is None:
        fail(ErrorType.UNKNOWN_ACTION, f"action: there is no action {step.action!r} in this worker's catalog")
    record.action = entry.id
    if entry.where == "inline":
        with scope.metered(MAX_ITEM_OPERATIONS) as budget:
            return guarded("inputs", INLINE[entry.id], step.inputs, scope.context(), budget)
    scope.state.busy += 1
    try:
        await scope.recorder.show_status()
        outcome = await _perform(scope, step, entry, record)
    finally:
        scope.state.busy -= 1
    record.inputs, record.attempt = outcome.inputs, outcome.attempt
    record.finished_at = outcome.finished_at
    return outcome.output


async def _perform(scope: Scope, step: ActionStep, entry: Action, record: StepRecord) -> ActionOutcome:
    call = _call(scope, step, entry, record)
    outbox = scope.state.outbox
    if _local_first(scope, entry, call) and outbox.expect_answer():
        try:
            outcome = await _attempt_here(call, step, outbox)
        except (ApplicationError, ActivityError) as error:
            call = await _after_first_failure(error, call, step, record)
        else:
            if not outcome.kept:
                return outcome
            call = replace(call, kept=True)
    mark = await outbox.put(json_size(call.inputs))
    try:
        return await _attempts_scheduled(call, step)
    except ActivityError as error:
        failed = _failure(error, record)
        leave_if_cancelled()
        raise failed from error
    finally:
        outbox.sent(mark)


def _local_first(scope: Scope, entry: Action, call: ActionCall) -> bool:
    """While a local activity is under way, messages and timers of the run wait, and so does a worker that stops."""
    asked = scope.state.definition.settings.dispatch == "local_first"
    return asked and entry.short and call.timeout <= LONGEST_LOCAL_ATTEMPT


async def _after_first_failure(
    error: ApplicationError | ActivityError, call: ActionCall, step: ActionStep, record: StepRecord
) -> ActionCall:
    """The call that makes the other attempts, after the pause before them; raises when there is none to make."""
    if isinstance(error, ApplicationError) and error.type == names.NOT_TRIED:
        return call
    failed = _failure(error, record)
    leave_if_cancelled()
    if not failed.retryable or call.retry.max_attempts <= 1:
        raise failed from error
    await workflow.sleep(_pause(error, call.retry), summary=f"before attempt 2 of {step.title}")
    return replace(call, previous_attempts=1)


async def _attempt_here(call: ActionCall, step: ActionStep, outbox: Outbox) -> ActionOutcome:
    size = LARGEST_LOCAL_ANSWER
    try:
        outcome: ActionOutcome = await workflow.execute_local_activity(
            call.action,
            call,
            result_type=ActionOutcome,
            start_to_close_timeout=timedelta(seconds=call.timeout) + COMMIT_ALLOWANCE,
            retry_policy=RetryPolicy(maximum_attempts=1),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=step.title,
        )
        size = json_size([outcome.output, outcome.inputs])
        return outcome
    finally:
        outbox.answered(size)


async def _attempts_scheduled(call: ActionCall, step: ActionStep) -> ActionOutcome:
    plan = call.retry
    outcome: ActionOutcome = await workflow.execute_activity(
        call.action,
        call,
        result_type=ActionOutcome,
        start_to_close_timeout=timedelta(seconds=call.timeout) + COMMIT_ALLOWANCE,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=plan.initial_interval),
            backoff_coefficient=plan.backoff,
            maximum_interval=timedelta(seconds=max(plan.max_interval, plan.initial_interval)),
            maximum_attempts=plan.max_attempts - call.previous_attempts,
        ),
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=step.title,
        priority=Priority(fairness_key=call.workspace_id),
    )
    return outcome


def _call(scope: Scope, step: ActionStep, entry: Action, record: StepRecord) -> ActionCall:
    run = scope.state.input
    inputs = scope.evaluate(step.inputs, "inputs")
    size = json_size(inputs)
    if size > LARGEST_TASK:
        fail(ErrorType.LIMIT_EXCEEDED, f"inputs: {size:,} bytes are more than the {LARGEST_TASK:,} a step may be given")
    effect = f"#{record.effect}" if record.effect > 1 else ""
    timeout = entry.timeout
    if step.timeout is not None:
        timeout = scope.duration(step.timeout, "timeout").total_seconds()
    return ActionCall(
        workspace_id=run.workspace_id,
        run_id=run.run_id,
        workflow_id=run.workflow_id,
        path=record.path,
        step_id=step.id,
        name=step.title,
        action=entry.id,
        key=f"{run.run_id}/{record.path}{effect}",
        inputs=inputs,
        connection=step.connection,
        timeout=timeout,
        retry=retry_plan(scope, step.retry or entry.retry),
        order=record.order,
        generation=record.generation,
        started_at=record.started_at,
    )


def retry_plan(scope: Scope, retry: Retry) -> RetryPlan:
    """The policy in seconds; its durations may be expressions."""
    return RetryPlan(
        max_attempts=retry.max_attempts,
        initial_interval=max(0.001, scope.duration(retry.initial_interval, "retry.initial_interval").total_seconds()),
        backoff=retry.backoff,
        max_interval=max(0.001, scope.duration(retry.max_interval, "retry.max_interval").total_seconds()),
        jitter=retry.jitter,
    )


def _failure(error: FailureError, record: StepRecord) -> StepFailed:
    """The language's failure for Temporal's. A failed local activity comes as its own error, a regular one wrapped."""
    if is_cancelled_exception(error):
        raise asyncio.CancelledError from error
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        details = cause.details[0] if cause.details else {}
        record.attempt = details.get("attempt", record.attempt)
        record.inputs = details.get("inputs", record.inputs)
        failed = StepFailed(
            cause.type or ErrorType.INTERNAL.value,
            cause.message,
            retryable=not cause.non_retryable,
            provider_code=details.get("provider_code"),
        )
    elif isinstance(cause, TimeoutError):
        failed = StepFailed(ErrorType.WORKER_LOST.value, "the worker that made the attempt was lost before it ended")
    else:
        failed = StepFailed(ErrorType.INTERNAL.value, str(cause or error))
    record.error = failed.as_step_error()
    return failed


def _pause(error: FailureError, plan: RetryPlan) -> float:
    """Seconds before the second attempt: what the activity decided (jitter, Retry-After), else the first interval."""
    details = error.details[0] if isinstance(error, ApplicationError) and error.details else {}
    return float(details.get("retry_delay", plan.initial_interval))
