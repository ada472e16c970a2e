"""How full the run's history is, so that the walk goes on in a new execution long before Temporal's limits.

Counted from what the walk itself asks for, and never from what the server says: while local activities go on, a worker
that replays a run sees the server's figures at other steps than the one that made it, and would stop elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from app.temporal.payloads import LARGEST_INLINE, LARGEST_OUTCOME

MOST_EVENTS = 6_000
MOST_BYTES = 3 * 1024 * 1024
"""From here on the walk suspends. Temporal warns at 10,240 events or 10 MiB and terminates at 51,200 or 50 MiB;
a hundred effects under way may still answer six megabytes.

Where a run continues is part of its history: other numbers need `workflow.patched`, like any change of the walk.
"""
PATIENCE = 1.3
"""With an effect under way that may be retried for days, the other branches get this many times as much."""

ROOM = 4
"""At least a quarter of this is left for what comes, however many waits an execution begins with."""

_TASK_EVENTS = 3
"""A workflow task is scheduled, started and completed."""
_TIMER_EVENTS = 2 + _TASK_EVENTS
_EVENT_BYTES = 400
_HEARTBEAT_SECONDS = 7.0
"""A workflow task with a local activity under way is renewed about this often."""


class History:
    """One execution's count, on the safe side."""

    def __init__(self, timers: int = 0) -> None:
        """`timers`: how many it begins with, since its run goes on from an earlier execution."""
        self._events = 5
        self._bytes = 0
        self._waiting_effects = 0
        self._begins_with = timers * _TIMER_EVENTS

    @property
    def full(self) -> bool:
        """Whether the walk should go on in a new execution."""
        patience = PATIENCE if self._waiting_effects else 1.0
        events = max(MOST_EVENTS * patience, self._begins_with + MOST_EVENTS // ROOM)
        size = max(MOST_BYTES * patience, self._begins_with * _EVENT_BYTES + MOST_BYTES // ROOM)
        return self._events > events or self._bytes > size

    def command(self) -> None:
        """Something that is one event."""
        self._add(1)

    def timer(self) -> None:
        """A timer that begins, ends or is cancelled, and the task it wakes."""
        self._add(_TIMER_EVENTS)

    def message(self, size: int) -> None:
        """A signal or an update of so many bytes, and its task."""
        self._add(2 + _TASK_EVENTS, size)

    def local(self, size: int, seconds: float = 0.0) -> None:
        """A local activity that answered so many bytes after so many seconds."""
        self._add(1 + _TASK_EVENTS * int(seconds / _HEARTBEAT_SECONDS), size + _EVENT_BYTES)

    @contextmanager
    def scheduled(self, size: int) -> Iterator[None]:
        """A regular activity with an input of so many bytes; its answer is counted by `answered`."""
        self._add(3 + _TASK_EVENTS, size)
        self._waiting_effects += 1
        try:
            yield
        finally:
            self._waiting_effects -= 1

    def answered(self, size: int) -> None:
        """A regular activity answered so many bytes."""
        self._bytes += min(size, LARGEST_OUTCOME)

    def _add(self, events: int, size: int = 0) -> None:
        self._events += events
        self._bytes += events * _EVENT_BYTES + min(size, LARGEST_INLINE)


def seconds_between(start: str, end: str) -> float:
    """Seconds from one RFC 3339 moment to another."""
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
