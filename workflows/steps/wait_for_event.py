"""`wait_for_event`: wait for an event that matches, or until the deadline.

The wait is in the database before the run waits, and dispatch commits an event before it looks for waits: each side
writes first and looks second, so no event falls between. Once it is there, it is there for all executions of the run.
"""

from datetime import datetime

from temporalio import workflow

from app.catalog.errors import ErrorType
from app.definition import conditions, durations
from app.definition.steps import WaitForEventStep
from app.json import Json, JsonObject
from app.temporal.messages import StepRecord
from workflows.failures import fail
from workflows.resting import until_true
from workflows.scope import Scope, guarded
from workflows.state import moment


async def run(scope: Scope, step: WaitForEventStep, record: StepRecord) -> Json:
    """The event's data, or None when the wait timed out; envelope and `timed_out` stand beside the output."""
    if record.wait is None:
        record.wait = _begin(scope, step)
        scope.state.inbox.clear(record.path)
    until = durations.parse_moment(record.wait["until"]) if record.wait["until"] else None
    record.status = "waiting"
    scope.state.waits[record.path] = {"kind": "event", "event": step.event, "until": record.wait["until"]}
    try:
        event = await _next_event(scope, step, record, until)
    finally:
        del scope.state.waits[record.path]
    record.wait["timed_out"] = event is None
    if event is None:
        if step.on_timeout == "fail":
            fail(ErrorType.WAIT_TIMED_OUT, f"no event {step.event!r} matched until {record.wait['until']}")
        return None
    record.wait["received"] = {name: value for name, value in event.items() if name != "data"}
    return event.get("data")


def _begin(scope: Scope, step: WaitForEventStep) -> JsonObject:
    until = None
    if step.timeout is not None:
        until = moment(workflow.now() + scope.duration(step.timeout, "timeout"))
    since = step.since
    if since == "run_start" and scope.journal.run_started_at is not None:
        since = scope.journal.run_started_at
    elif since not in ("wait_start", "run_start"):
        since = moment(scope.moment(since, "since"))
    match: Json = None
    context: JsonObject = {}
    if step.match is not None:
        match, context = guarded("match", conditions.bind, step.match, scope.context())
    return {"kind": "event", "event": step.event, "until": until, "since": since, "match": match, "context": context}


async def _next_event(
    scope: Scope, step: WaitForEventStep, record: StepRecord, until: datetime | None
) -> JsonObject | None:
    state, wait = scope.state, record.wait
    assert wait is not None, "the wait has begun"
    state.announce()
    if not wait.get("open"):
        opened = await scope.recorder.open_wait(
            path=record.path,
            event=step.event,
            match=wait["match"],
            context=wait["context"],
            since=wait["since"],
            until=wait["until"],
        )
        wait["since"], wait["open"] = opened.since, True
        if opened.found is not None:
            state.inbox.note(record.path, opened.found)
            return opened.found
    else:
        await scope.recorder.show_status()
    came = await until_true(state, lambda: state.inbox.has(record.path), until=until, summary=step.title)
    return state.inbox.take(record.path) if came else None
