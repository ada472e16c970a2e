"""Queries about runs that emit events."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run, Workflow


@dataclass(frozen=True, slots=True)
class Emitter:
    """A run that emits an event; `slug` is None when its workflow is gone."""

    cause_depth: int
    workflow_id: UUID
    workflow_name: str
    slug: str | None


async def emitter(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Emitter | None:
    """The run, as far as its events tell of it."""
    statement = (
        select(Run.cause_depth, Run.workflow_id, Run.workflow_name, Workflow.slug)
        .outerjoin(Workflow, (Workflow.workspace_id == Run.workspace_id) & (Workflow.id == Run.workflow_id))
        .where(Run.workspace_id == workspace_id, Run.id == run_id)
    )
    row = (await session.execute(statement)).first()
    return None if row is None else Emitter(*row)
