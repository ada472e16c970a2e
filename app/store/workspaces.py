"""Queries about the workspace itself. Runs inside a transaction of that workspace."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Workspace


async def find(session: AsyncSession, workspace_id: UUID, *, lock: bool = False) -> Workspace | None:
    """The workspace's row; `lock` keeps others from changing it until the transaction ends, not from adding to it."""
    statement = select(Workspace).where(Workspace.workspace_id == workspace_id)
    return await session.scalar(statement.with_for_update(key_share=True) if lock else statement)
