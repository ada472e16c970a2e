"""The workspace of the key over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.bodies import RequestBody
from api.dependencies import ActorDep, PlatformDep
from api.openapi import problem_answers
from api.schemas.workspace import WorkspaceAnswer, WorkspaceChanges, WorkspaceSettingsAnswer
from app.db.models import Workspace
from app.services import workspaces

router = APIRouter(prefix="/workspace", tags=["workspace"])

CHANGE = RequestBody(WorkspaceChanges)


@router.get("", summary="Get the workspace", responses=problem_answers())
async def get(platform: PlatformDep, actor: ActorDep) -> WorkspaceAnswer:
    """The workspace of the key, with its settings."""
    return _answer(await workspaces.get_workspace(platform, actor.workspace_id))


@router.patch("", summary="Change the settings", openapi_extra=CHANGE.openapi, responses=problem_answers(400, 413, 415))
async def change(
    body: Annotated[WorkspaceChanges, Depends(CHANGE)], platform: PlatformDep, actor: ActorDep
) -> WorkspaceAnswer:
    """Changes the settings given: `max_steps` (1 to 1000), `allow_drafts_beside_active`, `retention_days` (0 = for
    ever, null = as the installation says), `egress` (`mode` `public` or `listed`, `allow_hosts`)."""
    return _answer(await workspaces.update_settings(platform, actor.workspace_id, body.settings))


def _answer(workspace: Workspace) -> WorkspaceAnswer:
    return WorkspaceAnswer(
        id=workspace.workspace_id,
        name=workspace.name,
        settings=WorkspaceSettingsAnswer.model_validate(workspaces.settings_of(workspace)),
        created_at=workspace.created_at,
    )
