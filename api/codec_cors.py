"""Lets pages of Temporal's UI, and of nobody else, call the codec from a browser (CORS). No other path is opened."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.settings import Settings

PATH = "/codec/"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Namespace, Authorization-Extras",
    "Access-Control-Max-Age": "600",
}


def ui_origin(settings: Settings) -> str:
    """The origin of Temporal's UI as browsers send it."""
    parts = urlsplit(settings.resolved_temporal_ui_url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class CodecCors:
    """Answers preflights of the codec and names the one origin that may read its answers, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH) or not _is_from_ui(scope):
            await self.app(scope, receive, send)
            return
        origin = Headers(scope=scope)["origin"]
        allowed = {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(allowed)
            await send(message)

        if scope["method"] == "OPTIONS":
            headers = [(name.lower().encode(), value.encode()) for name, value in _PREFLIGHT.items()]
            await send_allowed({"type": "http.response.start", "status": 204, "headers": headers})
            await send_allowed({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send_allowed)


def _is_from_ui(scope: Scope) -> bool:
    origin = Headers(scope=scope).get("origin")
    return origin is not None and origin == ui_origin(scope["app"].state.platform.settings)
