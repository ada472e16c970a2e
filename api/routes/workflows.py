"""Workflows over HTTP: make, find, change and check them, and their way from draft to archive."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep, WorkflowId
from api.headers import IfMatch
from api.openapi import problem_answers
from api.presenting import workflow_answer, workflow_answers
from api.schemas.base import ListAnswer
from api.schemas.workflows import (
    ApplyAnswer,
    ApplyRequest,
    DefinitionToCheck,
    ProblemAnswer,
    PublishRequest,
    ValidationAnswer,
    VersionAnswer,
    WorkflowAnswer,
    WorkflowChanges,
    WorkflowCreate,
    WorkflowStatus,
    definition_from_yaml,
    new_workflow_from_yaml,
)
from app.services import workflows

router = APIRouter(prefix="/workflows", tags=["workflows"])

CREATE = RequestBody(WorkflowCreate, from_yaml=new_workflow_from_yaml)
CHANGE = RequestBody(WorkflowChanges, from_yaml=definition_from_yaml)
CHECK = RequestBody(DefinitionToCheck, from_yaml=definition_from_yaml, required=False)
APPLY = RequestBody(ApplyRequest, from_yaml=definition_from_yaml)
PUBLISH = RequestBody(PublishRequest, required=False)

Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"]


@router.post(
    "",
    status_code=201,
    summary="Make a workflow",
    openapi_extra=CREATE.openapi,
    responses=problem_answers(400, 409, 413, 415),
)
async def create(
    body: Annotated[WorkflowCreate, Depends(CREATE)], platform: PlatformDep, actor: ActorDep, response: Response
) -> WorkflowAnswer:
    """A new workflow with the status `draft`. Its definition must have the right shape; whether it can run is checked
    when it is published."""
    workflow = await workflows.create(platform, actor.workspace_id, **body.model_dump())
    response.headers["Location"] = f"/v1/workflows/{workflow.id}"
    return await workflow_answer(platform, workflow, response, definition=body.definition)


@router.post(
    "/apply",
    summary="Apply a definition",
    openapi_extra=APPLY.openapi,
    responses=problem_answers(400, 413, 415),
)
async def apply(
    body: Annotated[ApplyRequest, Depends(APPLY)], platform: PlatformDep, actor: ActorDep, response: Response
) -> ApplyAnswer:
    """Makes the workspace have this definition: creates or changes the workflow of its name and publishes it, in one
    step, so that an active workflow misses no event. Applying the same again changes nothing. A paused or archived
    workflow gets the version and stays as it is. With problems nothing is changed (422)."""
    workflow, version, created, changed = await workflows.apply(
        platform,
        actor.workspace_id,
        body.definition,
        comment=body.comment,
        activate=body.activate,
        published_by=actor.name,
    )
    return ApplyAnswer(
        result="created" if created else "updated" if changed else "unchanged",
        workflow=await workflow_answer(platform, workflow, response, definition=body.definition),
        version=VersionAnswer.model_validate(version),
    )


@router.get("", summary="List workflows", responses=problem_answers())
async def list_workflows(
    *,
    platform: PlatformDep,
    actor: ActorDep,
    status: Annotated[WorkflowStatus | None, Query(description="Only those of this status.")] = None,
    tag: Annotated[str | None, Query(description="Only those with this tag.", max_length=200)] = None,
    q: Annotated[str | None, Query(description="Only those whose name or description holds this text.")] = None,
    sort: Annotated[Sort, Query(description="Order; a minus turns it round.")] = "-created_at",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[WorkflowAnswer]:
    """The workspace's workflows with how their runs went."""
    page = await workflows.list_(
        platform, actor.workspace_id, status=status, tag=tag, q=q, sort=sort, limit=limit, cursor=cursor
    )
    items = await workflow_answers(platform, actor.workspace_id, page.items)
    return ListAnswer(items=items, next_cursor=page.next_cursor)


@router.get("/{workflow_id}", summary="Get a workflow", responses=problem_answers(404))
async def get(workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep, response: Response) -> WorkflowAnswer:
    """The workflow with its draft. `ETag` names the revision, for `If-Match`."""
    workflow = await workflows.get(platform, actor.workspace_id, workflow_id)
    return await workflow_answer(platform, workflow, response)


@router.patch(
    "/{workflow_id}",
    summary="Change a workflow or its draft",
    openapi_extra=CHANGE.openapi,
    responses=problem_answers(400, 404, 409, 412, 413, 415),
)
async def change(
    *,
    workflow_id: WorkflowId,
    body: Annotated[WorkflowChanges, Depends(CHANGE)],
    platform: PlatformDep,
    actor: ActorDep,
    if_match: IfMatch,
    response: Response,
) -> WorkflowAnswer:
    """Changes the fields given. The draft of an active workflow is not changed (409), unless the workspace's settings
    allow drafts beside the active version. With `If-Match` a change made since you read it answers 412."""
    workflow = await workflows.update(
        platform, actor.workspace_id, workflow_id, body.model_dump(exclude_unset=True), if_match=if_match
    )
    return await workflow_answer(platform, workflow, response, definition=body.definition)


@router.delete("/{workflow_id}", status_code=204, summary="Delete a workflow", responses=problem_answers(404, 409))
async def delete(workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep) -> None:
    """Deletes the workflow with its versions; what its runs did stays readable. 409 while runs are under way."""
    await workflows.delete(platform, actor.workspace_id, workflow_id)


@router.post(
    "/{workflow_id}/validate",
    summary="Check a definition",
    openapi_extra=CHECK.openapi,
    responses=problem_answers(400, 404, 413, 415),
)
async def validate(
    workflow_id: WorkflowId,
    body: Annotated[DefinitionToCheck, Depends(CHECK)],
    platform: PlatformDep,
    actor: ActorDep,
) -> ValidationAnswer:
    """Everything publishing would refuse or warn of, at once, without publishing."""
    problems = await workflows.validate(platform, actor.workspace_id, workflow_id, definition=body.definition)
    return ValidationAnswer(
        valid=not any(problem.severity == "error" for problem in problems),
        problems=[ProblemAnswer.model_validate(problem) for problem in problems],
    )


@router.post(
    "/{workflow_id}/publish",
    status_code=201,
    summary="Publish the draft",
    openapi_extra=PUBLISH.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def publish(
    workflow_id: WorkflowId,
    body: Annotated[PublishRequest, Depends(PUBLISH)],
    platform: PlatformDep,
    actor: ActorDep,
) -> VersionAnswer:
    """Checks the draft and makes it the next version; new runs take it, unless `activate` is false. With problems
    nothing is published (422)."""
    version = await workflows.publish(
        platform,
        actor.workspace_id,
        workflow_id,
        comment=body.comment,
        activate=body.activate,
        published_by=actor.name,
    )
    return VersionAnswer.model_validate(version)


@router.post("/{workflow_id}/activate", summary="Activate a workflow", responses=problem_answers(404, 409, 422))
async def activate(
    workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep, response: Response
) -> WorkflowAnswer:
    """Lets events and requests start runs of the published version again. A workflow that would run itself by what was
    published meanwhile is refused (422)."""
    workflow = await workflows.activate(platform, actor.workspace_id, workflow_id)
    return await workflow_answer(platform, workflow, response)


@router.post("/{workflow_id}/pause", summary="Pause a workflow", responses=problem_answers(404, 409))
async def pause(workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep, response: Response) -> WorkflowAnswer:
    """Starts no more runs. Runs under way go on."""
    workflow = await workflows.pause(platform, actor.workspace_id, workflow_id)
    return await workflow_answer(platform, workflow, response)


@router.post("/{workflow_id}/archive", summary="Archive a workflow", responses=problem_answers(404, 409))
async def archive(
    workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep, response: Response
) -> WorkflowAnswer:
    """Puts the workflow away: it starts no more runs. Runs under way go on."""
    workflow = await workflows.archive(platform, actor.workspace_id, workflow_id)
    return await workflow_answer(platform, workflow, response)


@router.post(
    "/{workflow_id}/duplicate", status_code=201, summary="Duplicate a workflow", responses=problem_answers(404)
)
async def duplicate(
    workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep, response: Response
) -> WorkflowAnswer:
    """A new workflow with a copy of the draft and the status `draft`."""
    workflow = await workflows.duplicate(platform, actor.workspace_id, workflow_id)
    response.headers["Location"] = f"/v1/workflows/{workflow.id}"
    return await workflow_answer(platform, workflow, response)
