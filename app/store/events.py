"""Queries about events, and how an event's row reads as a CloudEvents envelope."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Event
from app.json import JsonObject

_PAGE = 100


def patterns_of(event_type: str) -> list[str]:
    """What may be listened to so that this type is heard: `a.b.c`, `a.b.*`, `a.*` and `*`."""
    parts = event_type.split(".")
    return [event_type, *(".".join([*parts[:length], "*"]) for length in range(len(parts) - 1, -1, -1))]


def envelope(event: Event) -> JsonObject:
    """The event as CloudEvents 1.0 JSON, `data` included; attributes it does not have are left out."""
    attributes: JsonObject = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": None if event.time is None else event.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **event.extensions,
    }
    return {**{name: value for name, value in attributes.items() if value is not None}, "data": event.data}


async def received(
    session: AsyncSession, workspace_id: UUID, pattern: str, *, since: datetime, until: datetime | None
) -> AsyncIterator[Event]:
    """Events whose type fits `pattern` (exact, or with a trailing `*`), earliest first, read in pages."""
    place: ColumnElement[bool] | None = None
    while True:
        statement = select(Event).where(Event.workspace_id == workspace_id, _fits(pattern), Event.received_at >= since)
        if until is not None:
            statement = statement.where(Event.received_at <= until)
        if place is not None:
            statement = statement.where(place)
        order = (Event.received_at, Event.source, Event.id)
        page = (await session.scalars(statement.order_by(*order).limit(_PAGE))).all()
        for event in page:
            yield event
        if len(page) < _PAGE:
            return
        last = page[-1]
        place = tuple_(*order) > tuple_(last.received_at, last.source, last.id)


def _fits(pattern: str) -> ColumnElement[bool]:
    if pattern.endswith("*"):
        return Event.type.startswith(pattern[:-1], autoescape=True)
    return Event.type == pattern
