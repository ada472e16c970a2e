"""Connections over HTTP. Credentials are taken and never given back."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Force, Limit, PlatformDep
from api.openapi import problem_answers
from api.presenting import connection_answer
from api.schemas.base import ListAnswer
from api.schemas.connections import ConnectionAnswer, ConnectionChanges, ConnectionCreate
from app.services import connections

router = APIRouter(prefix="/connections", tags=["connections"])

CREATE = RequestBody(ConnectionCreate)
CHANGE = RequestBody(ConnectionChanges)

ConnectionId = Annotated[UUID, Path(description="Id of the connection.")]


@router.post(
    "",
    status_code=201,
    summary="Make a connection",
    openapi_extra=CREATE.openapi,
    responses=problem_answers(400, 409, 413, 415),
)
async def create(
    body: Annotated[ConnectionCreate, Depends(CREATE)], platform: PlatformDep, actor: ActorDep, response: Response
) -> ConnectionAnswer:
    """A connection that steps use by its name."""
    connection = await connections.create(platform, actor.workspace_id, **body.model_dump())
    response.headers["Location"] = f"/v1/connections/{connection.id}"
    return connection_answer(connection)


@router.get("", summary="List connections", responses=problem_answers())
async def list_connections(
    platform: PlatformDep,
    actor: ActorDep,
    *,
    kind: Annotated[str | None, Query(description="Only those of this kind.", max_length=100)] = None,
    status: Annotated[
        Literal["active", "expired", "revoked", "error"] | None, Query(description="Only those in this state.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[ConnectionAnswer]:
    """The workspace's connections."""
    page = await connections.list_(platform, actor.workspace_id, kind=kind, status=status, limit=limit, cursor=cursor)
    return ListAnswer(items=[connection_answer(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/{connection_id}", summary="Get a connection", responses=problem_answers(404))
async def get(connection_id: ConnectionId, platform: PlatformDep, actor: ActorDep) -> ConnectionAnswer:
    """The connection; of its credentials only which fields are there."""
    return connection_answer(await connections.get(platform, actor.workspace_id, connection_id))


@router.patch(
    "/{connection_id}",
    summary="Change a connection",
    openapi_extra=CHANGE.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def change(
    connection_id: ConnectionId,
    body: Annotated[ConnectionChanges, Depends(CHANGE)],
    platform: PlatformDep,
    actor: ActorDep,
) -> ConnectionAnswer:
    """Changes the fields given; steps use it so from their next attempt on. The server that kept credentials go to
    changes together with them alone; the name not while workflows have it (409, with what uses it)."""
    changes = body.model_dump(exclude_unset=True)
    return connection_answer(await connections.update(platform, actor.workspace_id, connection_id, changes))


@router.delete("/{connection_id}", status_code=204, summary="Delete a connection", responses=problem_answers(404, 409))
async def delete(
    connection_id: ConnectionId,
    platform: PlatformDep,
    actor: ActorDep,
    force: Force,
) -> None:
    """Deletes it with its credentials. One that is used stays (409, with what uses it); deleted all the same with
    `force`, the steps that name it fail from then on."""
    await connections.delete(platform, actor.workspace_id, connection_id, force=force)
