"""An installation whose names resolve to what a test says, and the ways in which an address can be written."""

import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from activities.http_client import HttpClient
from app.catalog.errors import ErrorType
from app.security.egress_hosts import EgressSettings
from app.security.name_lookups import NameLookups
from app.settings import Settings
from tests.support.invocations import ActionCaller

REFUSED = (ErrorType.EGRESS_BLOCKED, ErrorType.INVALID_URL, ErrorType.HOST_NOT_FOUND)

Names = dict[str, list[list[str]]]
"""What each name resolves to, look-up by look-up; the last answer stays."""
Installation = Callable[..., ActionCaller]


@asynccontextmanager
async def installations() -> AsyncIterator[Installation]:
    """`made(allow=("127.0.0.1",), names={...}, hosts=["a.example"])` calls actions under these rules."""
    clients: list[HttpClient] = []

    def made(
        *, allow: tuple[str, ...] = (), names: Names | None = None, hosts: list[str] | None = None, **more: Any
    ) -> ActionCaller:
        answers = {name: deque(each) for name, each in (names or {}).items()}

        def ask(host: str, port: int) -> list[Any]:
            if host not in answers:
                return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            found = answers[host].popleft() if len(answers[host]) > 1 else answers[host][0]
            return [
                (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
                for one in found
            ]

        settings = Settings(egress_allow=allow, **more)
        client = HttpClient(settings, names=NameLookups(ask, known_seconds=0))
        clients.append(client)
        if hosts is not None:
            listed = EgressSettings.model_validate({"mode": "listed", "allow_hosts": hosts})
            client = client.within("a workspace", listed.hosts())
        return ActionCaller(client, settings)

    yield made
    for client in clients:
        await client.close()


ODD = [
    "2130706433",
    "0x7f000001",
    "0X7F.1",
    "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "00000177.1",
    "127.1",
    "127.0.1",
    "0",
    "0x0",
    "127.0.0.1.",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]",
    "[fe80::1%25lo]",
    "[fd00:ec2::254]",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
]
"""Spellings of loopback and of cloud metadata."""
