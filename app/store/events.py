"""Queries about events, and how an event's row reads as a CloudEvents envelope."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Event
from app.json import JsonObject

_PAGE = 100

# Two dispatches of one event may run at once and see different halves of what it does.
_NOTE_DISPATCH = text(
    """
    UPDATE events SET
        started = ARRAY(SELECT DISTINCT unnest(started || CAST(:started AS text[])) ORDER BY 1),
        woke = ARRAY(SELECT DISTINCT unnest(woke || CAST(:woke AS text[])) ORDER BY 1),
        dispatched_at = CASE WHEN :done THEN COALESCE(dispatched_at, clock_timestamp()) ELSE dispatched_at END
    WHERE workspace_id = :workspace_id AND source = :source AND id = :id
    """
)


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
    """Events whose type fits `pattern` (exact, or with a trailing `*`), earliest first, read in pages. Without those
    that are for one workflow alone: they end no wait."""
    place: ColumnElement[bool] | None = None
    while True:
        statement = select(Event).where(
            Event.workspace_id == workspace_id,
            _fits(pattern),
            Event.received_at >= since,
            Event.only_workflow.is_(None),
        )
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


async def add(session: AsyncSession, workspace_id: UUID, rows: Sequence[JsonObject]) -> set[tuple[str, str]]:
    """Insert events, columns by name; answers `(source, id)` of those that were not there before.

    `received_at` keeps the order they are given in. They are inserted in the order of their keys, so that two requests
    with the same events never wait for each other in a circle.
    """
    values = [
        {"workspace_id": workspace_id, "received_at": func.now() + timedelta(microseconds=place), **row}
        for place, row in enumerate(rows)
    ]
    values.sort(key=lambda row: (row["source"], row["id"]))
    statement = insert(Event).values(values).on_conflict_do_nothing().returning(Event.source, Event.id)
    return {(source, id_) for source, id_ in await session.execute(statement)}


async def find(session: AsyncSession, workspace_id: UUID, keys: Sequence[tuple[str, str]]) -> Sequence[Event]:
    """The events of these `(source, id)`."""
    statement = select(Event).where(Event.workspace_id == workspace_id, tuple_(Event.source, Event.id).in_(keys))
    return (await session.scalars(statement)).all()


async def undispatched(
    session: AsyncSession, workspace_id: UUID, *, older_than: timedelta, limit: int
) -> Sequence[Event]:
    """Events whose dispatch was never finished, earliest first."""
    statement = (
        select(Event)
        .where(
            Event.workspace_id == workspace_id,
            Event.dispatched_at.is_(None),
            Event.received_at <= func.clock_timestamp() - older_than,
        )
        .order_by(Event.received_at)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def note_dispatch(
    session: AsyncSession, event: Event, *, started: Sequence[str], woke: Sequence[str], done: bool
) -> None:
    """Add what the event did to what is known of it; `done` when nothing of it is left to do."""
    await session.execute(
        _NOTE_DISPATCH,
        {
            "workspace_id": event.workspace_id,
            "source": event.source,
            "id": event.id,
            "started": list(started),
            "woke": list(woke),
            "done": done,
        },
    )
