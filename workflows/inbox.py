"""Events delivered to a run by signal and not yet taken, by the path of the wait they match. No event counts twice."""

from collections.abc import Sequence

from app.json import JsonObject
from app.temporal.messages import WaitingEvent


class Inbox:
    """One run's events. What was seen is remembered as long as the step that waits may wait again."""

    def __init__(self, events: Sequence[WaitingEvent] = (), seen: Sequence[Sequence[str]] = ()) -> None:
        self._events: dict[str, list[JsonObject]] = {}
        self._seen: dict[tuple[str, str, str], None] = dict.fromkeys((path, source, id) for path, source, id in seen)
        for one in events:
            self._events.setdefault(one.path, []).append(one.event)

    def put(self, path: str, event: JsonObject) -> None:
        """Keep an event for the wait at `path`, unless that had it already."""
        if self._is_new(path, event):
            self._events.setdefault(path, []).append(event)

    def note(self, path: str, event: JsonObject) -> None:
        """The wait at `path` has got this event by another way."""
        self._is_new(path, event)

    def has(self, path: str) -> bool:
        """Whether an event is there for the wait at `path`."""
        return bool(self._events.get(path))

    def clear(self, path: str) -> None:
        """Forget what came for an earlier wait at `path`."""
        self._events.pop(path, None)

    def take(self, path: str) -> JsonObject:
        """The first event for the wait at `path`; the others are dropped, since a wait takes one."""
        return self._events.pop(path)[0]

    def forget(self, prefix: str) -> None:
        """Drop all about the waits whose paths begin so: they are never waited for again."""
        self._events = {path: events for path, events in self._events.items() if not path.startswith(prefix)}
        self._seen = {key: None for key in self._seen if not key[0].startswith(prefix)}

    def waiting(self) -> list[WaitingEvent]:
        """What was not taken, to travel."""
        return [WaitingEvent(path=path, event=event) for path, events in self._events.items() for event in events]

    def seen(self) -> list[list[str]]:
        """`[path, source, id]` of what was delivered, to travel."""
        return [list(key) for key in self._seen]

    def _is_new(self, path: str, event: JsonObject) -> bool:
        key = (path, str(event["source"]), str(event["id"]))
        if key in self._seen:
            return False
        self._seen[key] = None
        return True
