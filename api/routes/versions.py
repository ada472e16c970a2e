"""Published versions over HTTP: read them, and bring one back as the draft."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.dependencies import ActorDep, Cursor, Limit, PlatformDep, WorkflowId
from api.openapi import problem_answers
from api.presenting import workflow_answer
from api.schemas.base import ListAnswer
from api.schemas.workflows import VersionAnswer, WorkflowAnswer
from app.services import workflows

router = APIRouter(prefix="/workflows/{workflow_id}/versions", tags=["versions"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the version, from 1.")]


@router.get("", summary="List versions", responses=problem_answers(404))
async def list_versions(
    workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep, limit: Limit = 50, cursor: Cursor = None
) -> ListAnswer[VersionAnswer]:
    """The workflow's versions, newest first."""
    page = await workflows.versions(platform, actor.workspace_id, workflow_id, limit=limit, cursor=cursor)
    items = [VersionAnswer.model_validate(version) for version in page.items]
    return ListAnswer(items=items, next_cursor=page.next_cursor)


@router.get("/{number}", summary="Get a version", responses=problem_answers(404))
async def get(workflow_id: WorkflowId, number: Number, platform: PlatformDep, actor: ActorDep) -> VersionAnswer:
    """One published definition."""
    return VersionAnswer.model_validate(await workflows.version(platform, actor.workspace_id, workflow_id, number))


@router.post("/{number}/restore", summary="Restore a version", responses=problem_answers(404, 409))
async def restore(
    workflow_id: WorkflowId, number: Number, platform: PlatformDep, actor: ActorDep, response: Response
) -> WorkflowAnswer:
    """Makes the version's definition the draft again. Publish it to make it the active one."""
    workflow = await workflows.restore(platform, actor.workspace_id, workflow_id, number)
    return await workflow_answer(platform, workflow, response)
