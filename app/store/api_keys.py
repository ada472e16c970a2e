"""Queries about API keys. Hashes only: the key itself is stored nowhere."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import ApiKey
from app.security.permissions import Role

USE_NOTED_EVERY = timedelta(minutes=1)


Status = Literal["active", "expired", "revoked"]

_EXPIRED = func.coalesce(ApiKey.expires_at <= func.now(), false())


async def with_prefix(session: AsyncSession, prefix: str) -> Sequence[ApiKey]:
    """Keys that begin so, or did before a rotation that left the old text some time; not revoked and not expired."""
    begins = or_(ApiKey.prefix == prefix, and_(ApiKey.previous_prefix == prefix, ApiKey.previous_until > func.now()))
    found = await session.scalars(select(ApiKey).where(begins, _is("active")))
    return found.all()


async def ever_with_prefix(session: AsyncSession, prefix: str) -> Sequence[ApiKey]:
    """Keys that begin or began so, whatever became of them."""
    begins = or_(ApiKey.prefix == prefix, ApiKey.previous_prefix == prefix)
    return (await session.scalars(select(ApiKey).where(begins))).all()


async def of_platform(
    session: AsyncSession, *, after: UUID | None = None, limit: int | None = None
) -> Sequence[ApiKey]:
    """The platform's own keys in the order they were made, within a transaction of no workspace."""
    statement = select(ApiKey).where(ApiKey.role == Role.PLATFORM.value).order_by(ApiKey.id).limit(limit)
    if after is not None:
        statement = statement.where(ApiKey.id > after)
    return (await session.scalars(statement)).all()


async def find(session: AsyncSession, workspace_id: UUID, key_id: UUID, *, lock: bool = False) -> ApiKey | None:
    """The key; `lock` keeps others from changing it until the transaction ends."""
    statement = select(ApiKey).where(ApiKey.workspace_id == workspace_id, ApiKey.id == key_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def list_(
    session: AsyncSession, workspace_id: UUID, *, status: Status | None, before: UUID | None, limit: int
) -> Sequence[ApiKey]:
    """The workspace's keys, those made last first, from before this one."""
    statement = select(ApiKey).where(ApiKey.workspace_id == workspace_id)
    if status is not None:
        statement = statement.where(_is(status))
    if before is not None:
        statement = statement.where(ApiKey.id < before)
    return (await session.scalars(statement.order_by(ApiKey.id.desc()).limit(limit))).all()


def _is(status: Status) -> ColumnElement[bool]:
    revoked = ApiKey.revoked_at.is_not(None)
    return {
        "active": and_(not_(revoked), not_(_EXPIRED)),
        "expired": and_(not_(revoked), _EXPIRED),
        "revoked": revoked,
    }[status]


async def note_use(session: AsyncSession, workspace_id: UUID, key_id: UUID) -> None:
    """Remember that the key was used, at most once a minute: its row must not become a hot spot."""
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - USE_NOTED_EVERY)
    await session.execute(
        update(ApiKey)
        .where(ApiKey.workspace_id == workspace_id, ApiKey.id == key_id, stale)
        .values(last_used_at=func.now())
        .execution_options(synchronize_session=False)
    )
