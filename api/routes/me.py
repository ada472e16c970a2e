"""Whoever asks, as the API sees them."""

from fastapi import APIRouter

from api.dependencies import ActorDep, PlatformDep
from api.openapi import problem_answers
from api.schemas.api_keys import MeAnswer, MyWorkspaceAnswer
from app.security.permissions import PERMISSIONS
from app.services import workspaces
from app.services.actors import NO_WORKSPACE

router = APIRouter(prefix="/me", tags=["me"])


@router.get("", summary="Who am I", responses=problem_answers())
async def get(platform: PlatformDep, actor: ActorDep) -> MeAnswer:
    """Who asks, with a key or a token; in which workspace, and what may be done there."""
    workspace = None
    if actor.workspace_id != NO_WORKSPACE:
        row = await workspaces.get_workspace(platform, actor.workspace_id)
        workspace = MyWorkspaceAnswer(id=row.workspace_id, name=row.name)
    return MeAnswer(
        kind=actor.kind,
        name=actor.name,
        key_id=actor.key_id,
        subject=actor.subject,
        email=actor.email,
        workspace=workspace,
        role=actor.role,
        scopes=None if actor.scopes is None else sorted(actor.scopes),
        permissions=[permission for permission in PERMISSIONS if permission in actor.permissions],
        expires_at=actor.expires_at,
    )
