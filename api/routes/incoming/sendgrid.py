"""What SendGrid's inbound parse asks of an address: to take a mail. Signed where the connection has a key for it."""

import asyncio

from python_multipart.multipart import parse_options_header
from starlette.requests import Request
from starlette.responses import Response

from api.problems import Refused
from api.reading import read_body
from api.routes.incoming.twilio import not_signed
from app.inbound.message import Message
from app.inbound.multipart import Malformed, Part, read_parts
from app.inbound.sendgrid import read_parse
from app.security.message_signatures import is_from_sendgrid
from app.services import incoming
from app.services.incoming import Door, now
from app.services.mailboxes import ENVELOPE_BYTES
from app.services.platform import Platform

MOST_BYTES = 32 * 1024 * 1024
"""SendGrid takes mails of up to 30 MB. What does not fit into an event is named in it."""

AT_ONCE = 4
"""Mails that are held in memory, several times over, while they are read: anybody may send many large ones."""

_gate = asyncio.Semaphore(AT_ONCE)


async def mail(request: Request, platform: Platform, door: Door) -> Response:
    """One mail."""
    async with _gate:
        message = await _read(request, platform, door)
    await incoming.take(platform, door.workspace_id, door.connection.name, [message])
    return Response()


async def _read(request: Request, platform: Platform, door: Door) -> Message:
    body = await read_body(request, max(MOST_BYTES, platform.settings.max_body_bytes))
    key = door.connection.config.get("verification_key")
    headers = request.headers
    signature = headers.get("x-twilio-email-event-webhook-signature", "")
    timestamp = headers.get("x-twilio-email-event-webhook-timestamp", "")
    if key is not None and not is_from_sendgrid(signature, timestamp, body, key):
        raise not_signed()
    received, limit = now(), platform.settings.max_event_bytes - ENVELOPE_BYTES

    def read() -> Message:
        return read_parse(_parts(body, headers.get("content-type", "")), received).message(limit)

    # A mail of thirty megabytes takes its time, and others wait.
    return await asyncio.to_thread(read)


def _parts(body: bytes, content_type: str) -> list[Part]:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refused(415, "unsupported_media_type", "The body is no multipart/form-data with a boundary.")
    try:
        return read_parts(options[b"boundary"], body)
    except Malformed as error:
        raise Refused(400, "bad_request", f"The form cannot be read: {error}.") from None
