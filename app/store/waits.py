"""Queries about runs that wait for an event. How waits are opened and closed is `recording.py`,
how an event finds them `listening.py`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Event, Step, Wait


async def open_of(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Sequence[Wait]:
    """The run's open waits."""
    statement = select(Wait).where(Wait.workspace_id == workspace_id, Wait.run_id == run_id, Wait.closed_at.is_(None))
    return (await session.scalars(statement.order_by(Wait.path))).all()


async def takers(session: AsyncSession, event: Event, run_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Those of the runs in which a wait has taken the event already."""
    statement = select(Step.run_id).where(
        Step.workspace_id == event.workspace_id,
        Step.run_id.in_(run_ids),
        Step.wait.contains({"received": {"source": event.source, "id": event.id}}),
    )
    return (await session.scalars(statement.distinct())).all()
