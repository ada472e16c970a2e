"""Queries about connections. Credentials pass here as the ciphertext they are."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Connection

USE_NOTED_EVERY = timedelta(minutes=1)
AWAITING = ("expired", "revoked")
"""Statuses of connections that somebody has to authorize again."""


async def find(
    session: AsyncSession, workspace_id: UUID, connection_id: UUID, *, lock: bool = False
) -> Connection | None:
    """The connection; `lock` keeps others from changing it until the transaction ends."""
    statement = select(Connection).where(Connection.workspace_id == workspace_id, Connection.id == connection_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def named(session: AsyncSession, workspace_id: UUID, name: str) -> Connection | None:
    """The connection of this name."""
    statement = select(Connection).where(Connection.workspace_id == workspace_id, Connection.name == name)
    return await session.scalar(statement)


async def kinds(session: AsyncSession, workspace_id: UUID) -> dict[str, str]:
    """All connections: name to kind."""
    found = await session.execute(
        select(Connection.name, Connection.kind).where(Connection.workspace_id == workspace_id)
    )
    return {row.name: row.kind for row in found}


async def list_(
    session: AsyncSession, workspace_id: UUID, *, kind: str | None, status: str | None, after: str | None, limit: int
) -> Sequence[Connection]:
    """Connections by name, after the one of this name."""
    statement = select(Connection).where(Connection.workspace_id == workspace_id)
    if kind is not None:
        statement = statement.where(Connection.kind == kind)
    if status is not None:
        statement = statement.where(Connection.status == status)
    if after is not None:
        statement = statement.where(Connection.name > after)
    return (await session.scalars(statement.order_by(Connection.name).limit(limit))).all()


async def note_use(session: AsyncSession, workspace_id: UUID, name: str, *, error: str | None) -> None:
    """Remember how its last use ended; the same again at most once a minute: its row must not become a hot spot.

    One that has to be authorized again stays so until a use ends well: failing for it says nothing new.
    """
    worth_it = or_(
        Connection.last_used_at.is_(None),
        Connection.last_used_at < func.now() - USE_NOTED_EVERY,
        Connection.last_error.is_distinct_from(error),
    )
    status = (
        literal("active")
        if error is None
        else case((Connection.status.in_(AWAITING), Connection.status), else_="error")
    )
    await session.execute(
        update(Connection)
        .where(Connection.workspace_id == workspace_id, Connection.name == name, worth_it)
        .values(last_used_at=func.now(), last_error=error, **_becoming(status))
        .execution_options(synchronize_session=False)
    )


async def set_status(
    session: AsyncSession, workspace_id: UUID, connection_id: UUID, *, status: str, error: str | None
) -> None:
    """Say how it is, and why."""
    await session.execute(
        update(Connection)
        .where(Connection.workspace_id == workspace_id, Connection.id == connection_id)
        .values(last_error=error, **_becoming(literal(status)))
        .execution_options(synchronize_session=False)
    )


def _becoming(status: ColumnElement[str]) -> dict[str, ColumnElement[Any]]:
    since = case((Connection.status == status, Connection.status_changed_at), else_=func.now())
    return {"status": status, "status_changed_at": since}
