"""Run control over all runs that match, over HTTP: what can be done, with which arguments, what became of each."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from api import problems
from api.bodies import RequestBody
from api.dependencies import ActorDep, PlatformDep, require
from api.filters import filter_of
from api.headers import IdempotencyKey
from api.openapi import problem_answers
from api.permissions import PERMISSION_OF
from api.routes.approvals import answer_of
from api.schemas.approvals import ApproveRequest
from api.schemas.base import RequestModel
from api.schemas.control import (
    BulkAnswer,
    BulkItemAnswer,
    BulkRequest,
    DecideEachRequest,
    EmptyRequest,
    RedriveRequest,
    SignalRequest,
)
from api.schemas.problems import ProblemDocument
from app.db.models import Run
from app.services import approvals, bulk, control, redriving, retrying, runs
from app.services.platform import Platform
from app.services.validation import validated

router = APIRouter(prefix="/runs", tags=["runs"])

BULK = RequestBody(BulkRequest)


@router.post(
    "/control",
    summary="Control all runs that match",
    openapi_extra=BULK.openapi,
    responses=problem_answers(400, 413, 415),
)
async def control_all(
    body: Annotated[BulkRequest, Depends(BULK)],
    request: Request,
    platform: PlatformDep,
    actor: ActorDep,
    idempotency_key: IdempotencyKey,
) -> BulkAnswer:
    """Does one thing to the runs that match, up to `limit` of them in the order of their ids, and answers what became
    of each. `cancel` takes those that wait to be let in before all others, so that none of them begins. Call again with
    `next_cursor`, and the rest unchanged, until that is null: each run is taken once, whatever becomes of the others,
    and no run that was asked for after the first call is taken. A call that takes long answers with fewer runs.

    With an `Idempotency-Key` a call that is repeated retries and redrives no run twice. `approve` takes the permission
    `approvals:write` as well.
    """
    kind = _CONTROLS[body.control]
    await require(request, actor, PERMISSION_OF[kind.operation])
    filter_ = filter_of(body.filter)
    told = validated(kind.arguments, body.arguments, code="invalid_request", subject="The body", root="arguments")
    if isinstance(told, DecideEachRequest):
        control.check_decision(platform, told.decision, told.inputs, told.output)
    asked = _Asked(platform, actor.workspace_id, actor.name, idempotency_key)
    done = await bulk.control_all(
        platform,
        actor.workspace_id,
        filter_,
        lambda run_id: kind.do(asked, run_id, told),
        limit=body.limit,
        cursor=body.cursor,
        queued=None if (queued := kind.queued) is None else lambda run_ids: queued(asked, run_ids),
    )
    items = [_item(outcome, getattr(request.state, "request_id", "")) for outcome in done.outcomes]
    return BulkAnswer(items=items, next_cursor=done.next_cursor, matched=done.matched)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Where, by whom, and under which key something is done to many runs."""

    platform: Platform
    workspace_id: UUID
    by: str
    key: str | None

    def key_of(self, run_id: UUID) -> str | None:
        """The key under which this run is done again: one request makes many runs."""
        return None if self.key is None else f"{self.key}/{run_id}"


@dataclass(frozen=True, slots=True)
class _Control:
    """One thing that can be done: the operation that does it to one run, whose permission it takes here as well, the
    shape of its arguments, how it is done to a run, and how to runs that wait to be let in, where they come first."""

    operation: str
    arguments: type[RequestModel]
    do: Callable[[_Asked, UUID, Any], Awaitable[Run]]
    queued: Callable[[_Asked, Sequence[UUID]], Awaitable[Sequence[UUID]]] | None = None


async def _cancel(asked: _Asked, run_id: UUID, _: EmptyRequest) -> Run:
    return await runs.cancel(asked.platform, asked.workspace_id, run_id)


async def _cancel_queued(asked: _Asked, run_ids: Sequence[UUID]) -> Sequence[UUID]:
    return await runs.cancel_queued(asked.platform, asked.workspace_id, run_ids)


async def _pause(asked: _Asked, run_id: UUID, _: EmptyRequest) -> Run:
    return (await control.pause(asked.platform, asked.workspace_id, run_id, by=asked.by)).run


async def _resume(asked: _Asked, run_id: UUID, _: EmptyRequest) -> Run:
    return (await control.resume(asked.platform, asked.workspace_id, run_id, by=asked.by)).run


async def _decide(asked: _Asked, run_id: UUID, told: DecideEachRequest) -> Run:
    done = await control.decide(
        asked.platform,
        asked.workspace_id,
        run_id,
        path=told.step_path,
        decision=told.decision,
        inputs=told.inputs,
        output=told.output,
        by=asked.by,
    )
    return done.run


async def _approve(asked: _Asked, run_id: UUID, told: ApproveRequest) -> Run:
    answer = answer_of(told, asked.by)
    done = await approvals.approve(
        asked.platform, asked.workspace_id, run_id, path=told.step_path, answer=answer, approver=told.approver
    )
    return done.run


async def _signal(asked: _Asked, run_id: UUID, told: SignalRequest) -> Run:
    done = await control.signal(
        asked.platform, asked.workspace_id, run_id, type=told.event, data=told.data, path=told.step_path
    )
    return done.run


async def _retry(asked: _Asked, run_id: UUID, _: EmptyRequest) -> Run:
    return await retrying.retry(asked.platform, asked.workspace_id, run_id, idempotency_key=asked.key_of(run_id))


async def _redrive(asked: _Asked, run_id: UUID, told: RedriveRequest) -> Run:
    return await redriving.redrive(
        asked.platform,
        asked.workspace_id,
        run_id,
        from_step=told.from_step,
        version=told.version,
        idempotency_key=asked.key_of(run_id),
    )


_CONTROLS = {
    "cancel": _Control("runs_cancel", EmptyRequest, _cancel, _cancel_queued),
    "pause": _Control("runs_pause", EmptyRequest, _pause),
    "resume": _Control("runs_resume", EmptyRequest, _resume),
    "decide": _Control("runs_decide", DecideEachRequest, _decide),
    "approve": _Control("approvals_approve", ApproveRequest, _approve),
    "signal": _Control("runs_signal", SignalRequest, _signal),
    "retry": _Control("runs_retry", EmptyRequest, _retry),
    "redrive": _Control("runs_redrive", RedriveRequest, _redrive),
}


def _item(outcome: bulk.Outcome, request_id: str) -> BulkItemAnswer:
    problem = None
    if (error := outcome.error) is not None:
        status = problems.status_of(error)
        document = problems.document(request_id, status, error.code, error.detail, error.problems)
        problem = ProblemDocument.model_validate(document)
    return BulkItemAnswer(
        run_id=outcome.run_id,
        outcome=outcome.outcome,
        status=outcome.status,
        new_run_id=outcome.new_run_id,
        problem=problem,
    )
