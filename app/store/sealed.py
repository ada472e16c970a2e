"""Queries about values that the key ring encrypts, whatever they are. A ciphertext passes here as it is.

Every column that holds such a value stands in `SEALED`; one that is left out would lose its key in a rotation.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, inspect, literal, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.models import Connection, MessageAddress, OAuthAuthorization, OAuthToken, PayloadKey, Variable, Webhook

Sealed = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
Place = tuple[UUID, ...]
"""The rest of a row's primary key after the workspace: ids."""

SEALED: tuple[Sealed, ...] = (
    Connection.credentials,
    OAuthToken.tokens,
    OAuthAuthorization.verifier,
    Webhook.secrets,
    MessageAddress.token,
    Variable.secret,
    PayloadKey.wrapped,
)


def name_of(column: Sealed) -> str:
    """`table.column`."""
    return f"{column.class_.__tablename__}.{column.key}"


async def by_key(session: AsyncSession, workspace_id: UUID, column: Sealed) -> dict[str, int]:
    """How many of the workspace's values name which key; "" are those that name none."""
    # A token has no dot: what stands before the last one is the id, or nothing.
    key_id = func.split_part(func.concat(".", column), ".", -2).label("key_id")
    statement = select(key_id, func.count()).where(_of(column, workspace_id)).group_by(text("key_id"))
    return {row[0]: row[1] for row in await session.execute(statement)}


async def behind(
    session: AsyncSession, workspace_id: UUID, column: Sealed, key_id: str, *, after: Place | None, limit: int
) -> Sequence[tuple[Place, str]]:
    """The next values in the order of their rows that do not name this key."""
    keys = _rest_of_key(column)
    statement = select(*keys, column).where(_of(column, workspace_id), ~column.startswith(f"{key_id}."))
    if after is not None:
        statement = statement.where(tuple_(*keys) > tuple_(*(literal(one) for one in after)))
    return [(tuple(row[:-1]), row[-1]) for row in await session.execute(statement.order_by(*keys).limit(limit))]


async def replace(
    session: AsyncSession, workspace_id: UUID, column: Sealed, place: Place, *, before: str, after: str
) -> bool:
    """Put one ciphertext in place of another; False when somebody wrote a new one meanwhile, which stays."""
    here = [key == one for key, one in zip(_rest_of_key(column), place, strict=True)]
    statement = (
        update(column.class_)
        .where(_of(column, workspace_id), *here, column == before)
        .values({column.key: after})
        .returning(*_rest_of_key(column))
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).first() is not None


def _of(column: Sealed, workspace_id: UUID) -> ColumnElement[bool]:
    return and_(column.class_.workspace_id == workspace_id, column.is_not(None))


def _rest_of_key(column: Sealed) -> list[ColumnElement[Any]]:
    return [key for key in inspect(column.class_).primary_key if key.name != "workspace_id"]
