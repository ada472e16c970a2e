"""Queries about the steps of runs and their failed attempts: what people search, and the outcomes effects keep."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, bindparam, select, text, tuple_
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Step, StepAttempt
from app.json import JsonObject

# One statement and one parameter for a batch of any size. A later generation of a step replaces an earlier one. Within
# a generation a finished step never goes back to an unfinished one, and what an effect committed is never replaced at
# all: it is what a repeat of the effect is answered with.
_WRITE = text(
    """
    INSERT INTO steps AS kept (
        workspace_id, run_id, path, sequence, step_id, name, type, action, status, effect_key,
        attempt, generation, inputs, output, error, wait, started_at, finished_at)
    SELECT :workspace_id, :run_id, fresh.path, COALESCE(NULLIF(fresh.sequence, 0), nextval('steps_sequence')),
           fresh.step_id, fresh.name, fresh.type, fresh.action, fresh.status, fresh.effect_key,
           fresh.attempt, fresh.generation, fresh.inputs, fresh.output, fresh.error, fresh.wait,
           fresh.started_at, fresh.finished_at
    FROM jsonb_to_recordset(:rows) AS fresh (
        path text, sequence bigint, step_id text, name text, type text, action text, status text, effect_key text,
        attempt integer, generation integer, inputs jsonb, output jsonb, error jsonb, wait jsonb,
        started_at timestamptz, finished_at timestamptz)
    ORDER BY fresh.path
    ON CONFLICT (workspace_id, run_id, path) DO UPDATE SET
        sequence = CASE WHEN excluded.generation > kept.generation THEN excluded.sequence ELSE kept.sequence END,
        name = excluded.name, type = excluded.type, action = excluded.action, status = excluded.status,
        effect_key = excluded.effect_key, attempt = excluded.attempt, generation = excluded.generation,
        inputs = excluded.inputs, output = excluded.output, error = excluded.error, wait = excluded.wait,
        started_at = excluded.started_at, finished_at = excluded.finished_at
    WHERE excluded.generation > kept.generation
       OR (excluded.generation = kept.generation
           AND NOT (kept.status = 'completed' AND kept.effect_key IS NOT NULL)
           AND (kept.status NOT IN ('completed', 'failed', 'skipped', 'cancelled')
                OR excluded.status IN ('completed', 'failed', 'skipped', 'cancelled')))
    """
).bindparams(bindparam("rows", type_=JSONB))


async def write(session: AsyncSession, workspace_id: UUID, run_id: UUID, rows: Sequence[JsonObject]) -> None:
    """Insert or bring up to date. Each row has the columns of `steps` by name, times as RFC 3339; paths are distinct.

    `sequence` 0 takes the next number of the database. Writing the same rows twice changes nothing.
    """
    if rows:
        await session.execute(_WRITE, {"workspace_id": workspace_id, "run_id": run_id, "rows": list(rows)})


async def outcome(session: AsyncSession, workspace_id: UUID, run_id: UUID, path: str, effect_key: str) -> Step | None:
    """The row an effect committed under this key."""
    statement = select(Step).where(
        Step.workspace_id == workspace_id,
        Step.run_id == run_id,
        Step.path == path,
        Step.effect_key == effect_key,
        Step.status == "completed",
    )
    return await session.scalar(statement)


async def add_attempt(
    session: AsyncSession,
    workspace_id: UUID,
    run_id: UUID,
    path: str,
    *,
    generation: int,
    attempt: int,
    error: JsonObject,
    started_at: datetime,
    finished_at: datetime,
    next_attempt_at: datetime | None,
) -> None:
    """Keep a failed attempt; one that is kept already stays as it is."""
    await session.execute(
        insert(StepAttempt)
        .values(
            workspace_id=workspace_id,
            run_id=run_id,
            path=path,
            generation=generation,
            attempt=attempt,
            error=error,
            started_at=started_at,
            finished_at=finished_at,
            next_attempt_at=next_attempt_at,
        )
        .on_conflict_do_nothing()
    )


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
) -> Sequence[Row[str, str, int, int]]:
    """Path, status, generation and attempt of the steps that began last, without what they hold."""
    statement = (
        select(Step.path, Step.status, Step.generation, Step.attempt)
        .where(Step.workspace_id == workspace_id, Step.run_id == run_id)
        .order_by(Step.sequence.desc(), Step.path.desc())
        .limit(limit)
    )
    return (await session.execute(statement)).all()


async def at(session: AsyncSession, workspace_id: UUID, run_id: UUID, paths: Sequence[str]) -> Sequence[Step]:
    """Records of the run at these paths, in the order the steps began."""
    statement = select(Step).where(Step.workspace_id == workspace_id, Step.run_id == run_id, Step.path.in_(paths))
    return (await session.scalars(statement.order_by(Step.sequence, Step.path))).all()


async def attempts(
    session: AsyncSession, workspace_id: UUID, run_id: UUID, paths: Sequence[str]
) -> Sequence[StepAttempt]:
    """Failed attempts of the steps at these paths, in the order they were made."""
    statement = select(StepAttempt).where(
        StepAttempt.workspace_id == workspace_id, StepAttempt.run_id == run_id, StepAttempt.path.in_(paths)
    )
    return (await session.scalars(statement.order_by(StepAttempt.generation, StepAttempt.attempt))).all()
