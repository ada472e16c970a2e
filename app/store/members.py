"""Queries about a workspace's members. Runs inside a transaction of that workspace."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import ApiKey, Member
from app.security.permissions import Role

SEEN_NOTED_EVERY = timedelta(minutes=5)


async def find(session: AsyncSession, workspace_id: UUID, member_id: UUID, *, lock: bool = False) -> Member | None:
    """The member."""
    statement = select(Member).where(Member.workspace_id == workspace_id, Member.id == member_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def of_subject(session: AsyncSession, workspace_id: UUID, subject: str) -> Member | None:
    """The member this subject is."""
    statement = select(Member).where(Member.workspace_id == workspace_id, Member.subject == subject)
    return await session.scalar(statement)


async def list_(
    session: AsyncSession, workspace_id: UUID, *, role: str | None, after: UUID | None, limit: int
) -> Sequence[Member]:
    """Members in the order they were added."""
    statement = select(Member).where(Member.workspace_id == workspace_id)
    if role is not None:
        statement = statement.where(Member.role == role)
    if after is not None:
        statement = statement.where(Member.id > after)
    return (await session.scalars(statement.order_by(Member.id).limit(limit))).all()


async def note_seen(session: AsyncSession, workspace_id: UUID, subject: str) -> None:
    """Remember that the member was here, once in a while: its row must not become a hot spot."""
    stale = or_(Member.last_seen_at.is_(None), Member.last_seen_at < func.now() - SEEN_NOTED_EVERY)
    await session.execute(
        update(Member)
        .where(Member.workspace_id == workspace_id, Member.subject == subject, stale)
        .values(last_seen_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def has_admin_member(session: AsyncSession, workspace_id: UUID, *, but: UUID | None) -> bool:
    """Whether a member, other than this one, is an administrator."""
    which = (Member.workspace_id == workspace_id) & (Member.role == Role.ADMIN.value)
    if but is not None:
        which &= Member.id != but
    return await session.scalar(select(Member.id).where(which).limit(1)) is not None


async def has_admin_key(session: AsyncSession, workspace_id: UUID, *, but: UUID | None) -> bool:
    """Whether a key, other than this one, opens the workspace to an administrator for good: not revoked, not narrowed
    and without an end."""
    which = (
        (ApiKey.workspace_id == workspace_id)
        & (ApiKey.role == Role.ADMIN.value)
        & ApiKey.revoked_at.is_(None)
        & ApiKey.scopes.is_(None)
        & ApiKey.expires_at.is_(None)
    )
    if but is not None:
        which &= ApiKey.id != but
    return await session.scalar(select(ApiKey.id).where(which).limit(1)) is not None
