"""A mail server on loopback that speaks IMAP: pymap, with its mailboxes in memory."""

import asyncio
import imaplib
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer
from pysasl.hashing import BuiltinHash

T = TypeVar("T")

USER, PASSWORD = "support", "correct-horse"


@dataclass
class ImapServer:
    """The mailboxes of `USER`; mails are put in as a mail server would, and looked at as a person would."""

    host: str
    port: int
    _tls: ssl.SSLContext | None = None

    async def put(self, *mails: bytes, mailbox: str = "INBOX", date: str | None = None) -> None:
        """Mails come in, now or at this INTERNALDATE (`"01-Feb-2030 10:00:00 +0000"`)."""

        def put(client: imaplib.IMAP4) -> None:
            for raw in mails:
                assert client.append(mailbox, "", f'"{date}"' if date else "", raw)[0] == "OK"

        await self._as_user(put)

    async def make(self, mailbox: str) -> None:
        """Another mailbox."""
        await self._as_user(lambda client: client.create(mailbox))

    async def remake(self, mailbox: str) -> None:
        """The mailbox anew and empty, with other numbers."""

        def remake(client: imaplib.IMAP4) -> None:
            assert client.delete(mailbox)[0] == "OK"
            assert client.create(mailbox)[0] == "OK"

        await self._as_user(remake)

    async def flags(self, mailbox: str = "INBOX") -> list[str]:
        """The flags of each mail, in order, aside from whether anybody saw it come."""

        def flags(client: imaplib.IMAP4) -> list[str]:
            _, [count] = client.select(mailbox, readonly=True)
            if not int(count or 0):
                return []
            lines = client.fetch("1:*", "(FLAGS)")[1]
            found = [bytes(line).decode().partition("FLAGS (")[2].partition(")")[0] for line in lines if line]
            return [each.replace("\\Recent", "").strip() for each in found]

        return await self._as_user(flags)

    async def _as_user(self, act: Callable[[imaplib.IMAP4], T]) -> T:
        def do() -> T:
            with self._login() as client:
                return act(client)

        return await asyncio.to_thread(do)

    @contextmanager
    def _login(self) -> Iterator[imaplib.IMAP4]:
        if self._tls is None:
            client = imaplib.IMAP4(self.host, self.port, timeout=10)
        else:
            client = imaplib.IMAP4_SSL(self.host, self.port, ssl_context=self._tls, timeout=10)
        with client:
            client.login(USER, PASSWORD)
            yield client


@asynccontextmanager
async def open_imap_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, trusts: ssl.SSLContext | None = None
) -> AsyncIterator[ImapServer]:
    """On a free port of 127.0.0.1. With `tls` the whole connection is, and `trusts` is how the test's own look in."""
    arguments = Namespace(host=None, port=0, debug=False, cert=None, key=None, tls=starttls is not None)
    arguments = Namespace(**vars(arguments), passlib_cfg=None, proxy_protocol=None, inherited_sockets=None)
    arguments = Namespace(**vars(arguments), demo_data=False, demo_user=USER, demo_password=PASSWORD)
    # Half a million rounds for each login, as by default, are for passwords that somebody might guess.
    quick = BuiltinHash(rounds=1)
    overrides: dict[str, Any] = {"secure_auth": False, "ssl_context": starttls, "hash_context": quick}
    backend, config = await DictBackend.init(arguments, **overrides)
    config.apply_context()
    callback = ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(backend.login, config))
    server = await asyncio.start_server(callback, "127.0.0.1", 0, ssl=tls)
    try:
        yield ImapServer("127.0.0.1", server.sockets[0].getsockname()[1], trusts)
    finally:
        server.close()
