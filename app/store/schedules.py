"""Queries about schedules, and about the runs they start."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run, Schedule

THERE = Schedule.deleted_at.is_(None)
BEHIND = or_(Schedule.synced.is_distinct_from(Schedule.revision), Schedule.deleted_at.is_not(None))


async def find(session: AsyncSession, workspace_id: UUID, schedule_id: UUID, *, lock: bool = False) -> Schedule | None:
    """The schedule, one that is to be deleted as well."""
    statement = select(Schedule).where(Schedule.workspace_id == workspace_id, Schedule.id == schedule_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def list_(
    session: AsyncSession,
    workspace_id: UUID,
    *,
    workflow_id: UUID | None,
    paused: bool | None,
    after: UUID | None,
    limit: int,
) -> Sequence[Schedule]:
    """Schedules in the order they were made. A workflow that is not active pauses its schedules, too."""
    statement = select(Schedule).where(Schedule.workspace_id == workspace_id, THERE)
    if workflow_id is not None:
        statement = statement.where(Schedule.workflow_id == workflow_id)
    if paused is not None:
        runs = Schedule.live & (Schedule.status == "active") & Schedule.paused_in_temporal.is_(None)
        statement = statement.where(~runs if paused else runs)
    if after is not None:
        statement = statement.where(Schedule.id > after)
    return (await session.scalars(statement.order_by(Schedule.id).limit(limit))).all()


async def of_workflow(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, *, lock: bool = False
) -> Sequence[Schedule]:
    """The workflow's schedules in the order of their triggers."""
    statement = select(Schedule).where(
        Schedule.workspace_id == workspace_id, Schedule.workflow_id == workflow_id, THERE
    )
    statement = statement.order_by(Schedule.position, Schedule.id)
    return (await session.scalars(statement.with_for_update() if lock else statement)).all()


async def behind(session: AsyncSession, workspace_id: UUID, workflow_id: UUID) -> Sequence[UUID]:
    """Those of the workflow that Temporal does not have as they should be."""
    statement = select(Schedule.id).where(
        Schedule.workspace_id == workspace_id, Schedule.workflow_id == workflow_id, BEHIND
    )
    return (await session.scalars(statement.order_by(Schedule.position))).all()


async def take_due(
    session: AsyncSession, workspace_id: UUID, *, behind_for: timedelta, check_after: timedelta, limit: int
) -> Sequence[UUID]:
    """Those that are behind for so long, and those unchecked for so long; they count as checked from now on.

    Stamped before Temporal is asked: one that cannot be asked about must not stand in the way of the others.
    """
    late = BEHIND & (Schedule.updated_at < func.now() - behind_for)
    late &= or_(Schedule.checked_at.is_(None), Schedule.checked_at < func.now() - behind_for)
    due = or_(late, Schedule.checked_at < func.now() - check_after)
    chosen = (
        select(Schedule.id)
        .where(Schedule.workspace_id == workspace_id, due)
        .order_by(Schedule.checked_at.nulls_first())
        .limit(limit)
    )
    return await _change(session, workspace_id, Schedule.id.in_(chosen), checked_at=func.now())


async def note_synced(
    session: AsyncSession, workspace_id: UUID, schedule_id: UUID, revision: int, *, paused_in_temporal: str | None
) -> bool:
    """Temporal has the schedule as of this revision; False when it was changed meanwhile, or is to be deleted."""
    which = (Schedule.id == schedule_id) & (Schedule.revision == revision) & THERE
    values = {"synced": revision, "sync_error": None, "paused_in_temporal": paused_in_temporal}
    return bool(await _change(session, workspace_id, which, **values, checked_at=func.now()))


async def note_sync_error(session: AsyncSession, workspace_id: UUID, schedule_id: UUID, error: str) -> None:
    """Temporal does not have the schedule as it should be."""
    await _change(session, workspace_id, Schedule.id == schedule_id, sync_error=error)


async def rename(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, name: str) -> None:
    """The workflow has another name, which Temporal shows."""
    which = (Schedule.workflow_id == workflow_id) & (Schedule.workflow_name != name) & THERE
    await _change(
        session, workspace_id, which, workflow_name=name, revision=Schedule.revision + 1, updated_at=func.now()
    )


async def retire(session: AsyncSession, workspace_id: UUID, workflow_id: UUID) -> None:
    """The workflow's schedules are to be deleted."""
    which = (Schedule.workflow_id == workflow_id) & THERE
    await _change(session, workspace_id, which, deleted_at=func.now(), updated_at=func.now())


async def remove(session: AsyncSession, workspace_id: UUID, schedule_id: UUID) -> None:
    """Temporal has the schedule no more, which was to be deleted."""
    which = (Schedule.workspace_id == workspace_id) & (Schedule.id == schedule_id)
    await session.execute(delete(Schedule).where(which, Schedule.deleted_at.is_not(None)))


async def take_end(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> bool:
    """Whether nobody has yet counted the end of this run; from now on it is."""
    statement = update(Run).where(Run.workspace_id == workspace_id, Run.id == run_id, Run.told_workflow.is_not(None))
    return (await session.execute(statement.values(told_workflow=None).returning(Run.id))).first() is not None


async def take_untold(
    session: AsyncSession, workspace_id: UUID, *, ended_for: timedelta, again_after: timedelta, limit: int
) -> Sequence[Run]:
    """Runs that have ended while their schedules do not know it; they count as told from now on."""
    chosen = (
        select(Run.id)
        .where(
            Run.workspace_id == workspace_id,
            Run.told_workflow.is_not(None),
            Run.finished_at < func.now() - ended_for,
            or_(Run.told_at.is_(None), Run.told_at < func.now() - again_after),
        )
        .order_by(Run.id)
        .limit(limit)
    )
    statement = update(Run).where(Run.workspace_id == workspace_id, Run.id.in_(chosen)).values(told_at=func.now())
    return (await session.scalars(statement.returning(Run))).all()


async def running(session: AsyncSession, workspace_id: UUID, schedule_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many runs of each of these schedules have not ended."""
    statement = (
        select(Run.schedule_id, func.count())
        .where(Run.workspace_id == workspace_id, Run.schedule_id.in_(schedule_ids), Run.finished_at.is_(None))
        .group_by(Run.schedule_id)
    )
    return {id: count for id, count in (await session.execute(statement)).all() if id is not None}


async def statuses(session: AsyncSession, workspace_id: UUID, run_ids: Sequence[UUID]) -> dict[UUID, str]:
    """How these runs are now, of those that are still kept."""
    statement = select(Run.id, Run.status).where(Run.workspace_id == workspace_id, Run.id.in_(run_ids))
    return {run.id: run.status for run in await session.execute(statement)}


async def _change(
    session: AsyncSession, workspace_id: UUID, which: ColumnElement[bool], **values: Any
) -> Sequence[UUID]:
    """Ids of those that were changed."""
    statement = update(Schedule).where(Schedule.workspace_id == workspace_id, which).values(**values)
    changed = statement.returning(Schedule.id).execution_options(synchronize_session=False)
    return (await session.scalars(changed)).all()
