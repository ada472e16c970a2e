"""Members of the workspace over HTTP: list, add, change, remove."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep
from api.openapi import problem_answers
from api.schemas.base import ListAnswer
from api.schemas.people import MemberAnswer, MemberPatch, NewMemberRequest, RoleName
from app.security.permissions import Role
from app.services import members

router = APIRouter(prefix="/members", tags=["members"])

NEW = RequestBody(NewMemberRequest)
PATCH = RequestBody(MemberPatch)

MemberId = Annotated[UUID, Path(description="Id of the member.")]


@router.get("", summary="List members", responses=problem_answers())
async def list_members(
    *,
    platform: PlatformDep,
    actor: ActorDep,
    role: Annotated[RoleName | None, Query(description="Only those with this role.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[MemberAnswer]:
    """The people of the workspace, in the order they were added."""
    wanted = None if role is None else Role(role)
    page = await members.list_(platform, actor.workspace_id, role=wanted, limit=limit, cursor=cursor)
    items = [MemberAnswer.model_validate(member) for member in page.items]
    return ListAnswer(items=items, next_cursor=page.next_cursor)


@router.post(
    "",
    status_code=201,
    summary="Add a member",
    openapi_extra=NEW.openapi,
    responses=problem_answers(400, 409, 413, 415),
)
async def add(
    body: Annotated[NewMemberRequest, Depends(NEW)], platform: PlatformDep, actor: ActorDep, response: Response
) -> MemberAnswer:
    """From now on a token of this subject opens the workspace, with this role, which may at most what you may."""
    actor.require_reach(Role(body.role))
    member = await members.add(
        platform,
        actor.workspace_id,
        subject=body.subject,
        role=Role(body.role),
        name=body.name,
        email=body.email,
        by=actor.name,
    )
    response.headers["Location"] = f"/v1/members/{member.id}"
    return MemberAnswer.model_validate(member)


@router.get("/{member_id}", summary="Get a member", responses=problem_answers(404))
async def get(member_id: MemberId, platform: PlatformDep, actor: ActorDep) -> MemberAnswer:
    """The member."""
    return MemberAnswer.model_validate(await members.get(platform, actor.workspace_id, member_id))


@router.patch(
    "/{member_id}",
    summary="Change a member",
    openapi_extra=PATCH.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def change(
    member_id: MemberId, body: Annotated[MemberPatch, Depends(PATCH)], platform: PlatformDep, actor: ActorDep
) -> MemberAnswer:
    """Another role, name or address. The last administrator stays one (409)."""
    role = None if body.role is None else Role(body.role)
    if role is not None:
        actor.require_reach(role)
    changed = await members.change(platform, actor.workspace_id, member_id, role=role, name=body.name, email=body.email)
    return MemberAnswer.model_validate(changed)


@router.delete("/{member_id}", status_code=204, summary="Remove a member", responses=problem_answers(404, 409))
async def remove(member_id: MemberId, platform: PlatformDep, actor: ActorDep) -> None:
    """Their tokens open nothing here any more. The last administrator stays (409)."""
    await members.remove(platform, actor.workspace_id, member_id)
