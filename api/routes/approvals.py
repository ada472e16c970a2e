"""Approvals over HTTP for those who have a key: what is asked, and answers. Links are `approval_pages.py`'s subject."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep, RunId
from api.openapi import problem_answers
from api.permissions import PERMISSION_OF
from api.presenting import run_answer
from api.schemas.approvals import (
    ApprovalAnswer,
    ApprovalAnswerAnswer,
    ApprovalLinkAnswer,
    ApprovalStatus,
    ApproveRequest,
)
from api.schemas.base import ListAnswer
from api.schemas.runs import RunAnswer
from app.services import approval_links, approvals
from app.services.actors import Actor
from app.services.approvals import Answer, Asked
from app.settings import Settings

router = APIRouter(tags=["approvals"])

APPROVE = RequestBody(ApproveRequest)


@router.get("/approvals", summary="List approvals", responses=problem_answers())
async def list_approvals(
    *,
    platform: PlatformDep,
    actor: ActorDep,
    status: Annotated[
        ApprovalStatus | Literal["all"], Query(description="Only those of this status; `all` for every one.")
    ] = "open",
    run_id: Annotated[UUID | None, Query(description="Only those of this run.")] = None,
    workflow_id: Annotated[UUID | None, Query(description="Only those of this workflow.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[ApprovalAnswer]:
    """What the workspace's runs ask people, what was asked first first; what can still be answered, unless another
    status is asked for."""
    page = await approvals.list_(
        platform,
        actor.workspace_id,
        status=None if status == "all" else status,
        run_id=run_id,
        workflow_id=workflow_id,
        limit=limit,
        cursor=cursor,
    )
    return ListAnswer(
        items=[_approval_answer(each, platform.settings, actor) for each in page.items], next_cursor=page.next_cursor
    )


@router.get("/approvals/{approval_id}", summary="Get an approval", responses=problem_answers(404))
async def get(
    approval_id: Annotated[UUID, Path(description="Id of the approval.")], platform: PlatformDep, actor: ActorDep
) -> ApprovalAnswer:
    """One approval, with its answer if there is one."""
    return _approval_answer(await approvals.get(platform, actor.workspace_id, approval_id), platform.settings, actor)


@router.post(
    "/runs/{run_id}/approve",
    summary="Answer an approval",
    openapi_extra=APPROVE.openapi,
    responses={
        **problem_answers(400, 404, 409, 413, 415),
        200: {"model": RunAnswer, "description": "The run as it is after"},
        202: {"model": RunAnswer, "description": "Done; how the run stands since could not be asked in time"},
    },
)
async def approve(
    run_id: RunId,
    body: Annotated[ApproveRequest, Depends(APPROVE)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> RunAnswer:
    """Approves or rejects what a run asks. The first answer counts: the same again changes nothing, another one is
    refused (409) with who was first."""
    done = await approvals.approve(
        platform,
        actor.workspace_id,
        run_id,
        path=body.step_path,
        answer=answer_of(body, actor.name),
        approver=body.approver,
    )
    if not done.known:
        response.status_code = 202
    return run_answer(done.run, platform.settings)


def answer_of(body: ApproveRequest, key: str) -> Answer:
    """What the body says, by whom it says, else by the key."""
    by = body.approver or key[: approvals.MAX_NAME] or "API key"
    return Answer(decision=body.decision, by=by, answer=body.answer, comment=body.comment)


def _approval_answer(asked: Asked, settings: Settings, actor: Actor) -> ApprovalAnswer:
    approval, run = asked.approval, asked.run
    links = []
    # Whoever has a link answers with it: it is for those alone who may answer without one.
    if asked.status == "open" and actor.may(PERMISSION_OF["approvals_approve"]):
        links = approval_links.links(settings, approval.workspace_id, approval.id, approval.approvers)
    return ApprovalAnswer(
        id=approval.id,
        run_id=approval.run_id,
        workflow_id=run.workflow_id,
        workflow_name=run.workflow_name,
        step_path=approval.path,
        title=approval.title,
        message=approval.message,
        approvers=approval.approvers,
        form=approval.form,
        status=asked.status,
        answer=None if approval.answer is None else ApprovalAnswerAnswer.model_validate(approval.answer),
        until=approval.until,
        links=[ApprovalLinkAnswer.model_validate(link) for link in links],
        opened_at=approval.opened_at,
        closed_at=approval.closed_at,
    )
