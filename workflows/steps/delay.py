"""`delay`: wait for a duration, until a moment, or for the next such time of day. The deadline is absolute."""

from datetime import datetime

from temporalio import workflow

from app.catalog.errors import ErrorType
from app.definition import durations
from app.definition.steps import DelayStep
from app.json import Json
from app.temporal.messages import StepRecord
from workflows.failures import fail
from workflows.resting import rest
from workflows.scope import Scope, guarded
from workflows.state import moment


async def run(scope: Scope, step: DelayStep, record: StepRecord) -> Json:
    """`{until, waited}`; `waited` is false when the moment had passed already, and the run goes on at once."""
    if record.wait is None:
        until = _deadline(scope, step)
        record.wait = {"kind": "delay", "event": None, "until": moment(until), "waited": until > workflow.now()}
    until_text = record.wait["until"]
    await rest(scope.state, scope.recorder, record, kind="delay", until=until_text, summary=step.title)
    return {"until": record.wait["until"], "waited": record.wait["waited"]}


def _deadline(scope: Scope, step: DelayStep) -> datetime:
    """When the wait is over: at most as long from now as the plan allowed when the run was started."""
    field, until = _wanted(scope, step)
    limit = scope.state.input.delay_limit
    if limit is not None and (until - workflow.now()).total_seconds() > limit.seconds:
        fail(
            ErrorType.LIMIT_EXCEEDED,
            f"{field}: {moment(until)} is further away than the {durations.in_words(limit.seconds)} that the plan "
            f"{limit.plan} allows: make the delay shorter, or have the platform's administrator give the workspace a "
            "larger plan and redrive the run",
        )
    return until


def _wanted(scope: Scope, step: DelayStep) -> tuple[str, datetime]:
    """The field that says it, and until when."""
    if step.duration is not None:
        return "duration", workflow.now() + scope.duration(step.duration, "duration")
    if step.until is not None:
        until = scope.moment(step.until, "until")
        if until - workflow.now() > durations.MAX_DURATION:
            fail(ErrorType.EXPRESSION, f"until: {moment(until)} is more than a hundred years away")
        return "until", until
    assert step.at is not None, "publishing lets no delay through that names none of the three"
    return "at", guarded("at", durations.next_time_of_day, step.at, workflow.now())
