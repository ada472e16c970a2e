"""Queries about workflows, and how their runs went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, literal, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run, Workflow
from app.json import Json
from app.store.run_state import ENDED

SORT_KEYS: dict[str, ColumnElement[Any]] = {
    "created_at": Workflow.created_at.expression,
    "updated_at": Workflow.updated_at.expression,
    "name": func.lower(Workflow.name),
}


@dataclass(frozen=True, kw_only=True)
class WorkflowStats:
    """How the runs of a workflow went. Runs that timed out count as failed."""

    total_runs: int = 0
    successful_runs: int = 0
    failed_runs: int = 0
    last_run_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = None


async def find(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, *, lock: bool = False) -> Workflow | None:
    """The workflow; `lock` keeps others from changing it until the transaction ends."""
    statement = select(Workflow).where(Workflow.workspace_id == workspace_id, Workflow.id == workflow_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def with_slug(session: AsyncSession, workspace_id: UUID, slug: str, *, lock: bool = False) -> Workflow | None:
    """The workflow of this slug."""
    statement = select(Workflow).where(Workflow.workspace_id == workspace_id, Workflow.slug == slug)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def named(session: AsyncSession, workspace_id: UUID, name: str) -> Workflow | None:
    """The workflow of this slug or id."""
    try:
        found = await find(session, workspace_id, UUID(name))
    except ValueError:
        found = None
    return found or await with_slug(session, workspace_id, name)


async def lock_runs(session: AsyncSession, workspace_id: UUID) -> None:
    """Until the transaction ends nobody else decides which workflows of the workspace run which."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"holdfast workflows that run workflows {workspace_id}"},
    )


async def slugs_like(session: AsyncSession, workspace_id: UUID, base: str) -> set[str]:
    """Slugs in use that begin so."""
    statement = select(Workflow.slug).where(
        Workflow.workspace_id == workspace_id, Workflow.slug.startswith(base, autoescape=True)
    )
    return set(await session.scalars(statement))


async def list_(
    session: AsyncSession,
    workspace_id: UUID,
    *,
    status: str | None,
    tag: str | None,
    text: str | None,
    sort: str,
    descending: bool,
    after: tuple[datetime | str, UUID] | None,
    limit: int,
) -> Sequence[Row[Workflow, Any]]:
    """Workflows, each with its sort key, in the order of key and id; `after` is key and id of the one before."""
    key = SORT_KEYS[sort]
    statement = select(Workflow, key).where(Workflow.workspace_id == workspace_id)
    if status is not None:
        statement = statement.where(Workflow.status == status)
    if tag is not None:
        statement = statement.where(Workflow.tags.contains([tag]))
    if text:
        found = (column.icontains(text, autoescape=True) for column in (Workflow.name, Workflow.description))
        statement = statement.where(or_(*found))
    place = tuple_(key, Workflow.id)
    if after is not None:
        there = tuple_(literal(after[0], key.type), literal(after[1], Workflow.id.type))
        statement = statement.where(place < there if descending else place > there)
    order = (key.desc(), Workflow.id.desc()) if descending else (key, Workflow.id)
    return (await session.execute(statement.order_by(*order).limit(limit))).all()


async def runs_under_way(session: AsyncSession, workspace_id: UUID, workflow_id: UUID) -> int:
    """How many runs of the workflow have not ended."""
    statement = select(func.count()).where(
        Run.workspace_id == workspace_id, Run.workflow_id == workflow_id, Run.status.not_in(ENDED)
    )
    return await session.scalar(statement) or 0


async def stats(session: AsyncSession, workspace_id: UUID, workflow_ids: Sequence[UUID]) -> dict[UUID, WorkflowStats]:
    """How the runs of these workflows went, counted now; workflows without runs are left out."""
    error: Json = Run.error
    succeeded, failed = Run.status == "completed", Run.status.in_(("failed", "timed_out"))
    # The message of the latest failure, as the greatest pair of time and message: one pass, nothing collected.
    ended = func.to_char(Run.finished_at.op("AT TIME ZONE")("UTC"), "YYYYMMDDHH24MISSUS")
    latest = func.max(array([ended, func.coalesce(error["message"].astext, "")])).filter(failed)
    statement = (
        select(
            Run.workflow_id,
            func.count(),
            func.count().filter(succeeded),
            func.count().filter(failed),
            func.max(func.coalesce(Run.started_at, Run.created_at)),
            func.max(Run.finished_at).filter(succeeded),
            func.max(Run.finished_at).filter(failed),
            func.nullif(latest[2], ""),
        )
        .where(Run.workspace_id == workspace_id, Run.workflow_id.in_(workflow_ids))
        .group_by(Run.workflow_id)
    )
    return {
        row[0]: WorkflowStats(
            total_runs=row[1],
            successful_runs=row[2],
            failed_runs=row[3],
            last_run_at=row[4],
            last_success_at=row[5],
            last_error_at=row[6],
            last_error=row[7],
        )
        for row in await session.execute(statement)
    }
