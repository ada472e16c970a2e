"""The outside world of `holdfast demo`, on loopback: a service that knows companies, and a mail server that delivers
nothing but keeps what it is given. What the demo makes of it is not known here.
"""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from app.embedded.ports import LOOPBACK

COMPANY = {"name": "Blauwe Kade Logistics", "team_size": 42, "city": "Rotterdam"}


@dataclass(frozen=True)
class Lookup:
    """A request the enrichment service got."""

    email: str
    idempotency_key: str


@dataclass(frozen=True)
class Mail:
    """A message the mail server took."""

    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        """Its text part."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).rstrip() if part is not None else ""


@dataclass
class Providers:
    """Where both listen, and what reached them, in order."""

    enrich_url: str = ""
    mail_port: int = 0
    lookups: list[Lookup] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)

    async def look_up(self, request: web.Request) -> web.Response:
        """`GET /v1/companies?email=...`."""
        key = request.headers.get("Idempotency-Key", "")
        self.lookups.append(Lookup(request.query.get("email", ""), key))
        return web.json_response({"company": COMPANY})

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Called by aiosmtpd with each message."""
        content = envelope.original_content or b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.mails.append(Mail(tuple(envelope.rcpt_tos), message))
        return "250 OK"


@asynccontextmanager
async def open_providers() -> AsyncIterator[Providers]:
    """Both servers on free ports, until the block ends."""
    providers = Providers()
    application = web.Application()
    application.router.add_get("/v1/companies", providers.look_up)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    loop = asyncio.get_running_loop()
    mail_server = await loop.create_server(lambda: SMTP(providers, hostname="localhost", loop=loop), LOOPBACK, 0)
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        providers.enrich_url = f"http://{LOOPBACK}:{runner.addresses[0][1]}/v1/companies"
        providers.mail_port = mail_server.sockets[0].getsockname()[1]
        yield providers
    finally:
        mail_server.close()
        await runner.cleanup()
