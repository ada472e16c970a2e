"""What a run under way shows of itself: the answer of the timeline query, of a size that needs no store.

What is left out is in the run's rows as it was recorded last, or will be in a moment. Nothing is decided here.
"""

from dataclasses import replace

from app.json import Json, json_size
from app.temporal.messages import StepRecord, Timeline
from workflows.state import RunState

MOST_SHOWN = 1_000_000
"""Bytes of JSON of outputs, inputs, events and variables in one answer. A larger one would be kept apart for as long as
the run is, one more each time somebody looks."""


def timeline(state: RunState) -> Timeline:
    """The run as it stands. What the database has already of steps that are over is left out, and what is too large."""
    journal, room = state.journal, _Room(MOST_SHOWN)
    variables = {name: value for name, value in journal.variables.items() if room.takes(value)}
    return Timeline(
        status=state.status,
        current_step=state.current_step,
        waiting_for=state.waiting_for,
        steps_completed=journal.completed,
        steps=[_shown(record, room, written=journal.is_written(record)) for record in journal.records.values()],
        variables=variables,
        left_out=[name for name in journal.variables if name not in variables],
    )


def _shown(record: StepRecord, room: "_Room", *, written: bool) -> StepRecord:
    wait = record.wait
    if wait is not None and not room.takes(wait):
        wait = {name: part for name, part in wait.items() if name in ("kind", "event", "until", "timed_out")}
    if written or not room.takes([record.inputs, record.output]):
        return replace(record, inputs=None, output=None, wait=wait)
    return record if wait is record.wait else replace(record, wait=wait)


class _Room:
    """Bytes that are left."""

    def __init__(self, size: int) -> None:
        self._left = size

    def takes(self, value: Json) -> bool:
        """Whether there is room for one more value, which is taken then."""
        size = json_size(value)
        if size > self._left:
            return False
        self._left -= size
        return True
