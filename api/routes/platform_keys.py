"""Keys of the platform's administrator over HTTP: list, make, revoke."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep
from api.openapi import problem_answers
from api.schemas.base import ListAnswer
from api.schemas.people import NewPlatformKeyAnswer, NewPlatformKeyRequest, PlatformKeyAnswer
from app.services import platform_keys

router = APIRouter(prefix="/platform-keys", tags=["platform-keys"])

NEW = RequestBody(NewPlatformKeyRequest)


@router.get("", summary="List platform keys", responses=problem_answers())
async def list_keys(platform: PlatformDep, limit: Limit = 50, cursor: Cursor = None) -> ListAnswer[PlatformKeyAnswer]:
    """All there were made, revoked ones as well, in that order."""
    page = await platform_keys.list_(platform, limit=limit, cursor=cursor)
    items = [PlatformKeyAnswer.model_validate(row) for row in page.items]
    return ListAnswer(items=items, next_cursor=page.next_cursor)


@router.post(
    "",
    status_code=201,
    summary="Make a platform key",
    openapi_extra=NEW.openapi,
    responses=problem_answers(400, 413, 415),
)
async def create(
    body: Annotated[NewPlatformKeyRequest, Depends(NEW)], platform: PlatformDep, actor: ActorDep
) -> NewPlatformKeyAnswer:
    """A further key, which is shown in this answer alone."""
    row, key = await platform_keys.create(platform, body.name, expires_at=body.expires_at, by=actor.name)
    return NewPlatformKeyAnswer(**PlatformKeyAnswer.model_validate(row).model_dump(), api_key=key)


@router.delete("/{key_id}", status_code=204, summary="Revoke a platform key", responses=problem_answers(404, 409))
async def revoke(key_id: Annotated[UUID, Path(description="Id of the key.")], platform: PlatformDep) -> None:
    """Ends it, everywhere within seconds. The last one that works stays (409)."""
    await platform_keys.revoke(platform, key_id)
