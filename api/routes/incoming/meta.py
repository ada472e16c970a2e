"""What Meta asks of an address: whether it is ours, and to take messages of Messenger and of WhatsApp's Cloud API."""

import json
import logging
import re
from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.problems import Refused
from api.reading import read_body
from api.routes.incoming.twilio import not_signed
from app.inbound.message import Message
from app.inbound.meta import read_messenger, read_whatsapp, told_of
from app.json import Json
from app.security.message_addresses import verify_token
from app.security.message_signatures import is_from_meta, same
from app.services import incoming
from app.services.incoming import Door, now
from app.services.platform import Platform

logger = logging.getLogger(__name__)

_CHALLENGE = re.compile(r"[A-Za-z0-9_.-]{1,200}")


def verified(request: Request, door: Door) -> Response:
    """The challenge, to whoever knows the verify token. Raises `Refused`."""
    asked = request.query_params
    if asked.get("hub.mode") != "subscribe" or not same(asked.get("hub.verify_token", ""), verify_token(door.token)):
        raise Refused(403, "message_not_verified", "The verify token is not the one of this address.")
    challenge = asked.get("hub.challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        raise Refused(400, "bad_request", "hub.challenge is missing, or is none.")
    return PlainTextResponse(challenge)


async def messenger(request: Request, platform: Platform, door: Door) -> Response:
    """Messages to a page."""
    return await _taken(request, platform, door, read_messenger, str(door.connection.config["page_id"]))


async def whatsapp(request: Request, platform: Platform, door: Door) -> Response:
    """Messages to a number."""
    return await _taken(request, platform, door, read_whatsapp, str(door.connection.config["phone_number_id"]))


async def _taken(
    request: Request, platform: Platform, door: Door, read: Callable[[Json, str, datetime], list[Message]], own_id: str
) -> Response:
    body = await read_body(request, platform.settings.max_body_bytes)
    signature = request.headers.get("x-hub-signature-256", "")
    if not is_from_meta(signature, body, door.connection.credentials["app_secret"]):
        raise not_signed()
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "malformed_json", "The body is no JSON.") from None
    await incoming.take(platform, door.workspace_id, door.connection.name, read(value, own_id, now()))
    if (others := told_of(value)) and own_id not in others:
        logger.warning(
            "what connection %s of workspace %s is told of is passed over: it is %s's, and the connection is of %s",
            *(door.connection.name, door.workspace_id, ", ".join(sorted(others)[:5]), own_id),
        )
    return PlainTextResponse("EVENT_RECEIVED")
