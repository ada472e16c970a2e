"""Queries about deliveries. Those of the door are plain SQL: they are sent for every request there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Select, and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.db.engine import Statement
from app.db.models import Delivery, Event
from app.json import JsonObject

_COLUMNS: LiteralString = """
    workspace_id, id, webhook_id, method, query, headers, content_type, remote_address, body, size,
    problem, reason, event_source, event_id, replay_of, answer_status, duration_ms, status
"""
_VALUES: LiteralString = """
    %(workspace_id)s, %(id)s, hook.id, %(method)s, %(query)s, %(headers)s, %(content_type)s, %(remote_address)s,
    %(body)s::bytea, %(size)s, %(problem)s, %(reason)s, %(event_source)s, %(event_id)s, %(replay_of)s::uuid,
    %(answer_status)s::integer, %(duration_ms)s::integer
"""

# Taken only while what it was judged by is still so; else nothing is written and the caller looks again.
_TAKE = f"""
    WITH hook AS (
        SELECT webhooks.id FROM webhooks
        JOIN workflows ON workflows.workspace_id = webhooks.workspace_id AND workflows.id = workflow_id
        WHERE webhooks.workspace_id = %(workspace_id)s AND webhooks.id = %(webhook_id)s
          AND enabled AND webhooks.revision = %(revision)s
          AND workflows.status = 'active' AND active_version = %(version)s
    ), event AS (
        INSERT INTO events (workspace_id, source, id, type, time, data, extensions)
        SELECT %(workspace_id)s, %(event_source)s, %(event_id)s, %(event_type)s, %(time)s, %(data)s, %(extensions)s
        FROM hook ON CONFLICT DO NOTHING RETURNING 1
    ), delivery AS (
        INSERT INTO deliveries ({_COLUMNS})
        SELECT {_VALUES}, CASE WHEN EXISTS (SELECT FROM event) THEN 'accepted' ELSE 'duplicate' END FROM hook
        RETURNING status
    )
    SELECT status, (
        SELECT started FROM events
        WHERE workspace_id = %(workspace_id)s AND source = %(event_source)s AND id = %(event_id)s)
    FROM delivery
"""  # noqa: S608  (fragments of this module, never values)

_ADD = f"""
    WITH hook AS (SELECT id FROM webhooks WHERE workspace_id = %(workspace_id)s AND id = %(webhook_id)s)
    INSERT INTO deliveries ({_COLUMNS}) SELECT {_VALUES}, %(status)s FROM hook RETURNING status, NULL::text[]
"""  # noqa: S608

_ANSWERED: LiteralString = """
    UPDATE deliveries SET answer_status = %(status)s, duration_ms = %(duration_ms)s
    WHERE workspace_id = %(workspace_id)s AND id = %(id)s
"""

_DELETE_OF: LiteralString = """
    DELETE FROM deliveries WHERE workspace_id = %(workspace_id)s AND id IN (
        SELECT id FROM deliveries WHERE workspace_id = %(workspace_id)s AND webhook_id = %(webhook_id)s LIMIT %(limit)s)
    RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """What a delivery was judged by, which must still be so when it is kept."""

    revision: int
    version: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries; None = any."""

    status: str | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None


def take(delivery: Delivery, event: JsonObject, guard: Guard) -> Statement:
    """Keep a delivery with its event, an envelope whose `time` is a moment.

    Gives `(status, started)`: `duplicate` where the event was there before, with the runs it started as far as they are
    known; no row where the webhook or its workflow is not as `guard` says.
    """
    parameters = {
        **_parameters(delivery),
        "revision": guard.revision,
        "version": guard.version,
        "event_type": event["type"],
        "time": event["time"],
        "data": Jsonb(event["data"]),
        "extensions": Jsonb(event["extensions"]),
    }
    return Statement(_TAKE, parameters)


def add(delivery: Delivery) -> Statement:
    """Keep a delivery that does nothing. Gives `(status, null)`, or no row when the webhook is gone."""
    return Statement(_ADD, {**_parameters(delivery), "status": delivery.status})


def answered(workspace_id: UUID, delivery_id: UUID, *, status: int, duration_ms: int) -> Statement:
    """Note with which HTTP status it was answered, and when."""
    parameters = {"workspace_id": workspace_id, "id": delivery_id, "status": status, "duration_ms": duration_ms}
    return Statement(_ANSWERED, parameters)


def delete_of(workspace_id: UUID, webhook_id: UUID, limit: int) -> Statement:
    """Delete deliveries of a webhook; one row for each."""
    return Statement(_DELETE_OF, {"workspace_id": workspace_id, "webhook_id": webhook_id, "limit": limit})


async def list_(
    session: AsyncSession, workspace_id: UUID, webhook_id: UUID, wanted: Filter, *, before: UUID | None, limit: int
) -> Sequence[tuple[Delivery, list[str]]]:
    """Deliveries of a webhook without their bodies, newest first, each with the runs its event started."""
    statement = _with_started(workspace_id).where(Delivery.webhook_id == webhook_id).options(defer(Delivery.body))
    if wanted.status is not None:
        statement = statement.where(Delivery.status == wanted.status)
    if wanted.received_after is not None:
        statement = statement.where(Delivery.received_at >= wanted.received_after)
    if wanted.received_before is not None:
        statement = statement.where(Delivery.received_at < wanted.received_before)
    if before is not None:
        statement = statement.where(Delivery.id < before)
    found = await session.execute(statement.order_by(Delivery.id.desc()).limit(limit))
    return [(row[0], row[1] or []) for row in found]


async def find(session: AsyncSession, workspace_id: UUID, delivery_id: UUID) -> tuple[Delivery, list[str]] | None:
    """A delivery with the runs its event started."""
    found = (await session.execute(_with_started(workspace_id).where(Delivery.id == delivery_id))).first()
    return None if found is None else (found[0], found[1] or [])


def _with_started(workspace_id: UUID) -> Select[Delivery, list[str]]:
    of_event = and_(
        Event.workspace_id == Delivery.workspace_id,
        Event.source == Delivery.event_source,
        Event.id == Delivery.event_id,
    )
    return select(Delivery, Event.started).outerjoin(Event, of_event).where(Delivery.workspace_id == workspace_id)


def _parameters(delivery: Delivery) -> JsonObject:
    return {
        "workspace_id": delivery.workspace_id,
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "method": delivery.method,
        "query": delivery.query,
        "headers": Jsonb(delivery.headers),
        "content_type": delivery.content_type,
        "remote_address": delivery.remote_address,
        "body": delivery.body,
        "size": delivery.size,
        "problem": delivery.problem,
        "reason": delivery.reason,
        "event_source": delivery.event_source,
        "event_id": delivery.event_id,
        "replay_of": delivery.replay_of,
        "answer_status": delivery.answer_status,
        "duration_ms": delivery.duration_ms,
    }
