"""The workspace's payload keys over HTTP. What they are is `app.services.payload_keys`'s; no answer holds a key."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from api.dependencies import ActorDep, PlatformDep
from api.openapi import problem_answers
from api.schemas.base import ListAnswer
from api.schemas.payload_keys import PayloadKeyAnswer
from app.db.models import PayloadKey
from app.services import payload_keys

router = APIRouter(prefix="/workspace/payload-keys", tags=["payload_keys"])


@router.post("", status_code=201, summary="Make a payload key", responses=problem_answers(409))
async def create(platform: PlatformDep, actor: ActorDep, response: Response) -> PayloadKeyAnswer:
    """A new key; payloads are encrypted with it within a minute, and the older ones only decrypt from then on."""
    key = await payload_keys.create(platform, actor.workspace_id, created_by=actor.name)
    response.headers["Location"] = "/v1/workspace/payload-keys"
    return _answer(key)


@router.get("", summary="List payload keys", responses=problem_answers())
async def list_keys(platform: PlatformDep, actor: ActorDep) -> ListAnswer[PayloadKeyAnswer]:
    """All keys there are and were, newest first."""
    found = await payload_keys.list_(platform, actor.workspace_id)
    return ListAnswer(items=[_answer(key) for key in found], next_cursor=None)


@router.delete("/{key_id}", status_code=204, summary="Delete a payload key", responses=problem_answers(404, 409))
async def delete(
    key_id: Annotated[UUID, Path(description="Id of the payload key.")],
    platform: PlatformDep,
    actor: ActorDep,
    end_runs: Annotated[bool, Query(description="Also while runs are under way that need it: they fail.")] = False,
) -> None:
    """Destroys the key: the histories it encrypted can never be read again. It must have been retired for a minute, by
    a newer one; the last key there is is retired by the first call, and deleted by one a minute later."""
    await payload_keys.delete(platform, actor.workspace_id, key_id, end_runs=end_runs)


def _answer(key: PayloadKey) -> PayloadKeyAnswer:
    used = "active" if key.retired_at is None else "retired"
    return PayloadKeyAnswer(
        id=key.id,
        status="deleted" if key.deleted_at is not None else used,
        created_by=key.created_by,
        created_at=key.created_at,
        deleted_at=key.deleted_at,
    )
