"""Every request is seen once it is answered: a line in the log, counted, and a span where traces are on. By the route's
template, never by the address as it was sent: the rest of some addresses is what opens them.
"""

import logging
import time
from contextlib import ExitStack

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observing import context
from app.observing.metrics import METHODS, OTHER, UNKNOWN_ROUTE
from app.services.platform import Platform

_PROBES = frozenset({"/healthz", "/readyz"})
API = "/v1"
_STREAM = b"text/event-stream"

logger = logging.getLogger("holdfast.access")


class Access:
    """Stands inside `RequestIdentity`, which gives what happens here its id and answers what broke."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        platform = None if scope["type"] != "http" else getattr(scope["app"].state, "platform", None)
        if platform is None:
            await self.app(scope, receive, send)
        else:
            await _Request(platform, scope).serve(self.app, receive, send)


class _Request:
    def __init__(self, platform: Platform, scope: Scope) -> None:
        self._scope = scope
        self._method = scope["method"] if scope["method"] in METHODS else OTHER
        self._metrics = platform.observing.metrics
        self._traces = platform.observing.traces
        self._status = 500
        self._streams = False

    async def serve(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._begins(message)
            await send(message)

        started = time.perf_counter()
        self._metrics.requests_in_flight.inc()
        with ExitStack() as around:
            span = self._traces and around.enter_context(self._traces.request(self._method, Headers(scope=self._scope)))
            try:
                await app(self._scope, receive, seen)
            except BaseException:
                self._status = 500
                raise
            finally:
                self._ended(time.perf_counter() - started)
                if span and self._traces:
                    self._traces.answered(span, self._method, self._route, self._status, context.facts())

    def _begins(self, message: Message) -> None:
        self._status = message["status"]
        if any(name == b"content-type" and value.startswith(_STREAM) for name, value in message["headers"]):
            self._streams = True
            self._metrics.requests_in_flight.dec()
            self._metrics.streams.inc()

    @property
    def _route(self) -> str:
        """The template of what was matched: `/v1/runs/{run_id}`."""
        route: str | None = getattr(self._scope.get("route"), "path", None)
        if route is None:
            return UNKNOWN_ROUTE
        # A route knows nothing of the prefix it was included with.
        return f"{API}{route}" if self._scope["path"].startswith(f"{API}/") else route

    def _ended(self, seconds: float) -> None:
        (self._metrics.streams if self._streams else self._metrics.requests_in_flight).dec()
        self._metrics.answered(self._method, self._route, self._status, seconds)
        route, took = self._route, round(seconds * 1000, 1)
        level = logging.DEBUG if route in _PROBES and self._status < 400 else logging.INFO
        if logger.isEnabledFor(level):
            facts = {"method": self._method, "route": route, "status": self._status, "duration_ms": took}
            logger.log(level, "%s %s %d", self._method, route, self._status, extra={"facts": facts})
