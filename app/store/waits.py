"""Queries about runs that wait for an event. How waits are opened and closed is `recording.py`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Text, any_, literal, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Event, Step, Wait
from app.store.events import patterns_of

# From each of the fields to the next one in the index: there are few, however many wait.
_FIELDS_IN_USE = text(
    """
    WITH RECURSIVE used (event, fields) AS (
        SELECT pattern, (
            SELECT key_fields FROM waits
            WHERE workspace_id = :workspace_id AND event = pattern AND closed_at IS NULL AND key_fields IS NOT NULL
            ORDER BY key_fields LIMIT 1)
        FROM unnest(CAST(:patterns AS text[])) AS pattern
        UNION ALL
        SELECT used.event, (
            SELECT key_fields FROM waits
            WHERE workspace_id = :workspace_id AND event = used.event AND closed_at IS NULL
              AND key_fields > used.fields
            ORDER BY key_fields LIMIT 1)
        FROM used WHERE used.fields IS NOT NULL)
    SELECT DISTINCT fields FROM used WHERE fields IS NOT NULL
    """
)


async def open_of(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Sequence[Wait]:
    """The run's open waits."""
    statement = select(Wait).where(Wait.workspace_id == workspace_id, Wait.run_id == run_id, Wait.closed_at.is_(None))
    return (await session.scalars(statement.order_by(Wait.path))).all()


async def key_fields_for(session: AsyncSession, workspace_id: UUID, event_type: str) -> Sequence[str]:
    """The fields in which open waits for this type have their keys, each once."""
    parameters = {"workspace_id": workspace_id, "patterns": patterns_of(event_type)}
    return (await session.scalars(_FIELDS_IN_USE, parameters)).all()


async def open_for(
    session: AsyncSession,
    workspace_id: UUID,
    event_type: str,
    received_at: datetime,
    *,
    fields: Sequence[str],
    digests: Sequence[int],
) -> Sequence[Wait]:
    """Open waits that events of this type, received then, may end: those with one of these keys, those without a key.

    Whether their `match` holds is left to the caller. `received_at` may precede a wait's `since` by whatever the caller
    allows for.
    """
    of_type = select(Wait).where(
        Wait.workspace_id == workspace_id,
        Wait.closed_at.is_(None),
        Wait.event.in_(patterns_of(event_type)),
        Wait.since <= received_at,
    )
    keyed = of_type.where(
        Wait.key_fields == any_(literal(list(fields), ARRAY(Text))),
        Wait.key_digest == any_(literal(list(digests), ARRAY(BigInteger))),
    )
    # Each half by the index; an `or` of both may be a scan of all that wait.
    both = union_all(of_type.where(Wait.key_fields.is_(None)), keyed)
    found = await session.scalars(select(Wait).from_statement(both))
    return sorted(found, key=lambda wait: (wait.run_id, wait.path))


async def takers(session: AsyncSession, event: Event, run_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Those of the runs in which a wait has taken the event already."""
    statement = select(Step.run_id).where(
        Step.workspace_id == event.workspace_id,
        Step.run_id.in_(run_ids),
        Step.wait.contains({"received": {"source": event.source, "id": event.id}}),
    )
    return (await session.scalars(statement.distinct())).all()
