"""Which pages of other origins may call the API from a browser: those `HOLDFAST_CORS_ORIGINS` lists, and no others.

Nothing is said to other origins, so that browsers keep the answer from them. Cookies play no part: keys are sent in
`Authorization`. Only `/v1` is open so; pages, webhooks and forms are not called from scripts of others.
"""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_TAKEN = (
    "Authorization",
    "Content-Type",
    "Holdfast-Workspace",
    "Idempotency-Key",
    "If-Match",
    "Last-Event-ID",
    "Prefer",
    "X-Request-Id",
    "traceparent",
    "tracestate",
    # An event in binary mode. One with attributes of its own is sent as JSON, where they need no headers.
    "ce-dataschema",
    "ce-id",
    "ce-source",
    "ce-specversion",
    "ce-subject",
    "ce-time",
    "ce-type",
)
_SHOWN = (
    "Allow",
    "Content-Disposition",
    "ETag",
    "Holdfast-Run",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
)
_AGAIN_SECONDS = 600


class Cors:
    """Says to browsers what the installation's list of origins allows."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._open: CORSMiddleware | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listed = scope["app"].state.platform.settings.cors_origins if scope["type"] == "http" else ()
        if not listed or not scope["path"].startswith("/v1/") or Headers(scope=scope).get("origin") not in listed:
            await self.app(scope, receive, send)
            return
        if self._open is None:
            self._open = CORSMiddleware(
                self.app,
                allow_origins=listed,
                allow_methods=_METHODS,
                allow_headers=_TAKEN,
                expose_headers=_SHOWN,
                max_age=_AGAIN_SECONDS,
            )
        await self._open(scope, receive, send)
