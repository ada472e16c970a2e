"""Queries that make, find and list runs, and hand them over to Temporal. What a run reports itself is `run_state`'s."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Approval, Run, Version, Wait, Workflow, Workspace
from app.json import Json, JsonObject
from app.store.events import of_event, patterns_of
from app.store.run_state import ENDED, UNDER_WAY

OTHER_WAITS = ("delay", "retry", "decision", "run")
"""What a run can wait for besides events and approvals."""
QUEUES = ("concurrency", "rate")
"""What a run can wait for before it begins."""


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs to list; None and empty mean any. Times are compared with the start, or while pending the request."""

    workflow_id: UUID | None = None
    statuses: Sequence[str] = ()
    trigger: str | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    waiting_for: str | None = None
    """What a run waits for: a kind (event, approval, delay, retry, decision, run, concurrency, rate) or an event
    type."""
    parent_run_id: UUID | None = None
    text: str | None = None
    asked_until: datetime | None = None
    """Only runs that were asked for by then, by the database's clock."""


async def find(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Run | None:
    """The run."""
    return await session.scalar(select(Run).where(Run.workspace_id == workspace_id, Run.id == run_id))


async def with_key(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, key: str) -> Run | None:
    """The run that was started under this idempotency key."""
    statement = select(Run).where(
        Run.workspace_id == workspace_id, Run.workflow_id == workflow_id, Run.idempotency_key == key
    )
    return await session.scalar(statement)


async def with_keys(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, keys: Sequence[str]
) -> dict[str, UUID]:
    """Of these idempotency keys those under which runs of the workflow were started, with the runs."""
    statement = select(Run.idempotency_key, Run.id).where(
        Run.workspace_id == workspace_id, Run.workflow_id == workflow_id, Run.idempotency_key.in_(keys)
    )
    return {str(row[0]): row[1] for row in (await session.execute(statement)).all()}


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
            queue=None,
            finished_at=func.now(),
            updated_at=func.now(),
        )
        .returning(Run)
        .execution_options(synchronize_session=False)
    )
    if only_from:
        statement = statement.where(Run.status.in_(only_from))
    ended = await session.scalar(statement)
    if ended is not None and ended.temporal_run_id is not None:
        children = update(Run).where(Run.workspace_id == workspace_id, Run.parent_run_id == run_id)
        await session.execute(children.where(Run.parent_waits, Run.finished_at.is_(None)).values(orphaned=True))
    return ended


async def pending(session: AsyncSession, workspace_id: UUID, *, older_than: timedelta, limit: int) -> Sequence[Run]:
    """Runs that may begin for so long and that nobody has handed to Temporal yet, oldest first. One that was replaced
    may not."""
    statement = (
        select(Run)
        .where(
            Run.workspace_id == workspace_id,
            Run.status == "pending",
            Run.queue.is_(None),
            Run.cancel_due.is_(False),
            # Not since it was asked for: whoever lets in what had to wait hands it over as well.
            Run.updated_at <= func.now() - older_than,
        )
        .order_by(Run.id)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def list_(
    session: AsyncSession, workspace_id: UUID, filter_: RunFilter, *, after: UUID | None, newest_first: bool, limit: int
) -> Sequence[Run]:
    """Runs in the order they were asked for, which is that of their ids."""
    statement = select(Run).where(Run.workspace_id == workspace_id, *_conditions(workspace_id, filter_))
    if after is not None:
        statement = statement.where(Run.id < after if newest_first else Run.id > after)
    statement = statement.order_by(Run.id.desc() if newest_first else Run.id)
    return (await session.scalars(statement.limit(limit))).all()


async def ids(
    session: AsyncSession,
    workspace_id: UUID,
    filter_: RunFilter,
    *,
    after: UUID | None,
    limit: int,
    unless_ended_unbegun_since: datetime | None = None,
) -> Sequence[UUID]:
    """Ids of runs, in their order; without those that ended since a moment and never began, where one is given."""
    statement = select(Run.id).where(Run.workspace_id == workspace_id, *_conditions(workspace_id, filter_))
    if after is not None:
        statement = statement.where(Run.id > after)
    if (since := unless_ended_unbegun_since) is not None:
        statement = statement.where(
            or_(Run.started_at.is_not(None), Run.finished_at.is_(None), Run.finished_at < since)
        )
    return (await session.scalars(statement.order_by(Run.id).limit(limit))).all()


async def queued_ids(
    session: AsyncSession, workspace_id: UUID, filter_: RunFilter, *, after: UUID | None, limit: int
) -> Sequence[UUID]:
    """Ids of the runs among them that wait to be let in, the last one first."""
    statement = select(Run.id).where(Run.workspace_id == workspace_id, *_conditions(workspace_id, filter_))
    statement = statement.where(Run.queue.is_not(None))
    if after is not None:
        statement = statement.where(Run.id < after)
    return (await session.scalars(statement.order_by(Run.id.desc()).limit(limit))).all()


async def count(session: AsyncSession, workspace_id: UUID, filter_: RunFilter) -> int:
    """How many runs there are of this kind."""
    statement = (
        select(func.count())
        .select_from(Run)
        .where(Run.workspace_id == workspace_id, *_conditions(workspace_id, filter_))
    )
    return (await session.execute(statement)).scalar_one()


async def statuses(session: AsyncSession, workspace_id: UUID, run_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The status of each of these runs, as their rows say."""
    statement = select(Run.id, Run.status).where(Run.workspace_id == workspace_id, Run.id.in_(run_ids))
    return {row.id: row.status for row in (await session.execute(statement)).all()}


async def clock(session: AsyncSession) -> datetime:
    """The database's time, which is what `created_at` is made of."""
    return (await session.execute(select(func.now()))).scalar_one()


def _conditions(workspace_id: UUID, filter_: RunFilter) -> list[ColumnElement[bool]]:
    began = func.coalesce(Run.started_at, Run.created_at)
    found: list[ColumnElement[bool]] = []
    if filter_.workflow_id is not None:
        found.append(Run.workflow_id == filter_.workflow_id)
    if filter_.parent_run_id is not None:
        found.append(Run.parent_run_id == filter_.parent_run_id)
    if filter_.statuses:
        found.append(Run.status.in_(filter_.statuses))
    if filter_.trigger is not None:
        found.append(Run.trigger_type == filter_.trigger)
    if filter_.started_after is not None:
        found.append(began >= filter_.started_after)
    if filter_.started_before is not None:
        found.append(began < filter_.started_before)
    if filter_.waiting_for is not None:
        found.append(_waits_for(workspace_id, filter_.waiting_for))
    if filter_.asked_until is not None:
        found.append(Run.created_at <= filter_.asked_until)
    if filter_.text is not None:
        found.append(_mentions(filter_.text))
    return found


def _waits_for(workspace_id: UUID, what: str) -> ColumnElement[bool]:
    """A run shows the wait that began first; what it waits for in parallel branches is in its open waits.

    A run that has ended waits for nothing, also where its waits were not closed: so its many rows are not looked at.
    """
    if what in QUEUES:
        return Run.queue == what
    if what in OTHER_WAITS:
        waiting: Json = Run.waiting_for
        return and_(Run.status.in_(UNDER_WAY), waiting["kind"].astext == what)
    if what == "approval":
        asked = select(Approval.run_id).where(Approval.workspace_id == workspace_id, Approval.status == "open")
        return and_(Run.status.in_(UNDER_WAY), Run.id.in_(asked))
    open_waits = select(Wait.run_id).where(Wait.workspace_id == workspace_id, Wait.closed_at.is_(None))
    if what != "event":
        open_waits = open_waits.where(
            Wait.of_event.in_([of_event(workspace_id, pattern) for pattern in patterns_of(what)])
        )
    return and_(Run.status.in_(UNDER_WAY), Run.id.in_(open_waits))


def _mentions(text: str) -> ColumnElement[bool]:
    """In the workflow's name, the error's message or the triggering event's id, or the run's own id begins so."""
    error: Json = Run.error
    return or_(
        Run.workflow_name.icontains(text, autoescape=True),
        error["message"].astext.icontains(text, autoescape=True),
        Run.trigger_event_id == text,
        func.cast(Run.id, Run.workflow_name.type).istartswith(text, autoescape=True),
    )
