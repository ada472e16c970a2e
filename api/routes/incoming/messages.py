"""The addresses that messages come in at: whose address it is, and from there to what knows that provider.

An address that is none of ours is answered with 404, whatever is wrong with it. Where nothing can be taken just
now, 503 is the answer and nothing is: the provider comes again.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import problems
from api.dependencies import PlatformDep
from api.problems import Refused
from api.routes.incoming import meta, sendgrid, twilio
from app.inbound.message import Unreadable
from app.services import incoming
from app.services.errors import Invalid, NotFound, TooLarge, Unavailable
from app.services.incoming import Door
from app.services.platform import Platform

router = APIRouter(prefix="/messages", include_in_schema=False)

logger = logging.getLogger(__name__)

Receive = Callable[[Request, Platform, Door], Awaitable[Response]]

_MESSAGES: Mapping[str, Receive] = {
    "twilio": twilio.message,
    "messenger": meta.messenger,
    "whatsapp": meta.whatsapp,
    "sendgrid": sendgrid.mail,
}
_CALLS: Mapping[str, Receive] = {
    "": twilio.call,
    "said": twilio.said,
    "transcript": twilio.said,
    "status": twilio.status,
}


@router.get("/{token}")
async def verify(token: str, request: Request, platform: PlatformDep) -> Response:
    """Meta asks whether the address is ours."""

    async def answer(request: Request, platform: Platform, door: Door) -> Response:
        if door.connection.kind not in ("messenger", "whatsapp"):
            detail = "This address takes POST, not GET."
            return problems.answer(request, 405, "method_not_allowed", detail, headers={"Allow": "POST"})
        return meta.verified(request, door)

    return await _at(token, request, platform, answer)


@router.post("/{token}")
async def message(token: str, request: Request, platform: PlatformDep) -> Response:
    """Messages of the provider whose address it is."""

    async def answer(request: Request, platform: Platform, door: Door) -> Response:
        return await _MESSAGES[door.connection.kind](request, platform, door)

    return await _at(token, request, platform, answer)


@router.post("/{token}/voice")
async def call(token: str, request: Request, platform: PlatformDep) -> Response:
    """A call comes in."""
    return await _told_of_call(token, "", request, platform)


@router.post("/{token}/voice/{part}")
async def told_of_call(token: str, part: str, request: Request, platform: PlatformDep) -> Response:
    """More is told of a call."""
    return await _told_of_call(token, part, request, platform)


async def _told_of_call(token: str, part: str, request: Request, platform: Platform) -> Response:
    async def answer(request: Request, platform: Platform, door: Door) -> Response:
        if door.connection.kind != "twilio" or part not in _CALLS:
            raise NotFound("address_not_found", "No messages are taken at this address.")
        return await _CALLS[part](request, platform, door)

    return await _at(token, request, platform, answer)


async def _at(token: str, request: Request, platform: Platform, answer: Receive) -> Response:
    try:
        door = await incoming.door(platform, token)
        return await _answered(request, platform, door, answer)
    except Unavailable as error:
        # Told here: the address, which a log of errors would hold, is a secret of two.
        logger.warning("messages cannot be taken: %s (%r)", error.detail, error.__cause__)
        return problems.answer(request, 503, error.code, error.detail)


async def _answered(request: Request, platform: Platform, door: Door, answer: Receive) -> Response:
    """The answer. A refusal is logged: most providers tell nobody of it, and a secret or an address may be wrong."""
    try:
        try:
            return await answer(request, platform, door)
        except Unreadable as error:
            raise Refused(422, "invalid_message", f"This is no message: {error}.") from None
    except (Refused, TooLarge, Invalid) as refusal:
        whose = door.connection.name, door.workspace_id
        logger.warning("a request for connection %s of workspace %s is refused: %s", *whose, refusal.detail)
        raise
