"""What every answer tells browsers to refuse, whoever made it. What a page needs beyond that it says itself.

An answer that brings a policy of its own (`Content-Security-Policy`) keeps it, and decides about frames with it.
"""

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of all that is no page."""
APART = (
    "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts "
    "allow-top-navigation-by-user-activation"
)
"""For what a run answers: its scripts belong to an origin of their own, never to this one."""
_NEVER = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()"
)
_HSTS = f"max-age={365 * 24 * 3600}"
_CACHED = ("/static-offline-docs/",)
"""The same for everybody, and large."""

_INLINE = {kind: re.compile(rf"<{kind}>(.*?)</{kind}>", re.DOTALL | re.IGNORECASE) for kind in ("script", "style")}


class SecurityHeaders:
    """The outermost of what surrounds the routes, so that no answer goes without."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                _secure(MutableHeaders(scope=message), scope)
            await send(message)

        await self.app(scope, receive, send_secured)


def digests(html: str, kind: str) -> str:
    """The sources of a policy that let the inline scripts, or styles, of a page through and no others."""
    return " ".join(f"'sha256-{_digest(found)}'" for found in _INLINE[kind].findall(html))


def _secure(headers: MutableHeaders, scope: Scope) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Permissions-Policy", _NEVER)
    if "content-security-policy" not in headers:
        headers["Content-Security-Policy"] = NOTHING
        headers["X-Frame-Options"] = "DENY"
    if not scope["path"].startswith(_CACHED):
        headers.setdefault("Cache-Control", "no-store")
    if (scope["app"].state.platform.settings.public_url or "").startswith("https://"):
        headers["Strict-Transport-Security"] = _HSTS


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
