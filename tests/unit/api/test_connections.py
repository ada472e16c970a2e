"""Clients that ask for something and do not read it: nothing waits for them for ever, and nothing is cut off for those
that read slowly."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from sse_starlette import ServerSentEvent
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api import connections
from api.streams import HeldStream
from tests.support.served import served

CHUNK = "x" * 200_000
WHOLE = 16 * 1024 * 1024
"""More than the kernel takes off the server's hands for a client that does not read."""


class Made:
    """What goes into an answer, and whether it was let go of."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def text(self) -> AsyncIterator[str]:
        try:
            while True:
                yield CHUNK
                await asyncio.sleep(0)
        finally:
            self.ended.set()

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        try:
            while True:
                yield ServerSentEvent(data=CHUNK)
                await asyncio.sleep(0)
        finally:
            self.ended.set()


def answering(response: Response) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await response(scope, receive, send)

    return app


async def asked(host: str, port: int, room: int = 4096) -> socket.socket:
    """A connection over which something was asked for, with little room for the answer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, (host, port))
    await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return client


@pytest.mark.parametrize("kind", ["file", "events"])
async def test_an_answer_that_is_not_read_ends_and_gives_back_its_place(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.05)
    made, given_back = Made(), asyncio.Event()
    if kind == "file":
        response: Response = StreamingResponse(made.text())
    else:
        response = HeldStream(made.events())
        response.give_back = given_back.set
    async with served(answering(response)) as address:
        with await asked(*address):
            async with asyncio.timeout(10):
                await made.ended.wait()
                if kind == "events":
                    await given_back.wait()


async def test_an_answer_that_was_made_at_once_is_not_kept_for_a_client_that_does_not_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.05)
    lost = asyncio.Event()

    class Seen(connections.BoundedHttp):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    monkeypatch.setitem(connections.SERVER_OPTIONS, "http", Seen)
    async with served(answering(Response(b"x" * WHOLE))) as address:
        with await asked(*address):
            async with asyncio.timeout(10):
                await lost.wait()


async def test_a_client_that_reads_slowly_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.1)
    looked = asyncio.Event()
    look = connections.BoundedHttp._look_at_reader

    def told(self: connections.BoundedHttp, before: int) -> None:
        look(self, before)
        looked.set()

    monkeypatch.setattr(connections.BoundedHttp, "_look_at_reader", told)
    loop = asyncio.get_running_loop()
    async with served(answering(Response(b"x" * WHOLE))) as address, asyncio.timeout(10):
        with await asked(*address, room=65536) as client:
            for _ in range(4):
                looked.clear()
                left = 2 * 65536
                while left > 0:
                    got = await loop.sock_recv(client, left)
                    assert got, "the rest is not sent"
                    left -= len(got)
                await looked.wait()
