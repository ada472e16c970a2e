"""What surrounds every request: an id to ask about it, and the answer of last resort. Knows no route."""

import json
import logging
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api import problems
from app.observing import context
from app.services.audit import asking

REQUEST_ID_HEADER = "X-Request-Id"

logger = logging.getLogger(__name__)

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestIdentity:
    """Gives each request an id (the caller's own, if it is a plain word) and answers what nothing else caught with 500.

    The 500 says the id and nothing of what broke: the log has the rest.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        with context.bound(request_id=request_id):
            await self._serve(request_id, scope, receive, send)

    async def _serve(self, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        try:
            with asking(None):  # until the key or token is looked at
                await self.app(scope, receive, send_named)
        except Exception:
            logger.exception("%s %s failed (request %s)", scope["method"], problems.shown(scope["path"]), request_id)
            if started:
                raise
            await _answer_broken(request_id, send_named)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _ACCEPTABLE_ID.fullmatch(given) else str(uuid7())


async def _answer_broken(request_id: str, send: Send) -> None:
    detail = "This is a mistake of the server, not of the request. The log of the API has more under the request_id."
    body = json.dumps(problems.document(request_id, 500, "internal_error", detail)).encode()
    headers = [
        (b"content-type", problems.MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
