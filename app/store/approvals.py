"""Approvals: the statements runs write them with, and the queries people find them by."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, case, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from app.db.engine import Statement
from app.db.models import Approval, Run
from app.db.values import clean_text
from app.json import JsonObject
from app.store.run_state import UNDER_WAY

Found = tuple[Approval, str, Run]
"""An approval, its status as of now, and of its run what `_OF_RUN` names: all of it may be megabytes."""

_OF_RUN = (Run.workspace_id, Run.id, Run.workflow_id, Run.workflow_name, Run.status)

# Within a generation and attempt of its step an approval stays as it is, for the registration may be repeated after
# the answer. A later one asks anew, under the same id: those who were told have a link that works.
_OPEN = """
    INSERT INTO approvals AS kept (
        workspace_id, id, run_id, path, generation, attempt, title, message, approvers, form, until)
    VALUES (
        %(workspace_id)s, %(id)s, %(run_id)s, %(path)s, %(generation)s, %(attempt)s, %(title)s, %(message)s,
        %(approvers)s, %(form)s, %(until)s)
    ON CONFLICT (workspace_id, id) DO UPDATE SET
        generation = excluded.generation, attempt = excluded.attempt, title = excluded.title,
        message = excluded.message, approvers = excluded.approvers, form = excluded.form, until = excluded.until,
        status = 'open', answer = NULL, opened_at = now(), closed_at = NULL
    WHERE (kept.generation, kept.attempt) < (excluded.generation, excluded.attempt)
"""

# What the run itself says counts; one that is held has forgotten the answer that is here.
_CLOSE = """
    UPDATE approvals AS kept SET
        status = CASE WHEN fresh.answer IS NULL AND kept.answer IS NOT NULL THEN kept.status ELSE fresh.status END,
        answer = COALESCE(fresh.answer, kept.answer), closed_at = COALESCE(closed_at, now())
    FROM jsonb_to_recordset(%(rows)s) AS fresh (
        path text, generation integer, attempt integer, status text, answer jsonb)
    WHERE kept.workspace_id = %(workspace_id)s AND kept.run_id = %(run_id)s AND kept.path = fresh.path
      AND (kept.generation, kept.attempt) <= (fresh.generation, fresh.attempt)
"""


def open_(
    workspace_id: UUID,
    run_id: UUID,
    *,
    id: UUID,
    path: str,
    generation: int,
    attempt: int,
    title: str,
    message: str,
    approvers: Sequence[str],
    form: JsonObject | None,
    until: datetime | None,
) -> Statement:
    """Register an approval, or ask it anew."""
    asked = {
        "id": id,
        "path": path,
        "generation": generation,
        "attempt": attempt,
        "title": clean_text(title),
        "message": clean_text(message),
        "approvers": [clean_text(each) for each in approvers],
        "form": None if form is None else Jsonb(form),
        "until": until,
    }
    return Statement(_OPEN, {"workspace_id": workspace_id, "run_id": run_id, **asked})


def close(workspace_id: UUID, run_id: UUID, rows: Sequence[JsonObject]) -> Statement:
    """Approvals of these steps are over: rows of `{path, generation, attempt, status, answer}`."""
    return Statement(_CLOSE, {"workspace_id": workspace_id, "run_id": run_id, "rows": Jsonb(list(rows))})


async def find(session: AsyncSession, workspace_id: UUID, id: UUID) -> Found | None:
    """The approval with this id."""
    return next(iter(await _found(session, workspace_id, Approval.id == id)), None)


async def at(session: AsyncSession, workspace_id: UUID, run_id: UUID, path: str) -> Found | None:
    """What the step at this path of the run asks, or asked."""
    return next(iter(await _found(session, workspace_id, Approval.run_id == run_id, Approval.path == path)), None)


async def list_(
    session: AsyncSession,
    workspace_id: UUID,
    *,
    status: str | None,
    run_id: UUID | None,
    workflow_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Found]:
    """Approvals, those that were asked first first, behind the place `(opened_at, id)`."""
    conditions: list[ColumnElement[bool]] = []
    if status is not None:
        conditions.append(_status() == status)
    if status == "open":
        conditions.append(Approval.status == "open")  # what the index holds
    if run_id is not None:
        conditions.append(Approval.run_id == run_id)
    if workflow_id is not None:
        conditions.append(Run.workflow_id == workflow_id)
    if after is not None:
        conditions.append(tuple_(Approval.opened_at, Approval.id) > tuple_(*after))
    return await _found(session, workspace_id, *conditions, limit=limit)


async def answered(session: AsyncSession, asked: Approval, answer: JsonObject) -> None:
    """Show the answer the run has taken, unless it was asked anew meanwhile or the run has said more itself."""
    statement = (
        update(Approval)
        .where(
            Approval.workspace_id == asked.workspace_id,
            Approval.id == asked.id,
            Approval.generation == asked.generation,
            Approval.attempt == asked.attempt,
            Approval.status == "open",
        )
        .values(status=answer["decision"], answer=answer, closed_at=func.now())
    )
    await session.execute(statement)


async def _found(
    session: AsyncSession, workspace_id: UUID, *conditions: ColumnElement[bool], limit: int | None = None
) -> Sequence[Found]:
    statement = (
        select(Approval, _status(), Run)
        .join(Run, (Run.workspace_id == Approval.workspace_id) & (Run.id == Approval.run_id))
        .where(Approval.workspace_id == workspace_id, *conditions)
        .options(load_only(*_OF_RUN, raiseload=True))
        .order_by(Approval.opened_at, Approval.id)
        .limit(limit)
    )
    return [(approval, status, run) for approval, status, run in (await session.execute(statement)).all()]


def _status() -> ColumnElement[str]:
    """A row says open until its run has said otherwise, which a run that was terminated never does."""
    return case(
        (Approval.status != "open", Approval.status),
        (Run.status.not_in(UNDER_WAY), "cancelled"),
        (Approval.until <= func.now(), "timed_out"),
        else_="open",
    )
