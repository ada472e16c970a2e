"""Whether a workspace may be used now: not while it is suspended, and never again once it is being deleted.

Asked before every call under `/v1` and before anything from outside starts something. What is under way in a suspended
workspace goes on. A process believes what it knows for some seconds, as it does of keys.
"""

from uuid import UUID

from app.services.actors import NO_WORKSPACE
from app.services.errors import Forbidden, NotFound, Unauthenticated
from app.services.platform import Platform
from app.store import workspaces


async def require_usable(platform: Platform, workspace_id: UUID) -> None:
    """For callers with a key or a token. Raises `Forbidden` (`workspace_suspended`), or `Unauthenticated` for a
    workspace that is gone, as its keys are."""
    state = await state_of(platform, workspace_id)
    if state == "suspended":
        raise Forbidden(
            "workspace_suspended",
            "This workspace is suspended: nothing new starts in it until whoever runs this installation resumes it.",
        )
    if state != "active":
        raise Unauthenticated("workspace_deleted", "The workspace this is for was deleted.")


async def require_open(platform: Platform, workspace_id: UUID) -> None:
    """For what comes in at addresses of the workspace without a key (webhooks, forms, messages). Raises `Forbidden`
    (`workspace_suspended`), or `NotFound` for a workspace that is gone, as its addresses are."""
    try:
        await require_usable(platform, workspace_id)
    except Unauthenticated:
        raise NotFound("not_found", "Nothing is served at this address.") from None


async def state_of(platform: Platform, workspace_id: UUID) -> str | None:
    """active, suspended or deleting; None for one that is gone. Known for some seconds."""
    if workspace_id == NO_WORKSPACE:
        return "active"
    known = platform.standings.get(workspace_id)
    if known is not None:
        return known or None
    async with platform.database.transaction(workspace_id) as session:
        row = await workspaces.find(session, workspace_id)
    state = None if row is None else row.state
    platform.standings.put(workspace_id, state or "")
    return state
