"""Workspaces over HTTP, for the platform's administrator: make, list, rename, suspend, resume, delete, and their
plans."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep
from api.openapi import problem_answers
from api.schemas.base import ListAnswer
from api.schemas.people import (
    NewWorkspaceAnswer,
    NewWorkspaceRequest,
    PlatformWorkspaceAnswer,
    WorkspacePatch,
    WorkspaceState,
)
from app.services import administering, workspaces
from app.services.members import FirstAdmin

router = APIRouter(prefix="/workspaces", tags=["workspaces"])

NEW = RequestBody(NewWorkspaceRequest)
PATCH = RequestBody(WorkspacePatch)

WorkspaceId = Annotated[UUID, Path(description="Id of the workspace.")]


@router.get("", summary="List workspaces", responses=problem_answers())
async def list_workspaces(
    platform: PlatformDep,
    state: Annotated[WorkspaceState | None, Query(description="Only those of this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[PlatformWorkspaceAnswer]:
    """All workspaces, in the order they were made."""
    page = await administering.list_(platform, state=state, limit=limit, cursor=cursor)
    items = [PlatformWorkspaceAnswer.model_validate(one) for one in page.items]
    return ListAnswer(items=items, next_cursor=page.next_cursor)


@router.post(
    "",
    status_code=201,
    summary="Make a workspace",
    openapi_extra=NEW.openapi,
    responses=problem_answers(400, 413, 415),
)
async def create(
    body: Annotated[NewWorkspaceRequest, Depends(NEW)], platform: PlatformDep, actor: ActorDep, response: Response
) -> NewWorkspaceAnswer:
    """Makes a workspace with its first API key, which is shown in this answer alone, and its first member if one is
    named."""
    admin = None if body.admin is None else FirstAdmin(body.admin.subject, body.admin.name, body.admin.email)
    made, key = await workspaces.create_workspace(
        platform, body.name, admin=admin, plan=body.plan, plan_overrides=body.plan_overrides, by=actor.name
    )
    response.headers["Location"] = f"/v1/workspaces/{made.workspace_id}"
    return NewWorkspaceAnswer(
        id=made.workspace_id,
        name=made.name,
        state="active",
        state_changed_at=made.state_changed_at,
        created_at=made.created_at,
        plan=made.plan,
        plan_overrides=made.plan_overrides,
        api_key=key,
    )


@router.get("/{workspace_id}", summary="Get a workspace", responses=problem_answers(404))
async def get(workspace_id: WorkspaceId, platform: PlatformDep) -> PlatformWorkspaceAnswer:
    """The workspace from outside; what is in it is its members' alone."""
    return PlatformWorkspaceAnswer.model_validate(await administering.get(platform, workspace_id))


@router.patch(
    "/{workspace_id}",
    summary="Rename, suspend or resume a workspace, give it a plan",
    openapi_extra=PATCH.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def change(
    workspace_id: WorkspaceId, body: Annotated[WorkspacePatch, Depends(PATCH)], platform: PlatformDep
) -> PlatformWorkspaceAnswer:
    """While it is suspended its keys answer 403 (`workspace_suspended`) and nothing new starts; runs under way go on.
    It takes some seconds until every process knows. A smaller plan takes nothing away of what is there."""
    changed = await administering.change(
        platform,
        workspace_id,
        name=body.name,
        state=body.state,
        plan=body.plan,
        plan_overrides=body.plan_overrides,
    )
    return PlatformWorkspaceAnswer.model_validate(changed)


@router.delete("/{workspace_id}", status_code=202, summary="Delete a workspace", responses=problem_answers(404))
async def delete(workspace_id: WorkspaceId, platform: PlatformDep) -> PlatformWorkspaceAnswer:
    """Deletes the workspace with everything in it, for good: its keys stop, its runs end, their histories and all its
    records go. That takes a while; once `GET` answers 404 nothing of it is left."""
    return PlatformWorkspaceAnswer.model_validate(await administering.delete(platform, workspace_id))
