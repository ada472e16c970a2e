"""Queries about runs that steps of other runs started, and about what has to be settled between them.

A child is settled when the step that waits for it was told of its end, or when it was told to end because its parent
has: `parent_waits` says that this is still to come.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Statement
from app.db.models import Run

_ORPHAN = """
    UPDATE runs SET orphaned = true
    WHERE workspace_id = %(workspace_id)s AND parent_run_id = %(run_id)s AND parent_waits AND finished_at IS NULL
      AND EXISTS (
        SELECT FROM runs AS parent
        WHERE parent.workspace_id = %(workspace_id)s AND parent.id = %(run_id)s AND parent.finished_at IS NOT NULL)
"""


def orphan(workspace_id: UUID, run_id: UUID) -> Statement:
    """If the run has ended, the children it waited for are to be cancelled.

    To be sent after the statement that ends the run, in the same transaction: a child that is being started meanwhile
    holds its parent's row, so that this sees it.
    """
    return Statement(_ORPHAN, {"workspace_id": workspace_id, "run_id": run_id})


async def parent(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Run | None:
    """The run that starts a child. It does not end until the transaction does."""
    statement = select(Run).where(Run.workspace_id == workspace_id, Run.id == run_id)
    return await session.scalar(statement.with_for_update(read=True))


async def with_key(session: AsyncSession, workspace_id: UUID, parent_run_id: UUID, key: str) -> Run | None:
    """The run that a step of the parent started under this key."""
    statement = select(Run).where(
        Run.workspace_id == workspace_id, Run.parent_run_id == parent_run_id, Run.idempotency_key == key
    )
    return await session.scalar(statement)


async def unsettled(session: AsyncSession, workspace_id: UUID, *, limit: int) -> Sequence[Run]:
    """Children that have ended untold, or whose parents have; oldest first."""
    statement = select(Run).where(Run.workspace_id == workspace_id, _UNSETTLED).order_by(Run.id).limit(limit)
    return (await session.scalars(statement)).all()


async def unsettled_by(session: AsyncSession, workspace_id: UUID, run_id: UUID, *, limit: int) -> Sequence[Run]:
    """What the end of this run leaves to be settled: itself as a child, and its own children."""
    own = or_(Run.id == run_id, Run.parent_run_id == run_id)
    statement = select(Run).where(Run.workspace_id == workspace_id, own, _UNSETTLED)
    # Its own parent first, however many children there are: somebody waits for that.
    statement = statement.order_by((Run.id == run_id).desc(), Run.id).limit(limit)
    return (await session.scalars(statement)).all()


async def settle(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> None:
    """Nothing is left to be settled between the child and its parent."""
    statement = update(Run).where(Run.workspace_id == workspace_id, Run.id == run_id)
    await session.execute(statement.values(parent_waits=False, orphaned=False))


async def unsettle(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> None:
    """The parent is to be told of the child's end, whether it was before or not."""
    statement = update(Run).where(Run.workspace_id == workspace_id, Run.id == run_id)
    await session.execute(statement.values(parent_waits=True))


_UNSETTLED = and_(Run.parent_waits, or_(Run.orphaned, Run.finished_at.is_not(None)))
