"""Queries about runs that wait for an event. How waits are opened and closed is `recording.py`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Event, Step, Wait
from app.store.events import patterns_of


async def open_of(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Sequence[Wait]:
    """The run's open waits."""
    statement = select(Wait).where(Wait.workspace_id == workspace_id, Wait.run_id == run_id, Wait.closed_at.is_(None))
    return (await session.scalars(statement.order_by(Wait.path))).all()


async def open_for(session: AsyncSession, workspace_id: UUID, event_type: str, received_at: datetime) -> Sequence[Wait]:
    """Open waits an event of this type, received then, may end; whether their `match` holds is left to the caller.

    `received_at` may precede a wait's `since` by whatever the caller allows for.
    """
    statement = select(Wait).where(
        Wait.workspace_id == workspace_id,
        Wait.closed_at.is_(None),
        Wait.event.in_(patterns_of(event_type)),
        Wait.since <= received_at,
    )
    return (await session.scalars(statement.order_by(Wait.run_id, Wait.path))).all()


async def takers(session: AsyncSession, event: Event, run_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Those of the runs in which a wait has taken the event already."""
    statement = select(Step.run_id).where(
        Step.workspace_id == event.workspace_id,
        Step.run_id.in_(run_ids),
        Step.wait.contains({"received": {"source": event.source, "id": event.id}}),
    )
    return (await session.scalars(statement.distinct())).all()
