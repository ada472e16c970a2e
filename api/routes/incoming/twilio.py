"""What Twilio asks of an address: to take a message, to answer a call, to hear what became of it. Answers are TwiML.

Every request is signed, over the address as Twilio knows it: the public one, whatever a proxy made of it.
"""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from api.bodies import media_type_of
from api.problems import Refused
from api.reading import read_body
from app.definition.triggers.message import DEFAULT_GREETING, DEFAULT_LANGUAGE, DEFAULT_SECONDS, message_event
from app.inbound import calls as told
from app.inbound import twiml
from app.inbound.message import Unreadable
from app.inbound.twilio import is_status, read_message
from app.json import JsonObject
from app.security.message_signatures import is_from_twilio
from app.services import calls, incoming
from app.services.incoming import Door, now
from app.services.platform import Platform

MOST_FIELDS = 1000


async def message(request: Request, platform: Platform, door: Door) -> Response:
    """An SMS, or a message of WhatsApp or Messenger. What becomes of one that was sent is no message."""
    form = await _signed(request, platform, door)
    if is_status(form):
        return _xml(twiml.EMPTY)
    if "CallSid" in form:
        raise Unreadable("calls go to the address that ends in /voice")
    answer = await incoming.take_and_answer(platform, door, read_message(form, now()))
    return _xml(twiml.EMPTY if answer is None else twiml.answer(answer["body"], answer["headers"]))


async def call(request: Request, platform: Platform, door: Door) -> Response:
    """Somebody calls: greet them, and take down what they say."""
    form = await _signed(request, platform, door)
    id = told.call_id(form)
    await calls.heard(platform, door, id, told.heard(form))
    options = await _greeting(platform, door)
    address = f"{platform.settings.resolved_public_url}/messages/{door.token}/voice"
    return _xml(
        twiml.listen(
            greeting=options.get("greeting", DEFAULT_GREETING),
            language=options.get("language", DEFAULT_LANGUAGE),
            max_seconds=options.get("max_seconds", DEFAULT_SECONDS),
            said=f"{address}/said",
            transcript=f"{address}/transcript",
        )
    )


async def said(request: Request, platform: Platform, door: Door) -> Response:
    """What the caller said: as a recording, as its transcript, or as speech that was recognised."""
    form = await _signed(request, platform, door)
    await calls.heard(platform, door, told.call_id(form), told.heard(form))
    return _xml(twiml.HANG_UP)


async def status(request: Request, platform: Platform, door: Door) -> Response:
    """The call is over. Calls that were made from here are not told of."""
    form = await _signed(request, platform, door)
    id = told.call_id(form)
    if told.is_ours(form):
        await calls.heard(platform, door, id, told.heard(form, over=True))
    return _xml(twiml.EMPTY)


async def _greeting(platform: Platform, door: Door) -> JsonObject:
    """What the first trigger for calls to this number says that says anything."""
    found = await incoming.listening(platform, door, message_event("voice"))
    own = ("greeting", "language", "max_seconds")
    said = ({name: each.options[name] for name in own if name in each.options} for each in found)
    return next((options for options in said if options), {})


async def _signed(request: Request, platform: Platform, door: Door) -> dict[str, str]:
    """The parameters, once it is sure that they are Twilio's. Raises `Refused`."""
    if (sent := media_type_of(request)) != "application/x-www-form-urlencoded":
        raise Refused(415, "unsupported_media_type", f"The body is sent as {sent}; this address takes a form.")
    body = await read_body(request, platform.settings.max_body_bytes)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS, separator="&"
        )
    except ValueError:
        raise Refused(400, "bad_request", "The form cannot be read.") from None
    query = request.scope["query_string"].decode("latin-1")
    url = f"{platform.settings.resolved_public_url}{request.scope['path']}{'?' if query else ''}{query}"
    signature = request.headers.get("x-twilio-signature", "")
    if not is_from_twilio(signature, url, pairs, door.connection.credentials["auth_token"]):
        raise not_signed()
    return dict(pairs)


def not_signed() -> Refused:
    """One refusal for a signature that is missing and one that is wrong."""
    return Refused(403, "message_not_signed", "The request is not signed as the provider of this address signs.")


def _xml(text: str) -> Response:
    return Response(text, media_type=twiml.MEDIA_TYPE)
