"""What can be asked about a connection over HTTP: does it work, who uses it, where is it authorized."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from api.dependencies import ActorDep, PlatformDep
from api.openapi import problem_answers
from api.outgoing import OutgoingDep
from api.schemas.connection_use import (
    AuthorizationAnswer,
    TestAnswer,
    UsageAnswer,
    UsingStepAnswer,
    UsingWorkflowAnswer,
)
from app.services import connection_usage, oauth_authorizing

router = APIRouter(prefix="/connections/{connection_id}", tags=["connections"])

ConnectionId = Annotated[UUID, Path(description="Id of the connection.")]


@router.post("/test", summary="Test a connection", responses=problem_answers(404))
async def test(
    connection_id: ConnectionId, platform: PlatformDep, actor: ActorDep, outgoing: OutgoingDep
) -> TestAnswer:
    """Tries the connection as its kind is tried: a login, a token, the cheapest call that needs the credentials. Its
    `status` and `last_error` say from then on how that ended. One that does not work is answered with 200 as well."""
    result = await outgoing.tester.test(actor.workspace_id, connection_id)
    return TestAnswer(
        ok=result.ok,
        message=result.message,
        hint=result.hint,
        duration_ms=result.duration_ms,
        checked_at=result.checked_at,
    )


@router.post("/authorize", summary="Have a connection authorized", responses=problem_answers(404, 409))
async def authorize(connection_id: ConnectionId, platform: PlatformDep, actor: ActorDep) -> AuthorizationAnswer:
    """A link for whoever has the account at the provider. Tokens that the connection has stay good until it is used."""
    begun = await oauth_authorizing.begin(platform, actor.workspace_id, connection_id, actor.name)
    return AuthorizationAnswer(
        authorization_url=begun.url,
        expires_at=begun.expires_at,
        redirect_uri=oauth_authorizing.redirect_uri(platform.settings),
    )


@router.get("/usage", summary="See who uses a connection", responses=problem_answers(404))
async def usage(connection_id: ConnectionId, platform: PlatformDep, actor: ActorDep) -> UsageAnswer:
    """The workflows that name it, and whether messages come in over it: what would miss it."""
    found = await connection_usage.usage(platform, actor.workspace_id, connection_id)
    return UsageAnswer(
        in_use=bool(found.workflows or found.inbound),
        workflows=[
            UsingWorkflowAnswer(
                id=each.id,
                name=each.name,
                slug=each.slug,
                status=each.status,
                version=each.version,
                under_way=each.under_way,
                steps=[
                    UsingStepAnswer(path=place.path, step_id=place.step_id, step_name=place.step_name)
                    for place in each.places
                ],
            )
            for each in found.workflows
        ],
        inbound=found.inbound,
    )
