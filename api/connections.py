"""How the API's server treats connections: what may wait on one and how long, before there is a request to look at.

uvicorn's parser keeps whatever head it is sent, for as long as that takes; here a head has a size and a time. An answer
that nobody reads it keeps as well, and with it whatever makes the answer: here its reader has to take some of it every
while. Knows nothing of the application.
"""

import asyncio
import fcntl
import termios
from array import array
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_SECONDS = 20.0
"""From the first byte of a request (on a new connection: from its beginning) to the end of its head."""
MOST_HEAD_BYTES = 64 * 1024
"""What is kept of a head that has not ended. The application refuses smaller ones with more words."""
IDLE_SECONDS = 10
"""How long a connection may stay open with nothing asked over it."""
UNREAD_SECONDS = 30.0
LEAST_READ_BYTES = 4096
"""What a client must take of an answer that waits for it, each time so many seconds are over."""


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 with bounds on the head of a request, and on how long an answer lies unread."""

    _in_head = True
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._read_on()
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

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_on()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # To close is to wait until the rest is read.
        self._watch_reader()

    def _watch_reader(self) -> None:
        unread = _unread(self.transport)
        if unread and self._unread_timer is None:
            self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self._look_at_reader, unread)

    def _look_at_reader(self, before: int) -> None:
        self._unread_timer = None
        if _unread(self.transport) > before - LEAST_READ_BYTES:
            # Whoever makes the answer is told that the client is gone.
            self.transport.abort()
        else:
            self._watch_reader()

    def _read_on(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

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


def _unread(transport: asyncio.Transport) -> int:
    """Bytes that the client has not taken: what waits here, and what the kernel took off our hands meanwhile. That is
    megabytes, so that what waits here stays the same for a long time while somebody reads slowly."""
    waiting = array("i", [0])
    with suppress(OSError):  # closed meanwhile, or a system that does not tell
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, waiting)
    return transport.get_write_buffer_size() + waiting[0]


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
