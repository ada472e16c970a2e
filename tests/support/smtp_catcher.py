"""A mail server on loopback that keeps what it is given, and refuses what it is told to refuse."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Mail:
    """A message as it was handed over."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    content: bytes

    def part(self, content_type: str) -> str:
        """The text of the first part of that type, without the line end at its end."""
        for part in self.message.walk():
            if part.get_content_type() == content_type:
                return str(part.get_content()).rstrip("\r\n")
        raise AssertionError(f"no part {content_type}: {[part.get_content_type() for part in self.message.walk()]}")


class SmtpCatcher:
    """`mails` in the order they came. `refuse_recipients` get 550; `answer_data` holds answers instead of 250."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.mails: list[Mail] = []
        self.logins: list[str] = []
        self.refuse_recipients: set[str] = set()
        self.answer_data: list[str] = []

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refuse_recipients:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer_data:
            return self.answer_data.pop(0)
        content = envelope.original_content or b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(Mail(envelope.mail_from or "", list(envelope.rcpt_tos), message, content))
        return "250 OK"


@asynccontextmanager
async def open_smtp_catcher(
    *,
    credentials: tuple[str, str] | None = None,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[SmtpCatcher]:
    """A catcher on a free port of 127.0.0.1. With `credentials` it takes mail only after that login."""
    catcher = SmtpCatcher()

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        login = (data.login.decode(), data.password.decode())
        catcher.logins.append(login[0])
        return AuthResult(success=login == credentials, handled=login == credentials)

    def protocol() -> SMTP:
        return SMTP(
            catcher,
            hostname="localhost",
            loop=asyncio.get_running_loop(),
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate if credentials else None,
            auth_required=credentials is not None,
            auth_require_tls=False,
            data_size_limit=None,
        )

    server = await asyncio.get_running_loop().create_server(protocol, catcher.host, 0, ssl=tls)
    catcher.port = server.sockets[0].getsockname()[1]
    try:
        yield catcher
    finally:
        server.close()
        await server.wait_closed()
