"""Queries about the keys of payloads. The keys pass here wrapped; what opens them is not known."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Statement
from app.db.models import PayloadKey, Run

_HELD = """
    SELECT id, wrapped, retired_at IS NULL FROM payload_keys WHERE workspace_id = %(workspace_id)s ORDER BY id DESC
"""


def held(workspace_id: UUID) -> Statement:
    """Rows `(id, wrapped, active)` of all keys of the workspace, newest first; `wrapped` is null for a deleted one."""
    return Statement(_HELD, {"workspace_id": workspace_id})


async def list_(session: AsyncSession, workspace_id: UUID, *, lock: bool = False) -> Sequence[PayloadKey]:
    """All keys, newest first; `lock` keeps others from changing them until the transaction ends."""
    statement = select(PayloadKey).where(PayloadKey.workspace_id == workspace_id).order_by(PayloadKey.id.desc())
    return (await session.scalars(statement.with_for_update() if lock else statement)).all()


async def now(session: AsyncSession) -> datetime:
    """The moment of the transaction, by the database's clock as all others in the table."""
    moment: datetime = (await session.scalars(select(func.now()))).one()
    return moment


async def runs_under_way(session: AsyncSession, key: PayloadKey, *, lag: timedelta, most: int) -> int:
    """How many runs are under way that the key may have encrypted something of, `most` at most."""
    unended = select(Run.id).where(Run.workspace_id == key.workspace_id, Run.finished_at.is_(None))
    if key.retired_at is not None:
        unended = unended.where(Run.created_at < key.retired_at + lag)
    return await session.scalar(select(func.count()).select_from(unended.limit(most).subquery())) or 0
