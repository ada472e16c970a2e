"""Queries about kept journals, and about what a redriven run takes over of the rows of the run before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Row, Text, any_, case, literal, null, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from temporalio.converter import value_to_type

from app.db.models import Journal, Step, StepAttempt
from app.temporal.messages import JournalState, StepRecord
from app.temporal.plain import as_plain


@dataclass(frozen=True, slots=True)
class Kept:
    """A journal, and whether it is what a redriven run begins with, not what a run came to."""

    journal: JournalState
    is_seed: bool


async def find(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Kept | None:
    """The journal that is kept of the run."""
    row = await session.get(Journal, (workspace_id, run_id))
    # As Temporal would read it: a journal written by another release may lack fields, or have more.
    return None if row is None else Kept(value_to_type(JournalState, row.journal), row.is_seed)


async def seed(session: AsyncSession, workspace_id: UUID, run_id: UUID, journal: JournalState) -> None:
    """Keep what a new run begins with."""
    session.add(Journal(workspace_id=workspace_id, run_id=run_id, journal=as_plain(journal), is_seed=True))
    await session.flush()


async def rows(session: AsyncSession, workspace_id: UUID, run_id: UUID) -> Sequence[Row[str, str, str | None]]:
    """Path, status and effect key of every step of the run."""
    statement = select(Step.path, Step.status, Step.effect_key)
    return (await session.execute(statement.where(Step.workspace_id == workspace_id, Step.run_id == run_id))).all()


async def take_over(
    session: AsyncSession, workspace_id: UUID, old: UUID, new: UUID, *, finished: Sequence[str], done: Sequence[str]
) -> None:
    """Copy rows of one run to another, with the failed attempts of `finished` steps.

    Those of `done` keep the key of their effect, and answer for it; the others are records and nothing else.
    """
    columns = {column.name: column for column in Step.__table__.columns}
    own = {
        "run_id": literal(new),
        "effect_key": case((_among(Step.path, done), Step.effect_key), else_=null()),
    }
    copied = select(*(own.get(name, column) for name, column in columns.items())).where(
        Step.workspace_id == workspace_id, Step.run_id == old, _among(Step.path, [*finished, *done])
    )
    await session.execute(insert(Step).from_select(list(columns), copied))
    columns = {column.name: column for column in StepAttempt.__table__.columns}
    attempts = select(*(own["run_id"] if name == "run_id" else column for name, column in columns.items())).where(
        StepAttempt.workspace_id == workspace_id, StepAttempt.run_id == old, _among(StepAttempt.path, finished)
    )
    await session.execute(insert(StepAttempt).from_select(list(columns), attempts))


def _among(path: InstrumentedAttribute[str], paths: Sequence[str]) -> ColumnElement[bool]:
    """One parameter for any number of paths."""
    return path == any_(literal(list(paths), ARRAY(Text)))


async def add_steps(session: AsyncSession, workspace_id: UUID, run_id: UUID, records: Sequence[StepRecord]) -> None:
    """Rows for finished steps that have none; one that is there stays."""
    if not records:
        return
    values = [
        {
            "workspace_id": workspace_id,
            "run_id": run_id,
            "path": record.path,
            "sequence": record.order,
            "step_id": record.step_id,
            "name": record.name,
            "type": record.type,
            "action": record.action,
            "status": record.status,
            "attempt": record.attempt,
            "generation": record.generation,
            "inputs": record.inputs,
            "output": record.output,
            "error": record.error,
            "wait": record.wait,
            "decision": record.decision,
            "started_at": _moment(record.started_at),
            "finished_at": _moment(record.finished_at),
        }
        for record in records
    ]
    await session.execute(insert(Step).on_conflict_do_nothing(), values)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
