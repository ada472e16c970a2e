"""Queries about API keys. Hashes only: the key itself is stored nowhere."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import ApiKey
from app.security.permissions import Role

USE_NOTED_EVERY = timedelta(minutes=1)


async def with_prefix(session: AsyncSession, prefix: str) -> Sequence[ApiKey]:
    """Keys that begin so, were not revoked and have not expired."""
    in_time = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    found = await session.scalars(select(ApiKey).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None), in_time))
    return found.all()


async def of_platform(
    session: AsyncSession, *, after: UUID | None = None, limit: int | None = None
) -> Sequence[ApiKey]:
    """The platform's own keys in the order they were made, within a transaction of no workspace."""
    statement = select(ApiKey).where(ApiKey.role == Role.PLATFORM.value).order_by(ApiKey.id).limit(limit)
    if after is not None:
        statement = statement.where(ApiKey.id > after)
    return (await session.scalars(statement)).all()


async def note_use(session: AsyncSession, workspace_id: UUID, key_id: UUID) -> None:
    """Remember that the key was used, at most once a minute: its row must not become a hot spot."""
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - USE_NOTED_EVERY)
    await session.execute(
        update(ApiKey)
        .where(ApiKey.workspace_id == workspace_id, ApiKey.id == key_id, stale)
        .values(last_used_at=func.now())
        .execution_options(synchronize_session=False)
    )
