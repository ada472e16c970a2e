"""Where a walk waits for time, for people or for others, so that it can be suspended there. Deadlines are absolute.

Whatever waits in a walk waits here: a wait that did not look at `suspending` would keep its run from ever continuing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

from app.definition import durations
from app.temporal.messages import StepRecord
from workflows.failures import Suspended
from workflows.recorder import Recorder
from workflows.state import RunState, moment

LONG = 10.0
"""Seconds from which a rest is worth a row before it ends, so that people see the run wait."""


def remaining(until: datetime | None) -> float | None:
    """Seconds from the run's clock to `until`, not below zero; None = no end."""
    if until is None:
        return None
    return max(0.0, (until - workflow.now()).total_seconds())


async def until_true(
    state: RunState, condition: Callable[[], bool], *, until: datetime | None = None, summary: str | None = None
) -> bool:
    """Wait until the condition holds; False when `until` came first. Raises `Suspended` when the walk has to stop."""
    if state.lost is not None and not condition():
        # Whatever takes time now was not in the task that got lost.
        if until is None or until > workflow.now():
            raise Suspended
        return False
    seconds, mark = remaining(until), state.journal.drops
    if seconds is not None:
        state.history.timer()
    try:
        await workflow.wait_condition(lambda: condition() or state.suspending, timeout=seconds, timeout_summary=summary)
    except TimeoutError:
        state.journal.release_drops(mark)
        # Deadline and condition may come with the same task; it was in time then.
        return condition()
    if condition():
        return True
    raise Suspended


async def until_moment(state: RunState, until: datetime, summary: str) -> None:
    """Wait for a moment; one that has passed costs nothing."""
    if remaining(until):
        await until_true(state, lambda: False, until=until, summary=summary)


async def rest(state: RunState, recorder: Recorder, record: StepRecord, *, kind: str, until: str, summary: str) -> None:
    """Have the step wait for a moment, visibly: in the run's status, and when it takes long in its rows.

    `kind` is delay or retry.
    """
    end = durations.parse_moment(until)
    seconds = remaining(end) or 0.0
    if seconds > 0:
        record.status = "waiting"
        state.current_step = record.path
        state.waits[record.path] = {"kind": kind, "event": None, "until": until}
        try:
            if seconds >= LONG:
                state.announce()
                await recorder.flush()
            await until_moment(state, end, summary)
        finally:
            del state.waits[record.path]
    record.status = "running"


def due(seconds: float) -> str:
    """The moment so many seconds from now, RFC 3339."""
    return moment(workflow.now() + timedelta(seconds=seconds))
