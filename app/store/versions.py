"""Queries about published versions. They are added and read, never changed."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Version


async def find(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, number: int) -> Version | None:
    """The version of this number."""
    statement = select(Version).where(
        Version.workspace_id == workspace_id, Version.workflow_id == workflow_id, Version.number == number
    )
    return await session.scalar(statement)


async def list_(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, *, before: int | None, limit: int
) -> Sequence[Version]:
    """Versions of a workflow, newest first, of lower numbers than `before`."""
    statement = select(Version).where(Version.workspace_id == workspace_id, Version.workflow_id == workflow_id)
    if before is not None:
        statement = statement.where(Version.number < before)
    return (await session.scalars(statement.order_by(Version.number.desc()).limit(limit))).all()
