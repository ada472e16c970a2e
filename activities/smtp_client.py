"""A mail server as it is spoken to: over a connection that the egress rule let through. TLS verifies its name."""

import aiosmtplib

from activities.http_client import HttpClient
from app.catalog.connections import SmtpConfig, SmtpCredentials

COMMAND_SECONDS = 30.0


async def smtp_client(http: HttpClient, config: SmtpConfig, credentials: SmtpCredentials) -> aiosmtplib.SMTP:
    """A client that has its connection and still has to greet and log in: `async with` does. Raises `OSError`."""
    sock = await http.egress.connect(config.host, config.resolved_port)
    # An address literal (RFC 5321, 4.1.3) names this side without asking a name server about it.
    own = sock.getsockname()[0]
    return aiosmtplib.SMTP(
        hostname=config.host,
        sock=sock,
        local_hostname=f"[IPv6:{own}]" if ":" in own else f"[{own}]",
        username=credentials.username,
        password=credentials.password,
        use_tls=config.security == "tls",
        start_tls=config.security == "starttls",
        tls_context=http.tls,
        timeout=COMMAND_SECONDS,
    )
