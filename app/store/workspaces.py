"""Queries about the workspace itself. Runs inside a transaction of that workspace."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Workspace


async def find(session: AsyncSession, workspace_id: UUID, *, lock: bool = False) -> Workspace | None:
    """The workspace's row; `lock` keeps others from changing it until the transaction ends."""
    statement = select(Workspace).where(Workspace.workspace_id == workspace_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def all_ids(session: AsyncSession) -> list[UUID]:
    """The ids of all workspaces: the only answer that crosses tenants, given by a function of the tables' owner."""
    return list(await session.scalars(select(func.workspace_ids())))


async def ids_after(session: AsyncSession, after: UUID | None, limit: int) -> list[UUID]:
    """The next of these ids, in their order; None begins with the first."""
    id_ = func.workspace_ids().column_valued("id")
    statement = select(id_).order_by(id_).limit(limit)
    return list(await session.scalars(statement if after is None else statement.where(id_ > after)))
