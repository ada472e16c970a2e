"""Whether messages come in over a connection, over HTTP. The addresses themselves are served in `incoming/`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api.dependencies import ActorDep, PlatformDep
from api.openapi import problem_answers
from api.permissions import PERMISSION_OF
from api.schemas.inbound import EnterAnswer, InboundAnswer, MailboxAnswer
from app.definition.triggers.message import message_source
from app.security.message_addresses import verify_token
from app.services import message_addresses
from app.services.actors import Actor
from app.services.message_addresses import Receiving
from app.settings import Settings

router = APIRouter(prefix="/connections/{connection_id}/inbound", tags=["connections"])

ConnectionId = Annotated[UUID, Path(description="Id of the connection.")]


@router.post(
    "",
    status_code=201,
    summary="Let messages come in over a connection",
    responses={**problem_answers(404, 409), 200: {"model": InboundAnswer, "description": "They come in already"}},
)
async def receive(
    connection_id: ConnectionId, platform: PlatformDep, actor: ActorDep, response: Response
) -> InboundAnswer:
    """Gives the connection an address of its own and says what to enter at the provider; a mailbox is looked into from
    now on. Asked again, it answers the same."""
    receiving, is_new = await message_addresses.open_(platform, actor.workspace_id, connection_id)
    if not is_new:
        response.status_code = 200
    return _answer(receiving, platform.settings, actor)


@router.get("", summary="See how messages come in over a connection", responses=problem_answers(404, 409))
async def show(connection_id: ConnectionId, platform: PlatformDep, actor: ActorDep) -> InboundAnswer:
    """The address and what to enter at the provider, or how the mailbox does."""
    return _answer(await message_addresses.get(platform, actor.workspace_id, connection_id), platform.settings, actor)


@router.post("/rotate", summary="Give a connection another address", responses=problem_answers(404, 409))
async def rotate(connection_id: ConnectionId, platform: PlatformDep, actor: ActorDep) -> InboundAnswer:
    """A new address and verify token. The ones before work for another day."""
    return _answer(
        await message_addresses.rotate(platform, actor.workspace_id, connection_id), platform.settings, actor
    )


@router.delete(
    "", status_code=204, summary="Let no more messages come in over a connection", responses=problem_answers(404, 409)
)
async def stop(connection_id: ConnectionId, platform: PlatformDep, actor: ActorDep) -> None:
    """Its address leads nowhere from now on; a mailbox is no longer looked into."""
    await message_addresses.close(platform, actor.workspace_id, connection_id)


def _answer(receiving: Receiving, settings: Settings, actor: Actor) -> InboundAnswer:
    connection, box = receiving.connection, receiving.mailbox
    # Who knows the address may send messages in others' names: it is for those who could make one.
    token = receiving.token if actor.may(PERMISSION_OF["connections_receive"]) else None
    address = None if token is None else f"{settings.resolved_public_url}/messages/{token}"
    return InboundAnswer(
        connection_id=connection.id,
        connection=connection.name,
        kind=connection.kind,
        channels=list(receiving.channels),
        source=message_source(connection.name),
        address=address,
        enter=[] if address is None else _enter(connection.kind, address, token or ""),
        previous_until=receiving.previous_until,
        mailbox=None
        if box is None
        else MailboxAnswer(looked_into_at=box.polled_at, due_at=box.due_at, failures=box.failures),
        since=receiving.since,
    )


def _enter(kind: str, address: str, token: str) -> list[EnterAnswer]:
    if kind == "twilio":
        wanted = [
            ("Phone number, Messaging: A message comes in (Webhook, HTTP POST)", address),
            ("Phone number, Voice: A call comes in (Webhook, HTTP POST)", f"{address}/voice"),
            ("Phone number, Voice: Call status changes", f"{address}/voice/status"),
            ("WhatsApp sender: Webhook URL for incoming messages (HTTP POST)", address),
        ]
    elif kind == "sendgrid":
        wanted = [("Settings, Inbound Parse: Destination URL", address)]
    else:
        wanted = [
            ("App, Webhooks: Callback URL (subscribe to messages)", address),
            ("App, Webhooks: Verify token", verify_token(token)),
        ]
        if kind == "messenger":
            wanted[0] = ("App, Webhooks: Callback URL (subscribe to messages, messaging_postbacks)", address)
    return [EnterAnswer(where=where, value=value) for where, value in wanted]
