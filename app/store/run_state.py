"""Queries that move a run's row along as the run itself reports. Finding and listing runs is not done here."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Run
from app.json import Json, JsonObject

ENDED = ("completed", "failed", "cancelled", "timed_out")
"""Statuses a run never leaves."""


async def report(
    session: AsyncSession,
    workspace_id: UUID,
    run_id: UUID,
    *,
    status: str,
    steps_completed: int,
    current_step: str | None,
    waiting_for: JsonObject | None,
    output: Json,
    error: JsonObject | None,
    variables: JsonObject | None,
    earliest_step: datetime | None,
    finished_at: datetime | None,
) -> bool:
    """Bring the row up to date unless the run has ended; None leaves a field, `current_step` and `waiting_for` aside.

    A run that reports for the first time has started: when its earliest step did, or now. Answers whether there is such
    a run at all.
    """
    given = {"output": output, "error": error, "variables": variables}
    changes = {name: value for name, value in given.items() if value is not None}
    if status in ENDED:
        changes["finished_at"] = finished_at or func.now()
    written = await session.execute(
        update(Run)
        .where(Run.workspace_id == workspace_id, Run.id == run_id, Run.status.not_in(ENDED))
        .values(
            status=status,
            # A batch that was delayed by a retry must not count backwards.
            steps_completed=func.greatest(Run.steps_completed, steps_completed),
            current_step=current_step,
            waiting_for=waiting_for,
            started_at=func.coalesce(Run.started_at, earliest_step, func.now()),
            updated_at=func.now(),
            **changes,
        )
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    return written.first() is not None or await exists(session, workspace_id, run_id)


async def exists(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> bool:
    """Whether there is such a run."""
    found = await session.scalar(select(Run.id).where(Run.workspace_id == workspace_id, Run.id == run_id))
    return found is not None


async def created_at(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> datetime | None:
    """When the run was asked for; None when there is no such run."""
    return await session.scalar(select(Run.created_at).where(Run.workspace_id == workspace_id, Run.id == run_id))
