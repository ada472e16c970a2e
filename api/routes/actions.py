"""The steps of a draft over HTTP, one by one: for editors and scripts that do not send whole definitions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.bodies import RequestBody
from api.dependencies import ActorDep, PlatformDep, WorkflowId
from api.headers import IfMatch
from api.openapi import problem_answers
from api.presenting import read_as
from api.schemas.actions import ChangedStep, NewStep, StepAnswer, StepOrder
from api.schemas.base import ListAnswer
from app.definition import dialects
from app.json import JsonObject
from app.services import drafts

router = APIRouter(prefix="/workflows/{workflow_id}/actions", tags=["actions"])

ADD = RequestBody(NewStep)
REPLACE = RequestBody(ChangedStep)
REORDER = RequestBody(StepOrder)

StepIdInPath = Annotated[str, Path(max_length=64, description="Id of the step.")]


@router.post(
    "",
    status_code=201,
    summary="Add a step",
    openapi_extra=ADD.openapi,
    responses=problem_answers(400, 404, 409, 412, 413, 415),
)
async def add(
    workflow_id: WorkflowId,
    body: Annotated[NewStep, Depends(ADD)],
    platform: PlatformDep,
    actor: ActorDep,
    if_match: IfMatch,
) -> StepAnswer:
    """Adds a step to the draft, at the end or at `position`, at the top or inside `parent`. 409 while the workflow is
    active, and when the draft has as many steps as the workspace allows."""
    step = await drafts.add_step(
        platform,
        actor.workspace_id,
        workflow_id,
        body.step(),
        position=body.position,
        parent=body.parent,
        branch=body.branch,
        if_match=if_match,
    )
    return _answer(step, body.step())


@router.get("", summary="List the steps", responses=problem_answers(404))
async def list_steps(workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep) -> ListAnswer[StepAnswer]:
    """All steps of the draft in the order they stand, those inside others too."""
    steps = await drafts.list_steps(platform, actor.workspace_id, workflow_id)
    return ListAnswer(items=[StepAnswer.model_validate(step) for step in steps], next_cursor=None)


@router.post(
    "/reorder",
    summary="Reorder steps",
    openapi_extra=REORDER.openapi,
    responses=problem_answers(400, 404, 409, 412, 413, 415),
)
async def reorder(
    workflow_id: WorkflowId,
    body: Annotated[StepOrder, Depends(REORDER)],
    platform: PlatformDep,
    actor: ActorDep,
    if_match: IfMatch,
) -> ListAnswer[StepAnswer]:
    """Puts siblings into a new order; answers with all steps as they stand now."""
    steps = await drafts.reorder(
        platform,
        actor.workspace_id,
        workflow_id,
        order=body.order,
        action_positions=body.action_positions,
        if_match=if_match,
    )
    return ListAnswer(items=[StepAnswer.model_validate(step) for step in steps], next_cursor=None)


@router.get("/{step_id}", summary="Get a step", responses=problem_answers(404))
async def get(workflow_id: WorkflowId, step_id: StepIdInPath, platform: PlatformDep, actor: ActorDep) -> StepAnswer:
    """One step of the draft."""
    return StepAnswer.model_validate(await drafts.get_step(platform, actor.workspace_id, workflow_id, step_id))


@router.put(
    "/{step_id}",
    summary="Replace a step",
    openapi_extra=REPLACE.openapi,
    responses=problem_answers(400, 404, 409, 412, 413, 415),
)
async def replace(
    *,
    workflow_id: WorkflowId,
    step_id: StepIdInPath,
    body: Annotated[ChangedStep, Depends(REPLACE)],
    platform: PlatformDep,
    actor: ActorDep,
    if_match: IfMatch,
) -> StepAnswer:
    """Puts another step in its place."""
    step = await drafts.replace_step(platform, actor.workspace_id, workflow_id, step_id, body.step(), if_match=if_match)
    return _answer(step, body.step())


@router.delete("/{step_id}", status_code=204, summary="Delete a step", responses=problem_answers(404, 409, 412))
async def delete(
    *, workflow_id: WorkflowId, step_id: StepIdInPath, platform: PlatformDep, actor: ActorDep, if_match: IfMatch
) -> None:
    """Takes the step, with all inside it, out of the draft."""
    await drafts.delete_step(platform, actor.workspace_id, workflow_id, step_id, if_match=if_match)


def _answer(step: JsonObject, sent: JsonObject) -> StepAnswer:
    """The step as it stands, and how it was read when it was sent in another dialect."""
    told = read_as(dialects.read_step(sent))
    return StepAnswer.model_validate(step if told is None else {**step, "read_as": told})
