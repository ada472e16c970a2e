"""Queries about a workspace's variables. Secret values pass here as the ciphertext they are."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Statement
from app.db.models import Variable
from app.json import JsonObject

_SECRETS = """
    SELECT name, secret FROM variables
    WHERE workspace_id = %(workspace_id)s AND name = ANY(%(names)s) AND is_secret
"""


def secrets(workspace_id: UUID, names: Collection[str]) -> Statement:
    """Rows `(name, secret)` of those secret variables of these names that there are."""
    return Statement(_SECRETS, {"workspace_id": workspace_id, "names": sorted(names)})


async def find(session: AsyncSession, workspace_id: UUID, name: str, *, lock: bool = False) -> Variable | None:
    """The variable; `lock` keeps others from changing it until the transaction ends."""
    statement = select(Variable).where(Variable.workspace_id == workspace_id, Variable.name == name)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def list_(session: AsyncSession, workspace_id: UUID, *, after: str | None, limit: int) -> Sequence[Variable]:
    """Variables by name, after the one of this name."""
    statement = select(Variable).where(Variable.workspace_id == workspace_id)
    if after is not None:
        statement = statement.where(Variable.name > after)
    return (await session.scalars(statement.order_by(Variable.name).limit(limit))).all()


async def kinds(session: AsyncSession, workspace_id: UUID) -> dict[str, bool]:
    """All variables, and whether each is secret."""
    found = await session.execute(
        select(Variable.name, Variable.is_secret).where(Variable.workspace_id == workspace_id)
    )
    return {row.name: row.is_secret for row in found}


async def plain(session: AsyncSession, workspace_id: UUID, names: Collection[str]) -> JsonObject:
    """The values of those plain variables of these names that there are."""
    found = await session.execute(
        select(Variable.name, Variable.value).where(
            Variable.workspace_id == workspace_id, Variable.name.in_(names), Variable.is_secret.is_(False)
        )
    )
    return {row.name: row.value for row in found}
