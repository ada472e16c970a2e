"""`action`: do something from the catalog. Inline actions are evaluated here; all others are Temporal activities.

A short action makes its first attempt as a local activity: no round trip through the server when all goes well. A
failure worth retrying goes on as a regular activity, where operations see it pending and can act on it. The effect's
key stays the same throughout.
"""

import asyncio
import math
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
from app.definition.steps import ActionStep
from app.json import Json, JsonObject, json_size
from app.temporal import names
from app.temporal.messages import ActionCall, ActionOutcome, StepRecord
from app.temporal.payloads import LARGEST_LOCAL_ANSWER, LARGEST_TASK
from app.temporal.record_messages import LostEffect
from workflows.failures import StepFailed, Suspended, fail, recorded_failure
from workflows.history import seconds_between
from workflows.resting import due
from workflows.retrying import between_attempts, pause_until, retry_plan
from workflows.scope import Scope, guarded
from workflows.tasks import leave_if_cancelled

HEARTBEAT_TIMEOUT = timedelta(seconds=30)
"""A worker that is silent for this long is taken for dead, and the attempt made elsewhere."""
LONGEST_LOCAL_ATTEMPT = 30.0
"""Seconds an attempt may take to be made as a local activity."""
LONGEST_PAUSE_BESIDE = 10.0
"""Seconds Temporal may pause between attempts while others go on: until the activity ends, no new execution begins."""
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
            return guarded("inputs", INLINE[entry.id], _inputs(scope, step, record), scope.context(), budget)
    scope.state.busy += 1
    try:
        if scope.state.lost is not None:
            outcome = await _take_in(scope, scope.state.lost, step, entry, record)
        else:
            await scope.recorder.show_status()
            outcome = await _perform(scope, step, entry, record)
    finally:
        scope.state.busy -= 1
    record.inputs, record.attempt, record.unkept = outcome.inputs, outcome.attempt, outcome.unkept
    record.finished_at = outcome.finished_at
    return outcome.output


async def _perform(scope: Scope, step: ActionStep, entry: Action, record: StepRecord) -> ActionOutcome:
    call = _call(scope, step, entry, record)
    if record.again_at is None and _local_first(scope, entry, call) and scope.state.outbox.expect_answer():
        try:
            outcome = await _attempt_here(scope, call, step)
        except (ApplicationError, ActivityError) as error:
            _after_first_failure(scope, error, call, record)
        else:
            if not outcome.kept:
                return outcome
            call = replace(call, kept=True)
    return await _scheduled(scope, call, step, record)


async def _scheduled(scope: Scope, call: ActionCall, step: ActionStep, record: StepRecord) -> ActionOutcome:
    """By regular activities: one after the other where the pauses between attempts are the run's."""
    while True:
        if record.again_at is not None:
            call = replace(call, previous_attempts=record.attempt)
            await _paused(scope, record)
        try:
            return await _attempts_scheduled(scope, call, step, record)
        except StepFailed as failed:
            if record.again_at is not None:
                continue
            if failed.type != ErrorType.WORKER_LOST or call.kept:
                raise
            return await _kept_outcome(scope, call, step, record, failed)


async def _paused(scope: Scope, record: StepRecord) -> None:
    """The pause before the next attempt: no effect is under way meanwhile."""
    scope.state.busy -= 1
    try:
        await between_attempts(scope.state, scope.recorder, record, record.attempt + 1)
    finally:
        scope.state.busy += 1
    if scope.state.walks(4):
        await scope.recorder.show_status()


async def _take_in(
    scope: Scope, lost: dict[str, LostEffect], step: ActionStep, entry: Action, record: StepRecord
) -> ActionOutcome:
    """How an effect of a lost task ended; another one is not begun."""
    effect = lost.pop(record.path, None)
    if effect is None:
        raise Suspended
    if effect.error is not None:
        record.error = effect.error
        raise recorded_failure(record)
    call = _call(scope, step, entry, record)
    return await _attempts_scheduled(scope, replace(call, key=effect.key or call.key, kept=True), step, record)


async def _kept_outcome(
    scope: Scope, call: ActionCall, step: ActionStep, record: StepRecord, failed: StepFailed
) -> ActionOutcome:
    """The worker was lost; its effect may have been done and kept all the same. Raises `failed` when it was not."""
    try:
        return await _attempts_scheduled(scope, replace(call, kept=True, previous_attempts=0), step, record)
    except StepFailed:
        record.error = failed.as_step_error()
        raise failed from None


def _local_first(scope: Scope, entry: Action, call: ActionCall) -> bool:
    """While a local activity is under way, messages and timers of the run wait, and so does a worker that stops."""
    asked = scope.state.definition.settings.dispatch == "local_first"
    return asked and entry.short and call.timeout <= LONGEST_LOCAL_ATTEMPT and scope.state.alone


def _after_first_failure(
    scope: Scope, error: ApplicationError | ActivityError, call: ActionCall, record: StepRecord
) -> None:
    """Note when the next attempt is due, and with what; raises when there is none to make."""
    scope.state.history.local(json_size(_details(error)), call.timeout)
    if isinstance(error, ApplicationError) and error.type == names.NOT_TRIED:
        return
    failed = _failure(error, record)
    leave_if_cancelled()
    if not failed.retryable or call.retry.max_attempts <= 1:
        raise failed from error
    _pause(scope, call, record, _details(error).get("retry_delay") or call.retry.initial_interval)


def _pause(scope: Scope, call: ActionCall, record: StepRecord, seconds: float) -> None:
    """Another attempt is due then, with the same inputs."""
    scope.journal.begun[record.path] = {"inputs": call.inputs} | ({"given": True} if call.given else {})
    scope.state.holdings.begin(record.path, call.inputs)
    record.error = {**(record.error or {}), "retryable": True}
    pause_until(record, due(float(seconds)))


async def _attempt_here(scope: Scope, call: ActionCall, step: ActionStep) -> ActionOutcome:
    size = LARGEST_LOCAL_ANSWER
    try:
        async with scope.state.local_slot():
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
        scope.state.history.local(size, seconds_between(outcome.started_at, outcome.finished_at))
        return outcome
    finally:
        scope.state.outbox.answered(size)


async def _attempts_scheduled(scope: Scope, call: ActionCall, step: ActionStep, record: StepRecord) -> ActionOutcome:
    plan, outbox, history = call.retry, scope.state.outbox, scope.state.history
    size = json_size(call.inputs)
    # Where the attempt itself says nothing, because its worker was lost.
    longest = call.longest_pause or math.inf
    mark = await outbox.put(size)
    try:
        with history.scheduled(size):
            outcome: ActionOutcome = await workflow.execute_activity(
                call.action,
                call,
                result_type=ActionOutcome,
                start_to_close_timeout=timedelta(seconds=call.timeout) + COMMIT_ALLOWANCE,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(seconds=min(plan.initial_interval, longest)),
                    backoff_coefficient=plan.backoff,
                    maximum_interval=timedelta(seconds=min(max(plan.max_interval, plan.initial_interval), longest)),
                    # What is kept is not attempted, only fetched.
                    maximum_attempts=0 if call.kept else plan.max_attempts - call.previous_attempts,
                ),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=step.title,
                priority=Priority(fairness_key=call.workspace_id),
            )
    except ActivityError as error:
        failed = _failure(error, record)
        leave_if_cancelled()
        if _details(error.cause).get(names.PAUSES):
            _pause(scope, call, record, _details(error.cause)["retry_delay"])
        raise failed from error
    finally:
        outbox.sent(mark)
    history.answered(json_size([outcome.output, outcome.inputs]))
    return outcome


def _call(scope: Scope, step: ActionStep, entry: Action, record: StepRecord) -> ActionCall:
    run = scope.state.input
    begun = scope.journal.begun.get(record.path)
    inputs = begun["inputs"] if begun else scope.evaluate(step.inputs, "inputs", secrets=True)
    size = json_size(inputs)
    if size > LARGEST_TASK:
        fail(ErrorType.LIMIT_EXCEEDED, f"inputs: {size:,} bytes are more than the {LARGEST_TASK:,} a step may be given")
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
        key=scope.journal.keys.get(record.path) or _effect_key(run.run_id, record),
        inputs=inputs,
        connection=step.connection,
        timeout=timeout,
        retry=retry_plan(scope, step.retry or entry.retry),
        order=record.order,
        generation=record.generation,
        started_at=record.started_at,
        decision=record.decision,
        largest_output=run.limits.step_output if run.limits else None,
        given=bool(begun and begun.get("given")),
        longest_pause=LONGEST_PAUSE_BESIDE if scope.state.walks(4) and not scope.state.alone else None,
    )


def _inputs(scope: Scope, step: ActionStep, record: StepRecord) -> JsonObject:
    """What the step goes on with, or an operator gave it; else its inputs as they are written."""
    begun = scope.journal.begun.get(record.path)
    inputs: JsonObject = begun["inputs"] if begun else step.inputs
    return inputs


def _effect_key(run_id: str, record: StepRecord) -> str:
    """The effect's stable idempotency key: the same in every execution of the run, another for every new effect."""
    return f"{run_id}/{record.path}" + (f"#{record.effect}" if record.effect > 1 else "")


def _failure(error: FailureError, record: StepRecord) -> StepFailed:
    """The language's failure for Temporal's. A failed local activity comes as its own error, a regular one wrapped."""
    if is_cancelled_exception(error):
        raise asyncio.CancelledError from error
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        details = _details(cause)
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


def _details(error: BaseException | None) -> JsonObject:
    """What the activity tells of a failed attempt: `{attempt, inputs, provider_code, retry_delay}`."""
    return error.details[0] if isinstance(error, ApplicationError) and error.details else {}
