"""What an event may be before it is taken in, and how its envelope becomes a row. Pure: nothing is read or written."""

import json
from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

from app.db.models import Event
from app.db.values import as_kept
from app.definition.durations import parse_moment
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services.errors import Invalid, TooLarge

MAX_EVENTS = 1000
MAX_ID_BYTES = 256
MAX_SOURCE_BYTES = 1024
MAX_TYPE_BYTES = 512
MAX_TYPE_WORDS = 32
"""By each of them an event may be listened to (`a.*`, `a.b.*`, ...), and is looked for."""
MAX_SUBJECT_BYTES = 1024

_LIMITS = {"id": MAX_ID_BYTES, "source": MAX_SOURCE_BYTES, "type": MAX_TYPE_BYTES, "subject": MAX_SUBJECT_BYTES}
"""They stand in indexes, whose entries have little room."""
_COLUMNS = ("id", "source", "type", "subject", "time", "data")


def check(events: Sequence[JsonObject], max_bytes: int) -> None:
    """Refuse envelopes that are too many or too large. Raises `TooLarge` or `Invalid`."""
    if not 1 <= len(events) <= MAX_EVENTS:
        raise Invalid("invalid_event", f"Send 1 to {MAX_EVENTS} events at once, not {len(events)}.")
    problems: list[Problem] = []
    for index, event in enumerate(events):
        at = f"[{index}]." if len(events) > 1 else ""
        for name, limit in _LIMITS.items():
            if (size := len((event.get(name) or "").encode(errors="surrogatepass"))) > limit:
                problems.append(Problem(f"{at}{name}", f"has {size} bytes, more than the {limit} it may have"))
        if (words := event["type"].count(".") + 1) > MAX_TYPE_WORDS:
            problems.append(Problem(f"{at}type", f"has {words} words, more than the {MAX_TYPE_WORDS} it may have"))
        if (size := _size(event)) > max_bytes:
            which = f"Event {index} of the list" if at else "The event"
            raise TooLarge("event_too_large", f"{which} has {size} bytes, more than the {max_bytes} it may have.")
    if problems:
        raise Invalid("invalid_event", "; ".join(f"{one.path}: {one.message}" for one in problems), problems)


def run_key(source: str, id: str) -> str:
    """The idempotency key of runs an event starts; no two events share one, whatever colons are in them."""
    return f"event:{quote(source, safe='/')}:{id}"


def row_of(event: JsonObject, caused_by: JsonObject | None = None, *, only: UUID | None = None) -> JsonObject:
    """The columns of an event as the database gives them back, its time and ids as text. `only`: the one workflow that
    it is for."""
    time = event.get("time")
    row: JsonObject = as_kept(
        {
            "id": event["id"],
            "source": event["source"],
            "type": event["type"],
            "subject": event.get("subject"),
            "time": None if time is None else parse_moment(time).isoformat(),
            "data": event.get("data"),
            "extensions": {
                name: value for name, value in event.items() if name not in _COLUMNS and name != "specversion"
            },
            "caused_by": caused_by,
            "only_workflow": None if only is None else str(only),
        }
    )
    return row


def name_of(event: Event) -> str:
    """The event, for the log."""
    return f"event {event.id!r} of {event.source!r}"


def _size(event: Json) -> int:
    return len(json.dumps(event, ensure_ascii=False).encode(errors="surrogatepass"))
