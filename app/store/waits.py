"""Queries about runs that wait for an event. How waits are opened and closed is `recording.py`,
how an event finds them `listening.py`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Event, Run, Step, Wait


async def open_of(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Sequence[Wait]:
    """The run's open waits."""
    statement = select(Wait).where(Wait.workspace_id == workspace_id, Wait.run_id == run_id, Wait.closed_at.is_(None))
    return (await session.scalars(statement.order_by(Wait.path))).all()


async def is_told(session: AsyncSession, event: Event, run_id: UUID, path: str) -> bool:
    """Whether the run is in conversation with whom the event is from, and a wait but the one at this path has taken it.

    What that wait took itself it takes again when its registration is repeated.
    """
    if event.subject is None:
        return False
    statement = (
        select(Step.path)
        .join(Run, (Run.workspace_id == Step.workspace_id) & (Run.id == Step.run_id))
        .where(_took(event), Step.run_id == run_id, Step.path != path, Run.conversation == event.subject)
    )
    return await session.scalar(statement.limit(1)) is not None


async def takers(session: AsyncSession, event: Event, run_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Those of the runs in which a wait has taken the event already."""
    statement = select(Step.run_id).where(_took(event), Step.run_id.in_(run_ids))
    return (await session.scalars(statement.distinct())).all()


def _took(event: Event) -> ColumnElement[bool]:
    received = {"received": {"source": event.source, "id": event.id}}
    return and_(Step.workspace_id == event.workspace_id, Step.wait.contains(received))
