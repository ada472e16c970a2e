"""What people are asked: listing approvals, finding one by its link, answering. The first answer counts.

The run itself takes an answer or refuses it; its row is brought up to date here at once, and by the run in any case.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from app.db.models import Approval, Run
from app.definition.durations import format_moment
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services import approval_links, audit, control, runs
from app.services.control import Controlled
from app.services.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from app.services.input_schema import check_answer
from app.services.paging import Page, decode_cursor, page_of
from app.services.platform import Platform
from app.services.steering import NotUnderWay, update
from app.store import approvals as store
from app.temporal import names
from app.temporal.messages import ApprovalAnswer

Decision = Literal["approve", "reject"]
Status = Literal["open", "approved", "rejected", "timed_out", "cancelled"]

MAX_COMMENT = 4000
MAX_NAME = 254
MOST_TOLD = 5
"""Open approvals that are named to who has not said which."""
_DECIDED: dict[Decision, str] = {"approve": "approved", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Asked:
    """An approval as it is now: `status` also knows of a deadline that passed and of a run that ended. Of `run` there
    is what names it."""

    approval: Approval
    status: str
    run: Run


@dataclass(frozen=True, slots=True)
class Linked:
    """An approval as somebody sees it who has a link; `approver` is empty for a link of nobody in particular."""

    asked: Asked
    approver: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answers: `answer` is what was filled in, `by` who it is."""

    decision: Decision
    by: str
    answer: JsonObject | None = None
    comment: str | None = None
    via: Literal["api", "link"] = "api"


async def list_(
    platform: Platform,
    workspace_id: UUID,
    *,
    status: Status | None,
    run_id: UUID | None = None,
    workflow_id: UUID | None = None,
    limit: int,
    cursor: str | None = None,
) -> Page[Asked]:
    """A page of the workspace's approvals, what was asked first first. Raises `Invalid` (`invalid_cursor`)."""
    after = decode_cursor(cursor, _read_place)
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(
            session, workspace_id, status=status, run_id=run_id, workflow_id=workflow_id, after=after, limit=limit + 1
        )
    asked = [Asked(*one) for one in found]
    return page_of(asked, limit, lambda one: [one.approval.opened_at.isoformat(), str(one.approval.id)])


async def get(platform: Platform, workspace_id: UUID, approval_id: UUID) -> Asked:
    """One approval. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        found = await store.find(session, workspace_id, approval_id)
    if found is None:
        raise NotFound("approval_not_found", f"There is no approval {approval_id}; GET /v1/approvals lists them.")
    return Asked(*found)


async def by_link(platform: Platform, token: str) -> Linked:
    """The approval a link opens. Raises `NotFound`, with the same words whatever is wrong with the link."""
    opened = approval_links.open_token(platform.settings, token)
    if opened is not None:
        async with platform.database.transaction(opened.workspace_id) as session:
            found = await store.find(session, opened.workspace_id, opened.approval_id)
        approver = None if found is None else opened.approver(found[0].approvers)
        if found is not None and approver is not None:
            return Linked(Asked(*found), approver)
    raise NotFound("approval_not_found", "This link leads to no approval.")


async def approve(
    platform: Platform, workspace_id: UUID, run_id: UUID, *, path: str | None, answer: Answer, approver: str | None
) -> Controlled:
    """Answer the approval of the run at `path`, or its only open one; `approver` says for whom.

    Raises `NotFound`, `Conflict` (`approval_not_open`, `approval_answered`, `which_approval` and those of run control),
    `Invalid` (`invalid_answer`) and `TooLarge`.
    """
    run = await runs.get(platform, workspace_id, run_id, live=False)
    asked = await _of_run(platform, run, path)
    if approver is not None and asked.approval.approvers and approver not in asked.approval.approvers:
        problem = Problem("approver", "is not asked", f"asked are: {', '.join(asked.approval.approvers)}")
        raise Invalid("invalid_answer", f"approver: {approver!r} is not asked.", [problem])
    await give(platform, asked, answer)
    return await control.after(platform, run)


async def give(platform: Platform, asked: Asked, given: Answer) -> JsonObject:
    """Answer this approval; answers `{decision, answer, comment, by, via, at}` as it is kept. The same answer again is
    no other one. Raises as `approve` does."""
    approval = asked.approval
    _check(platform, approval, given)
    answer: Json = (given.answer or {}) if approval.form is not None and given.decision == "approve" else None
    said = ApprovalAnswer(
        path=approval.path,
        decision=_DECIDED[given.decision],
        answer=answer,
        comment=given.comment or None,
        by=given.by,
        via=given.via,
    )
    if approval.answer is not None:
        return _again(approval.answer, said, approval)
    if asked.status != "open":
        raise _not_open(asked)
    try:
        kept: JsonObject | None = await update(platform, approval.run_id, names.APPROVE_UPDATE, said, result_type=dict)
    except NotUnderWay:
        raise await control.gone(platform, asked.run, "answered") from None
    if kept is None:
        kept = {name: getattr(said, name) for name in ("decision", "answer", "comment", "by", "via")}
        kept["at"] = format_moment(datetime.now(UTC))
    with suppress(Unavailable):  # the run has it, and writes it itself
        async with platform.database.transaction(approval.workspace_id) as session:
            await store.answered(session, approval, kept)
    after = {name: kept[name] for name in ("decision", "by", "via")} | {"run_id": str(approval.run_id)}
    about = (approval.workspace_id, "approval.answer", approval.id, approval.title)
    await audit.note_done(platform.database, *about, after=after)
    return kept


def _check(platform: Platform, approval: Approval, given: Answer) -> None:
    problems = []
    if given.answer is not None and given.decision == "reject":
        problems.append(Problem("answer", "cannot be given with reject", "say why as `comment`"))
    elif given.answer is not None and approval.form is None:
        problems.append(Problem("answer", "the approval has no form", "leave it out"))
    if len(given.comment or "") > MAX_COMMENT:
        problems.append(Problem("comment", f"has more than {MAX_COMMENT} characters"))
    if not given.by.strip() or len(given.by) > MAX_NAME:
        problems.append(Problem("by", f"takes 1 to {MAX_NAME} characters"))
    if problems:
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
        raise Invalid("invalid_answer", detail, problems)
    size, limit = len(json.dumps(given.answer, ensure_ascii=False).encode()), platform.settings.max_event_bytes
    if size > limit:
        raise TooLarge("answer_too_large", f"The answer has {size} bytes, more than the {limit} it may have.")
    if approval.form is not None and given.decision == "approve":
        check_answer(given.answer or {}, approval.form)


def _again(kept: JsonObject, said: ApprovalAnswer, approval: Approval) -> JsonObject:
    if all(kept[name] == getattr(said, name) for name in ("decision", "answer", "comment", "by")):
        return kept
    told = f"{kept['by']} {kept['decision']} it at {kept['at']}"
    raise Conflict(names.APPROVAL_ANSWERED, f"The approval at {approval.path!r} is answered already: {told}.")


def _not_open(asked: Asked) -> Conflict:
    approval = asked.approval
    reasons = {
        "timed_out": f"nobody answered until {'' if approval.until is None else format_moment(approval.until)}",
        "cancelled": "its run has gone on without it",
    }
    told = reasons.get(asked.status, f"it is {asked.status}")
    return Conflict(names.APPROVAL_NOT_OPEN, f"The approval at {approval.path!r} cannot be answered any more: {told}.")


async def _of_run(platform: Platform, run: Run, path: str | None) -> Asked:
    async with platform.database.transaction(run.workspace_id) as session:
        here = None if path is None else await store.at(session, run.workspace_id, run.id, path)
        if here is not None:
            return Asked(*here)
        found = await store.list_(
            session, run.workspace_id, status="open", run_id=run.id, workflow_id=None, after=None, limit=MOST_TOLD + 1
        )
    told = ", ".join(approval.path for approval, _status, _run in found[:MOST_TOLD])
    told += ", …" if len(found) > MOST_TOLD else ""
    if path is not None:
        way = f"open are: {told}" if told else "none of it is open"
        raise NotFound("approval_not_found", f"Run {run.id} has asked for no approval at {path!r}; {way}.")
    if len(found) > 1:
        raise Conflict("which_approval", f"Run {run.id} has several open approvals: say which by step_path ({told}).")
    if not found:
        raise Conflict(names.APPROVAL_NOT_OPEN, f"Run {run.id} is {run.status}: no approval of it is open.")
    return Asked(*found[0])


def _read_place(key: Json) -> tuple[datetime, UUID]:
    opened = datetime.fromisoformat(key[0])
    if opened.tzinfo is None:
        raise ValueError("no moment")
    return opened, UUID(key[1])
