"""How the API's server treats connections: what may wait on one and how long, before there is a request to look at.

uvicorn's parser keeps whatever head it is sent, for as long as that takes; here a head has a size and a time. Knows
nothing of the application.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_SECONDS = 20.0
"""From the first byte of a request (on a new connection: from its beginning) to the end of its head."""
MOST_HEAD_BYTES = 64 * 1024
"""What is kept of a head that has not ended. The application refuses smaller ones with more words."""
IDLE_SECONDS = 10
"""How long a connection may stay open with nothing asked over it."""


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 with bounds on the head of a request."""

    _in_head = True
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._in_head
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._in_head:
            # Empty lines between requests begin none, and would keep the connection open for ever.
            if self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None:
                self._arm()
            return
        self._head_bytes += len(data) if before else 0
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._arm()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._disarm()
        super().on_headers_complete()

    def _arm(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._refuse, 408)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int) -> None:
        self._disarm()
        if self.transport.is_closing():
            return
        if self._head_bytes:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


SERVER_OPTIONS: dict[str, Any] = {
    "http": BoundedHttp,
    "ws": "none",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    # Whom to believe about the client's address is `HOLDFAST_TRUSTED_PROXIES`' to say.
    "proxy_headers": False,
    "timeout_keep_alive": IDLE_SECONDS,
}
"""What uvicorn is told, besides where to listen."""
