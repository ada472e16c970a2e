"""Queries about the steps of runs and their failed attempts. How they are written is `recording.py`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Step, StepAttempt
from app.json import Json


async def list_(
    session: AsyncSession, workspace_id: UUID, run_id: UUID, *, after: tuple[int, str], limit: int
) -> Sequence[Step]:
    """Records of the run in the order the steps began, those behind the place `(sequence, path)`."""
    statement = (
        select(Step)
        .where(Step.workspace_id == workspace_id, Step.run_id == run_id, tuple_(Step.sequence, Step.path) > after)
        .order_by(Step.sequence, Step.path)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def latest(
    session: AsyncSession, workspace_id: UUID, run_id: UUID, *, limit: int
) -> Sequence[Row[str, str, int, int, Json]]:
    """Path, status, generation, attempt and error of the steps that began last, without what else they hold."""
    statement = (
        select(Step.path, Step.status, Step.generation, Step.attempt, Step.error)
        .where(Step.workspace_id == workspace_id, Step.run_id == run_id)
        .order_by(Step.sequence.desc(), Step.path.desc())
        .limit(limit)
    )
    return (await session.execute(statement)).all()


async def at(session: AsyncSession, workspace_id: UUID, run_id: UUID, paths: Sequence[str]) -> Sequence[Step]:
    """Records of the run at these paths, in the order the steps began."""
    statement = select(Step).where(Step.workspace_id == workspace_id, Step.run_id == run_id, Step.path.in_(paths))
    return (await session.scalars(statement.order_by(Step.sequence, Step.path))).all()


async def held(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Sequence[str]:
    """Paths of the run's held steps, in the order they began."""
    statement = select(Step.path).where(Step.workspace_id == workspace_id, Step.run_id == run_id, Step.status == "held")
    return (await session.scalars(statement.order_by(Step.sequence, Step.path))).all()


async def attempts(
    session: AsyncSession, workspace_id: UUID, run_id: UUID, paths: Sequence[str]
) -> Sequence[StepAttempt]:
    """Failed attempts of the steps at these paths, in the order they were made."""
    statement = select(StepAttempt).where(
        StepAttempt.workspace_id == workspace_id, StepAttempt.run_id == run_id, StepAttempt.path.in_(paths)
    )
    return (await session.scalars(statement.order_by(StepAttempt.generation, StepAttempt.attempt))).all()
