"""Queries that count what a workspace has and has done: what plans limit, and what `GET /v1/usage` tells."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Connection, Executions, Run, Schedule, Webhook, Workflow


def month_of(moment: datetime) -> str:
    """As `executions` has it: `2026-11`, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m")


async def lock(session: AsyncSession, workspace_id: UUID) -> None:
    """Until the transaction ends nobody else adds what the workspace's plan limits: two that ask at once would both see
    the last place. Taken after the lock of a workflow, never before."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"holdfast plan {workspace_id}"}
    )


async def now(session: AsyncSession) -> datetime:
    """The transaction's moment, by which its runs are counted."""
    return (await session.execute(select(func.now()))).scalar_one()


async def executions(session: AsyncSession, workspace_id: UUID, month: str) -> int:
    """Runs the workspace began in the month."""
    statement = select(func.coalesce(func.sum(Executions.runs), 0))
    counted = statement.where(Executions.workspace_id == workspace_id, Executions.month == month)
    return int(await session.scalar(counted) or 0)


async def workflows(session: AsyncSession, workspace_id: UUID, *, beside: UUID | None = None) -> int:
    """Workflows that are not archived, `beside` this one."""
    statement = select(func.count()).where(Workflow.workspace_id == workspace_id, Workflow.status != "archived")
    return await session.scalar(statement if beside is None else statement.where(Workflow.id != beside)) or 0


async def connections(session: AsyncSession, workspace_id: UUID) -> int:
    """Connections there are."""
    return await session.scalar(select(func.count()).where(Connection.workspace_id == workspace_id)) or 0


async def webhooks(session: AsyncSession, workspace_id: UUID) -> int:
    """Webhooks there are."""
    return await session.scalar(select(func.count()).where(Webhook.workspace_id == workspace_id)) or 0


async def schedules(session: AsyncSession, workspace_id: UUID, *, beside: UUID | None = None) -> int:
    """Schedules of active workflows, `beside` this one."""
    statement = select(func.count()).where(
        Schedule.workspace_id == workspace_id, Schedule.live, Schedule.deleted_at.is_(None)
    )
    return await session.scalar(statement if beside is None else statement.where(Schedule.workflow_id != beside)) or 0


async def runs_by_status(session: AsyncSession, workspace_id: UUID, since: UUID) -> dict[str, int]:
    """Runs by status, from the id `since` on; ids are of the moment a run was asked for."""
    statement = select(Run.status, func.count()).where(Run.workspace_id == workspace_id, Run.id >= since)
    found = await session.execute(statement.group_by(Run.status))
    return {row[0]: row[1] for row in found}
