"""Queries about tokens of OAuth 2 and authorizations under way. Secrets pass here as ciphertexts and digests."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Connection, OAuthAuthorization, OAuthToken

FIRST_REVISION = 1
"""Of a connection that never had tokens."""


@dataclass(frozen=True)
class Lifetimes:
    """For how long tokens are good from now on; None where nobody says."""

    access: timedelta | None
    refresh: timedelta | None


async def tokens(
    session: AsyncSession, workspace_id: UUID, connection_id: UUID
) -> tuple[Connection, OAuthToken | None, datetime] | None:
    """The connection with its tokens, and the database's time."""
    statement = (
        select(Connection, OAuthToken, func.now())
        .outerjoin(
            OAuthToken,
            and_(OAuthToken.workspace_id == Connection.workspace_id, OAuthToken.connection_id == Connection.id),
        )
        .where(Connection.workspace_id == workspace_id, Connection.id == connection_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


async def lease(
    session: AsyncSession, workspace_id: UUID, connection_id: UUID, *, revision: int, holder: str, length: timedelta
) -> bool:
    """Be the one who gets new tokens in place of those of this revision; False while somebody else is, or when they are
    others by now."""
    ids = {"workspace_id": workspace_id, "connection_id": connection_id}
    await session.execute(insert(OAuthToken).values(**ids).on_conflict_do_nothing())
    statement = (
        update(OAuthToken)
        .where(
            *_of(workspace_id, connection_id),
            OAuthToken.revision == revision,
            or_(OAuthToken.lease_until.is_(None), OAuthToken.lease_until <= func.now()),
        )
        .values(lease_holder=holder, lease_until=func.now() + length)
        .returning(OAuthToken.revision)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement) is not None


async def release(session: AsyncSession, workspace_id: UUID, connection_id: UUID, holder: str) -> None:
    """Let somebody else get new tokens."""
    await session.execute(
        update(OAuthToken)
        .where(*_of(workspace_id, connection_id), OAuthToken.lease_holder == holder)
        .values(lease_holder=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


async def keep(
    session: AsyncSession,
    workspace_id: UUID,
    connection_id: UUID,
    *,
    tokens: str | None,
    lives: Lifetimes,
    revision: int | None = None,
) -> bool:
    """Put tokens in place of those of this revision, or of whatever is there; False when they are others by now.

    `tokens` None takes them away. Whoever gets new ones just now will find that they are others.
    """
    values = {
        "tokens": tokens,
        "expires_at": None if lives.access is None else func.now() + lives.access,
        "refresh_expires_at": None if lives.refresh is None else func.now() + lives.refresh,
        "obtained_at": None if tokens is None else func.now(),
        "lease_holder": None,
        "lease_until": None,
    }
    ids = {"workspace_id": workspace_id, "connection_id": connection_id}
    statement = insert(OAuthToken).values(**ids, **values, revision=FIRST_REVISION + 1)
    upsert = statement.on_conflict_do_update(
        index_elements=list(ids),
        set_={**values, "revision": OAuthToken.revision + 1},
        where=None if revision is None else OAuthToken.revision == revision,
    )
    return await session.scalar(upsert.returning(OAuthToken.revision)) is not None


async def forget_late(session: AsyncSession, workspace_id: UUID) -> None:
    """Delete authorizations that nobody finished in time."""
    await session.execute(
        delete(OAuthAuthorization)
        .where(OAuthAuthorization.workspace_id == workspace_id, OAuthAuthorization.expires_at <= func.now())
        .execution_options(synchronize_session=False)
    )


async def forget_authorizations(session: AsyncSession, workspace_id: UUID, connection_id: UUID) -> None:
    """Delete those of a connection."""
    await session.execute(
        delete(OAuthAuthorization)
        .where(OAuthAuthorization.workspace_id == workspace_id, OAuthAuthorization.connection_id == connection_id)
        .execution_options(synchronize_session=False)
    )


async def asked(
    session: AsyncSession, workspace_id: UUID, ticket_hash: str, *, lock: bool = False
) -> tuple[OAuthAuthorization, Connection] | None:
    """The authorization a ticket is of, while there is time, and its connection."""
    statement = _with_connection().where(
        OAuthAuthorization.workspace_id == workspace_id,
        OAuthAuthorization.ticket_hash == ticket_hash,
        OAuthAuthorization.expires_at > func.now(),
    )
    if lock:
        statement = statement.with_for_update(of=OAuthAuthorization)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def taken(
    session: AsyncSession, workspace_id: UUID, state_hash: str, browser_hash: str
) -> tuple[OAuthAuthorization, Connection] | None:
    """The same by state and browser; it is there for one caller, and never again."""
    statement = (
        _with_connection()
        .where(
            OAuthAuthorization.workspace_id == workspace_id,
            OAuthAuthorization.state_hash == state_hash,
            OAuthAuthorization.browser_hash == browser_hash,
            OAuthAuthorization.expires_at > func.now(),
        )
        .with_for_update(of=OAuthAuthorization)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    authorization, connection = row[0], row[1]
    await session.delete(authorization)
    return authorization, connection


def _with_connection() -> Select[OAuthAuthorization, Connection]:
    return select(OAuthAuthorization, Connection).join(
        Connection,
        and_(
            Connection.workspace_id == OAuthAuthorization.workspace_id,
            Connection.id == OAuthAuthorization.connection_id,
        ),
    )


def _of(workspace_id: UUID, connection_id: UUID) -> list[ColumnElement[bool]]:
    return [OAuthToken.workspace_id == workspace_id, OAuthToken.connection_id == connection_id]
