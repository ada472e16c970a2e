"""The keys of a workspace over HTTP. A key's text is answered when it is made, and never again."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep
from api.openapi import problem_answers
from api.schemas.api_keys import KeyAnswer, KeyChanges, KeyCreate, KeyRotation, KeyStatus, NewKeyAnswer
from api.schemas.base import ListAnswer
from app.db.models import ApiKey
from app.security import api_keys as key_text
from app.services import api_keys

router = APIRouter(prefix="/api-keys", tags=["api_keys"])

CREATE = RequestBody(KeyCreate)
CHANGE = RequestBody(KeyChanges)
ROTATE = RequestBody(KeyRotation, required=False)

KeyId = Annotated[UUID, Path(description="Id of the key.")]


@router.post(
    "", status_code=201, summary="Make a key", openapi_extra=CREATE.openapi, responses=problem_answers(400, 413, 415)
)
async def create(
    body: Annotated[KeyCreate, Depends(CREATE)], platform: PlatformDep, actor: ActorDep, response: Response
) -> NewKeyAnswer:
    """A further key of the workspace. `key` is its text, shown this once. It may do at most what you may."""
    row, text = await api_keys.create(platform, actor, body.model_dump())
    response.headers["Location"] = f"/v1/api-keys/{row.id}"
    return _with_text(row, text, response)


@router.get("", summary="List keys", responses=problem_answers())
async def list_keys(
    platform: PlatformDep,
    actor: ActorDep,
    status: Annotated[KeyStatus | None, Query(description="Only those that are so.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[KeyAnswer]:
    """The workspace's keys, those made last first; revoked ones too."""
    page = await api_keys.list_(platform, actor.workspace_id, status=status, limit=limit, cursor=cursor)
    return ListAnswer(items=[_answer(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/{key_id}", summary="Get a key", responses=problem_answers(404))
async def get(key_id: KeyId, platform: PlatformDep, actor: ActorDep) -> KeyAnswer:
    """The key, without its text."""
    return _answer(await api_keys.get(platform, actor.workspace_id, key_id))


@router.patch(
    "/{key_id}",
    summary="Change a key",
    openapi_extra=CHANGE.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def change(
    key_id: KeyId, body: Annotated[KeyChanges, Depends(CHANGE)], platform: PlatformDep, actor: ActorDep
) -> KeyAnswer:
    """Changes the fields given; other processes follow within seconds."""
    return _answer(await api_keys.change(platform, actor, key_id, body.model_dump(exclude_unset=True)))


@router.delete("/{key_id}", status_code=204, summary="Revoke a key", responses=problem_answers(404, 409))
async def revoke(key_id: KeyId, platform: PlatformDep, actor: ActorDep) -> None:
    """Ends the key for good, within seconds everywhere; streams it opened end too. It stays in the list."""
    await api_keys.revoke(platform, actor, key_id)


@router.post(
    "/{key_id}/rotate",
    summary="Give a key a new text",
    openapi_extra=ROTATE.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def rotate(
    key_id: KeyId,
    body: Annotated[KeyRotation, Depends(ROTATE)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> NewKeyAnswer:
    """The same key with a new text, shown this once. The old text works `grace_seconds` longer."""
    row, text = await api_keys.rotate(platform, actor, key_id, body.grace_seconds)
    return _with_text(row, text, response)


def _with_text(row: ApiKey, text: str, response: Response) -> NewKeyAnswer:
    response.headers["Cache-Control"] = "no-store"
    return NewKeyAnswer(**_shown(row), key=text)


def _answer(row: ApiKey) -> KeyAnswer:
    return KeyAnswer(**_shown(row))


def _shown(row: ApiKey) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "prefix": key_text.beginning(row.workspace_id, row.prefix),
        "role": row.role,
        "scopes": row.scopes,
        "status": api_keys.status_of(row),
        "created_by": row.created_by,
        "created_at": row.created_at,
        "last_used_at": row.last_used_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "previous_until": row.previous_until,
    }
