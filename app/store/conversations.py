"""Queries about runs that are in conversation with a contact: the messages of that contact are for them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run

SKEW = timedelta(minutes=1)
"""Ends are told by the workers' clocks, events by the database's."""


async def claim(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, contact: str) -> UUID | None:
    """The workflow's run that is in conversation with the contact, if any. Until the transaction ends nobody else who
    claims it begins another one."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"holdfast conversation {workspace_id} {workflow_id} {contact}"},
    )
    statement = select(Run.id).where(
        Run.workspace_id == workspace_id,
        Run.workflow_id == workflow_id,
        Run.conversation == contact,
        Run.finished_at.is_(None),
    )
    return await session.scalar(statement.order_by(Run.id).limit(1))


async def since(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, contact: str, received_at: datetime
) -> Sequence[tuple[UUID, bool]]:
    """The workflow's runs in conversation with the contact that were under way then, about, or later: `(id, ended)`."""
    statement = select(Run.id, Run.finished_at.is_not(None)).where(
        Run.workspace_id == workspace_id,
        Run.workflow_id == workflow_id,
        Run.conversation == contact,
        or_(Run.finished_at.is_(None), Run.finished_at >= received_at - SKEW),
    )
    return [(row[0], row[1]) for row in (await session.execute(statement.order_by(Run.id))).all()]
