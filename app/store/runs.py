"""Queries that make, find and list runs, and hand them over to Temporal. What a run reports itself is `run_state`'s."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run, Version, Workflow, Workspace
from app.json import Json, JsonObject
from app.store.run_state import ENDED


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs to list; None and empty mean any. Times are compared with the start, or while pending the request."""

    workflow_id: UUID | None = None
    statuses: Sequence[str] = ()
    trigger: str | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    waiting_for: str | None = None
    text: str | None = None


async def find(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Run | None:
    """The run."""
    return await session.scalar(select(Run).where(Run.workspace_id == workspace_id, Run.id == run_id))


async def with_key(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, key: str) -> Run | None:
    """The run that was started under this idempotency key."""
    statement = select(Run).where(
        Run.workspace_id == workspace_id, Run.workflow_id == workflow_id, Run.idempotency_key == key
    )
    return await session.scalar(statement)


async def startable(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, version: int | None
) -> tuple[Workflow, Version | None, str] | None:
    """Workflow, the version asked for (the active one by default; None when there is no such), and workspace's name."""
    wanted = Workflow.active_version if version is None else version
    statement = (
        select(Workflow, Version, Workspace.name)
        .join(Workspace, Workspace.workspace_id == Workflow.workspace_id)
        .outerjoin(
            Version,
            (Version.workspace_id == Workflow.workspace_id)
            & (Version.workflow_id == Workflow.id)
            & (Version.number == wanted),
        )
        .where(Workflow.workspace_id == workspace_id, Workflow.id == workflow_id)
    )
    found = (await session.execute(statement)).first()
    return None if found is None else (found[0], found[1], found[2])


async def add(session: AsyncSession, run: Run) -> bool:
    """Insert the run; False when another of the workflow has its idempotency key already."""
    columns = {
        column.name: getattr(run, column.name) for column in Run.__table__.columns if column.name in run.__dict__
    }
    statement = insert(Run).values(columns).on_conflict_do_nothing().returning(Run.created_at, Run.updated_at)
    written = (await session.execute(statement)).first()
    if written is None:
        return False
    run.created_at, run.updated_at = written
    return True


async def launched(session: AsyncSession, workspace_id: UUID, run_id: UUID, temporal_run_id: str | None) -> Run | None:
    """Temporal has the run: from pending to running, unless it has reported more already. Answers with the row."""
    statement = (
        update(Run)
        .where(Run.workspace_id == workspace_id, Run.id == run_id)
        .values(
            status=case((Run.status == "pending", "running"), else_=Run.status),
            temporal_run_id=func.coalesce(Run.temporal_run_id, temporal_run_id),
            started_at=func.coalesce(Run.started_at, func.now()),
            updated_at=func.now(),
        )
        .returning(Run)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement)


async def end(
    session: AsyncSession,
    workspace_id: UUID,
    run_id: UUID,
    *,
    status: str,
    error: JsonObject | None,
    only_from: Sequence[str] = (),
) -> Run | None:
    """End a run Temporal does not have; None when it has ended, or is in none of the states of `only_from`."""
    statement = (
        update(Run)
        .where(Run.workspace_id == workspace_id, Run.id == run_id, Run.status.not_in(ENDED))
        .values(
            status=status,
            error=error,
            current_step=None,
            waiting_for=None,
            finished_at=func.now(),
            updated_at=func.now(),
        )
        .returning(Run)
        .execution_options(synchronize_session=False)
    )
    if only_from:
        statement = statement.where(Run.status.in_(only_from))
    return await session.scalar(statement)


async def pending(session: AsyncSession, workspace_id: UUID, *, older_than: timedelta, limit: int) -> Sequence[Run]:
    """Runs nobody has handed to Temporal yet, oldest first."""
    statement = (
        select(Run)
        .where(Run.workspace_id == workspace_id, Run.status == "pending", Run.created_at <= func.now() - older_than)
        .order_by(Run.id)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def list_(
    session: AsyncSession, workspace_id: UUID, filter_: RunFilter, *, after: UUID | None, newest_first: bool, limit: int
) -> Sequence[Run]:
    """Runs in the order they were asked for, which is that of their ids."""
    statement = select(Run).where(Run.workspace_id == workspace_id, *_conditions(filter_))
    if after is not None:
        statement = statement.where(Run.id < after if newest_first else Run.id > after)
    statement = statement.order_by(Run.id.desc() if newest_first else Run.id)
    return (await session.scalars(statement.limit(limit))).all()


def _conditions(filter_: RunFilter) -> list[ColumnElement[bool]]:
    began = func.coalesce(Run.started_at, Run.created_at)
    found: list[ColumnElement[bool]] = []
    if filter_.workflow_id is not None:
        found.append(Run.workflow_id == filter_.workflow_id)
    if filter_.statuses:
        found.append(Run.status.in_(filter_.statuses))
    if filter_.trigger is not None:
        found.append(Run.trigger_type == filter_.trigger)
    if filter_.started_after is not None:
        found.append(began >= filter_.started_after)
    if filter_.started_before is not None:
        found.append(began < filter_.started_before)
    if filter_.waiting_for is not None:
        found.append(_waits_for(filter_.waiting_for))
    if filter_.text is not None:
        found.append(_mentions(filter_.text))
    return found


def _waits_for(what: str) -> ColumnElement[bool]:
    waiting: Json = Run.waiting_for
    return or_(waiting["kind"].astext == what, waiting["event"].astext == what)


def _mentions(text: str) -> ColumnElement[bool]:
    """In the workflow's name, the error's message or the triggering event's id, or the run's own id begins so."""
    error: Json = Run.error
    return or_(
        Run.workflow_name.icontains(text, autoescape=True),
        error["message"].astext.icontains(text, autoescape=True),
        Run.trigger_event_id == text,
        func.cast(Run.id, Run.workflow_name.type).istartswith(text, autoescape=True),
    )
