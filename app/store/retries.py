"""Queries for running a run anew: the original, held fast meanwhile, and what is under way in its place already."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run
from app.store.run_state import ENDED


async def lock(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Run | None:
    """The run; others that would run it anew wait until the transaction ends."""
    statement = select(Run).where(Run.workspace_id == workspace_id, Run.id == run_id)
    return await session.scalar(statement.with_for_update())


async def unfinished(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Run | None:
    """A retry or redrive of the run that has not ended."""
    statement = select(Run).where(Run.workspace_id == workspace_id, Run.retry_of == run_id, Run.status.not_in(ENDED))
    return (await session.scalars(statement.order_by(Run.id).limit(1))).first()
