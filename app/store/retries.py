"""Queries for running a run anew: the original, held fast meanwhile, and what is under way in its place already."""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run
from app.store.run_state import ENDED

_CHAIN = text(
    """
    WITH RECURSIVE chain AS (
        SELECT id, retry_of, once_key, started_at FROM runs WHERE workspace_id = :workspace_id AND id = :id
        UNION
        SELECT runs.id, runs.retry_of, runs.once_key, runs.started_at FROM chain
        JOIN runs ON runs.workspace_id = :workspace_id AND runs.id = chain.retry_of)
    SELECT bool_or(once_key IS NOT NULL OR started_at IS NOT NULL) FROM chain
    """
)
"""A run and all that it stands for."""


async def lock(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Run | None:
    """The run; others that would run it anew wait until the transaction ends."""
    statement = select(Run).where(Run.workspace_id == workspace_id, Run.id == run_id)
    return await session.scalar(statement.with_for_update())


async def unfinished(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Run | None:
    """A retry or redrive of the run that has not ended."""
    statement = select(Run).where(Run.workspace_id == workspace_id, Run.retry_of == run_id, Run.status.not_in(ENDED))
    return (await session.scalars(statement.order_by(Run.id).limit(1))).first()


async def counts_as_start(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> bool:
    """Whether the run, or one it was to stand for, began or has the key of `run_once_per`: neither is so of a start
    that was refused."""
    return bool(await session.scalar(_CHAIN, {"workspace_id": workspace_id, "id": run_id}))
