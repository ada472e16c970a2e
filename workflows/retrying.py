"""Attempts after the first: whether there is one, when, and the pause before it. An effect's are its activity's."""

from temporalio import workflow

from app.definition.steps import Retry
from app.temporal.messages import RetryPlan, StepRecord
from app.temporal.record_messages import FailedAttempt
from workflows.failures import StepFailed
from workflows.recorder import Recorder
from workflows.resting import rest
from workflows.scope import Scope
from workflows.state import RunState, now_text


def retry_plan(scope: Scope, retry: Retry) -> RetryPlan:
    """The policy in seconds; its durations may be expressions."""
    return RetryPlan(
        max_attempts=retry.max_attempts,
        initial_interval=max(0.001, scope.duration(retry.initial_interval, "retry.initial_interval").total_seconds()),
        backoff=retry.backoff,
        max_interval=max(0.001, scope.duration(retry.max_interval, "retry.max_interval").total_seconds()),
        jitter=retry.jitter,
        retry_on=None if retry.retry_on is None else [str(type) for type in retry.retry_on],
    )


def worth_another(plan: RetryPlan, failed: StepFailed) -> bool:
    """Whether the failure is of a kind that another attempt may get past."""
    return failed.retryable if plan.retry_on is None else failed.type in plan.retry_on


def pause_after(plan: RetryPlan, attempt: int) -> float:
    """Seconds between this attempt and the next."""
    pause = min(plan.initial_interval * plan.backoff ** min(attempt - 1, 64), plan.max_interval)
    return pause * (1 - plan.jitter * workflow.random().random())


def note_attempt(scope: Scope, record: StepRecord, failed: StepFailed, *, began: str, next_at: str | None) -> None:
    """Keep a failed attempt of a step that holds others, or waits; with when the next one is due, if there is one."""
    scope.state.moved = True
    scope.journal.failed_attempt(
        FailedAttempt(
            path=record.path,
            generation=record.generation,
            attempt=record.attempt,
            error=failed.as_step_error(),
            started_at=began,
            finished_at=now_text(),
            next_attempt_at=next_at,
        )
    )
    if next_at is None:
        return
    scope.journal.abandon(record.path, now_text())
    scope.journal.renew(record.path)
    record.error, record.deadline = failed.as_step_error(), None
    record.attempt += 1
    pause_until(record, next_at)


def pause_until(record: StepRecord, moment: str) -> None:
    """The step pauses between two attempts."""
    record.status, record.again_at = "running", moment
    record.wait = {"kind": "retry", "event": None, "until": moment}


async def between_attempts(state: RunState, recorder: Recorder, record: StepRecord, attempt: int) -> None:
    """The pause before this attempt, if the step is in one. Raises `Suspended`."""
    if record.again_at is not None:
        summary = f"before attempt {attempt} of {record.name}"
        await rest(state, recorder, record, kind="retry", until=record.again_at, summary=summary)
        record.again_at = record.wait = None
