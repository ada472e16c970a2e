"""Queries about events, and how an event's row reads as a CloudEvents envelope.

What every event costs is in plain SQL. Events are taken in under a lock that they share: `settle` waits until none that
was received before is still on its way into the table.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Statement
from app.db.models import Event
from app.json import Json, JsonObject

_PAGE = 100

_TAKE_IN = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%(name)s, 0))"
_SETTLE = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"

# In the order of their keys, so that two requests with the same events never wait for each other in a circle.
_ADD = """
    WITH now AS MATERIALIZED (SELECT clock_timestamp() AS at)
    INSERT INTO events (
        workspace_id, source, id, type, subject, time, data, extensions, caused_by, only_workflow, received_at)
    SELECT %(workspace_id)s, fresh.source, fresh.id, fresh.type, fresh.subject, fresh.time, fresh.data,
           COALESCE(fresh.extensions, '{}'), fresh.caused_by, fresh.only_workflow,
           now.at + fresh.place * interval '1 microsecond'
    FROM now CROSS JOIN jsonb_to_recordset(%(rows)s) AS fresh (
        place integer, source text, id text, type text, subject text, time timestamptz, data jsonb, extensions jsonb,
        caused_by jsonb, only_workflow uuid)
    ORDER BY fresh.source, fresh.id
    ON CONFLICT DO NOTHING
    RETURNING source, id, received_at
"""

# Two dispatches of one event may run at once and see different halves of what it does. Nobody waits for the disk: what
# is not noted is found out again.
_UNHURRIED = "SELECT set_config('synchronous_commit', 'off', true)"
_NOTE_DISPATCHES = """
    WITH fresh AS (
        SELECT * FROM jsonb_to_recordset(%(rows)s)
            AS each (source text, id text, started text[], woke text[], done boolean)
    ), locked AS (
        SELECT source, id FROM events JOIN fresh USING (source, id) WHERE workspace_id = %(workspace_id)s
        ORDER BY source, id FOR UPDATE OF events)
    UPDATE events SET
        started = ARRAY(SELECT DISTINCT unnest(events.started || fresh.started) ORDER BY 1),
        woke = ARRAY(SELECT DISTINCT unnest(events.woke || fresh.woke) ORDER BY 1),
        dispatched_at = CASE WHEN fresh.done THEN COALESCE(dispatched_at, clock_timestamp()) ELSE dispatched_at END,
        tried_at = CASE WHEN fresh.done THEN tried_at ELSE clock_timestamp() END
    FROM fresh JOIN locked USING (source, id)
    WHERE events.workspace_id = %(workspace_id)s AND events.source = fresh.source AND events.id = fresh.id
"""

# What a wait found by itself, or was given: noted with the event, and the run is part of its chain from then on.
_TAKEN = """
    WITH noted AS (
        UPDATE events SET woke = ARRAY(SELECT DISTINCT unnest(woke || ARRAY[%(run)s::text]) ORDER BY 1)
        WHERE workspace_id = %(workspace_id)s AND source = %(source)s AND id = %(id)s)
    UPDATE runs SET cause_depth = GREATEST(cause_depth, %(depth)s)
    WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s AND cause_depth < %(depth)s
"""
_JOIN_CHAIN = """
    UPDATE runs SET cause_depth = GREATEST(cause_depth, %(depth)s),
                    conversation = COALESCE(conversation, %(conversation)s)
    WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s
      AND (cause_depth < %(depth)s OR (conversation IS NULL AND %(conversation)s::text IS NOT NULL))
"""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a dispatch of an event did; `done` when nothing of it is left to do."""

    source: str
    id: str
    started: list[str]
    woke: list[str]
    done: bool


def patterns_of(event_type: str) -> list[str]:
    """What may be listened to so that this type is heard: `a.b.c`, `a.b.*`, `a.*` and `*`."""
    parts = event_type.split(".")
    return [event_type, *(".".join([*parts[:length], "*"]) for length in range(len(parts) - 1, -1, -1))]


def of_event(workspace_id: UUID, pattern: str) -> str:
    """What stands in `of_event` of a row that listens to this: a subscription or a wait."""
    return f"{workspace_id} {pattern}"


def envelope(event: Event) -> JsonObject:
    """The event as CloudEvents 1.0 JSON, `data` included; attributes it does not have are left out. `caused_by`, which
    no event from outside can have, tells what step emitted it."""
    attributes: JsonObject = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": None if event.time is None else event.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **event.extensions,
        "caused_by": event.caused_by,
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


def add(workspace_id: UUID, rows: Sequence[JsonObject]) -> tuple[Statement, Statement]:
    """Insert events, columns by name, times as RFC 3339; the second statement gives `(source, id, received_at)` of
    those that were not there before.

    `received_at` keeps the order they are given in.
    """
    placed = [{"place": place, **row} for place, row in enumerate(rows)]
    return (
        take_in(workspace_id),
        Statement(_ADD, {"workspace_id": workspace_id, "rows": Jsonb(placed)}),
    )


def take_in(workspace_id: UUID) -> Statement:
    """What stands before every statement that inserts events, in its transaction: `settle` waits for its end."""
    return Statement(_TAKE_IN, _lock_name(workspace_id))


def settle(workspace_id: UUID) -> Statement:
    """Wait until every event that was received before now can be seen: to be sent as a transaction of its own."""
    return Statement(_SETTLE, _lock_name(workspace_id))


def _lock_name(workspace_id: UUID) -> dict[str, str]:
    return {"name": f"holdfast events {workspace_id}"}


def note_dispatches(workspace_id: UUID, rows: Iterable[Dispatched]) -> tuple[Statement, ...]:
    """Add what these events, each named once, did to what is known of them."""
    told = Jsonb([asdict(row) for row in rows])
    return (Statement(_UNHURRIED, {}), Statement(_NOTE_DISPATCHES, {"workspace_id": workspace_id, "rows": told}))


def taken(workspace_id: UUID, run_id: UUID, event: Event) -> Statement:
    """A wait of the run found this event by itself."""
    return Statement(
        _TAKEN,
        {
            "workspace_id": workspace_id,
            "run_id": run_id,
            "run": str(run_id),
            "source": event.source,
            "id": event.id,
            "depth": depth_of(event.caused_by),
        },
    )


def join_chain(workspace_id: UUID, run_id: UUID, *, depth: int, conversation: str | None) -> Statement:
    """An event of this depth is about to wake the run; with `conversation`, it is in conversation with that contact."""
    return Statement(
        _JOIN_CHAIN, {"workspace_id": workspace_id, "run_id": run_id, "depth": depth, "conversation": conversation}
    )


def depth_of(caused_by: Json) -> int:
    """How many events are in the chain that ends with one that says this of its cause."""
    return int(caused_by["depth"]) if caused_by else 0


async def find(session: AsyncSession, workspace_id: UUID, keys: Sequence[tuple[str, str]]) -> Sequence[Event]:
    """The events of these `(source, id)`."""
    statement = select(Event).where(Event.workspace_id == workspace_id, tuple_(Event.source, Event.id).in_(keys))
    return (await session.scalars(statement)).all()


async def undispatched(
    session: AsyncSession, workspace_id: UUID, *, older_than: timedelta, limit: int
) -> Sequence[Event]:
    """Events whose dispatch was never finished: those first that nobody tried to dispatch for longest."""
    statement = (
        select(Event)
        .where(
            Event.workspace_id == workspace_id,
            Event.dispatched_at.is_(None),
            Event.received_at <= func.clock_timestamp() - older_than,
        )
        .order_by(func.coalesce(Event.tried_at, Event.received_at), Event.received_at)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def undispatched_until(
    session: AsyncSession,
    workspace_id: UUID,
    workflow_id: UUID,
    patterns: Sequence[str],
    received_at: datetime,
    *,
    limit: int,
    after: Event | None = None,
    subject: str | None = None,
) -> Sequence[Event]:
    """Events of these types (exact, or with a trailing `*`) that were received by then and whose dispatch was not
    finished, earliest first; with `subject`, only those with this one. Without those that are for another workflow
    alone."""
    order = (Event.received_at, Event.source, Event.id)
    statement = select(Event).where(
        Event.workspace_id == workspace_id,
        Event.dispatched_at.is_(None),
        Event.received_at <= received_at,
        or_(Event.only_workflow.is_(None), Event.only_workflow == workflow_id),
        or_(*(_fits(pattern) for pattern in patterns)),
    )
    if subject is not None:
        statement = statement.where(Event.subject == subject)
    if after is not None:
        statement = statement.where(tuple_(*order) > tuple_(after.received_at, after.source, after.id))
    return (await session.scalars(statement.order_by(*order).limit(limit))).all()
