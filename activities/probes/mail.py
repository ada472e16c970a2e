"""Probes of mail servers: log in, and out again. No mail is sent, none is read."""

import asyncio
import ssl
from concurrent.futures import Executor

import aiosmtplib
from imapclient.exceptions import IMAPClientError, LoginError

from activities.base import ActionError
from activities.http_client import HttpClient
from activities.mailbox import OpenMailbox, failure
from activities.messages import cut_at_the_end
from activities.network_errors import network_failure
from activities.probes.base import Found, read
from activities.smtp_client import smtp_client
from activities.smtp_errors import action_error
from app.catalog.connections import SmtpConfig, SmtpCredentials
from app.catalog.errors import ErrorType
from app.catalog.messaging_connections import ImapConfig, ImapCredentials
from app.services.connections import ResolvedConnection


async def smtp(connection: ResolvedConnection, http: HttpClient) -> Found:
    """Connect as the connection says, log in where it has a user name."""
    config, credentials = read(SmtpConfig, connection.config), read(SmtpCredentials, connection.credentials)
    server = f"{config.host}:{config.resolved_port}"
    try:
        async with await smtp_client(http, config, credentials) as client:
            await client.noop()
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
        raise action_error(server, error) from error
    if credentials.username is None:
        return Found(f"{server} answers; no user name is given, so none was tried", checked=True)
    return Found(f"{server} took the user name and password")


async def imap(connection: ResolvedConnection, http: HttpClient, *, threads: Executor) -> Found:
    """Log in and open the mailbox, read-only. What waits for the server does so in one of the threads."""
    loop = asyncio.get_running_loop()
    config, credentials = read(ImapConfig, connection.config), read(ImapCredentials, connection.credentials)
    untouched = config.model_copy(update={"after": "keep"})
    try:
        sock = await http.egress.connect(config.host, config.resolved_port)
        with cut_at_the_end(sock):
            box = await loop.run_in_executor(threads, OpenMailbox, sock, untouched, credentials, http.tls)
            await loop.run_in_executor(threads, box.close)
    except (OSError, IMAPClientError, UnicodeError) as error:
        known = network_failure(error)
        type = ErrorType.PROVIDER_AUTH if isinstance(error, LoginError) else ErrorType.PROVIDER_REJECTED
        raise ActionError(known[0] if known else type, failure(config, credentials, error)) from error
    return Found(f"{config.host}:{config.resolved_port} opened the mailbox {config.mailbox}")
