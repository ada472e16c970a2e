"""Tests of connections, for the people who look after them: does it work, and if not, what is to be done.

How each kind is tried is in `probes/`. One test makes few calls and ends in time, whatever the other side does.
"""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from traceback import format_exception
from types import MappingProxyType
from uuid import UUID

from activities.base import ActionError
from activities.confidential import secrets_in
from activities.http_client import HttpClient
from activities.probes.base import Found, Probe
from activities.probes.mail import imap, smtp
from activities.probes.places import AT_ONCE, Places
from activities.probes.providers import ADDRESSES, provider_probes
from activities.probes.web import http_api, wants_another_token, webhook
from app.catalog.errors import ErrorType
from app.security.masking import Mask
from app.services import connections, egress, oauth_state
from app.services.connections import ResolvedConnection
from app.services.errors import Conflict, ServiceError
from app.services.oauth_exchange import TokenError
from app.services.oauth_tokens import OAuthTokens
from app.services.platform import Platform

TEST_SECONDS = 25.0
LONGEST_MESSAGE = 1000

_HINTS = MappingProxyType(
    {
        ErrorType.CONNECTION_INVALID: "Change the connection: PATCH /v1/connections/{id}.",
        ErrorType.EGRESS_BLOCKED: "A workspace that keeps to a list of hosts reaches those of its setting "
        "egress.allow_hosts alone. Private addresses are refused; HOLDFAST_EGRESS_ALLOW names those that are not.",
        ErrorType.HOST_NOT_FOUND: "Is the host's name spelled right?",
        ErrorType.CONNECTION_FAILED: "Are host and port right? Does the server run, and a firewall let calls through?",
        ErrorType.TLS_FAILED: "Does security fit the port (tls: 465 or 993, starttls: 587 or 143)? Is the certificate "
        "one of this host, and trusted here?",
        ErrorType.TIMEOUT: "Is the port right? A firewall that drops calls looks like this as well.",
        ErrorType.PROVIDER_AUTH: "Enter the credentials anew: PATCH /v1/connections/{id}.",
        ErrorType.PROVIDER_UNAVAILABLE: "The provider has trouble: test again later.",
        ErrorType.RATE_LIMITED: "The provider asks for patience: test again later.",
        ErrorType.PROVIDER_REJECTED: "Is everything in config as the provider names it?",
    }
)
_AUTH_HINTS = MappingProxyType(
    {
        "smtp": "Enter the user name and password anew. With two-factor sign-in the server wants an app password.",
        "imap": "Enter the user name and password anew. With two-factor sign-in the server wants an app password.",
        "twilio": "Is account_sid the one the auth token is of? Both stand on the console's first page.",
        "oauth2": "POST /v1/connections/{id}/authorize gives a link to authorize it again; a refused client is mended "
        "in client_id and client_secret.",
    }
)


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TestResult:
    """How a test ended. `message` is for people and holds no secret; `hint` is the way out, or empty."""

    __test__ = False

    ok: bool
    message: str
    hint: str
    duration_ms: float
    checked_at: datetime


class ConnectionTester:
    """One a process."""

    def __init__(
        self, platform: Platform, http: HttpClient, tokens: OAuthTokens, addresses: Mapping[str, str] = ADDRESSES
    ) -> None:
        self._platform = platform
        self._http = http
        self._tokens = tokens
        self._places = Places()
        # Its own, so that servers that do not answer keep no other work of the process waiting.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="connection test")
        own: dict[str, Probe] = {
            "smtp": smtp,
            "imap": partial(imap, threads=self._threads),
            "http": http_api,
            "webhook": webhook,
        }
        self._probes: dict[str, Probe] = {**own, **provider_probes(addresses)}

    @property
    def kinds(self) -> set[str]:
        """Those that can be tested, which must be all."""
        return {*self._probes, oauth_state.KIND}

    async def test(self, workspace_id: UUID, connection_id: UUID) -> TestResult:
        """Test the connection, and say at it how that ended. Raises `NotFound`, `TooMany` and `Unavailable`."""
        with self._places.taken(workspace_id):
            return await self._test(workspace_id, connection_id)

    def close(self) -> None:
        """Begin nothing more in its threads; they end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _test(self, workspace_id: UUID, connection_id: UUID) -> TestResult:
        row = await connections.get(self._platform, workspace_id, connection_id)
        began, secrets = monotonic(), Mask()
        longest = min(TEST_SECONDS, self._platform.settings.max_call_seconds)
        try:
            async with asyncio.timeout(longest):
                found = await self._tried(workspace_id, connections.opened(self._platform, row), secrets)
        except TimeoutError:
            failure = ActionError(ErrorType.TIMEOUT, f"no answer within {longest:g} s")
        except ActionError as error:
            failure = error
        except TokenError as error:
            failure = ActionError(error.type, error.message, provider_code=error.code)
        except Conflict as error:
            failure = ActionError(ErrorType.CONNECTION_INVALID, error.detail)
        except ServiceError:
            raise
        except Exception as error:
            # Whatever the other side says: it is no reason to answer with a failure of ours.
            trace = await secrets.hidden_aside("".join(format_exception(error)))
            _log.error("test of connection %s of workspace %s failed\n%s", connection_id, workspace_id, trace)
            failure = ActionError(ErrorType.INTERNAL, f"the test failed: {type(error).__name__}")
        else:
            if found.checked:
                await connections.note_test(self._platform, workspace_id, connection_id, error=None)
            return _result(began, await _told(found.message, secrets), found.hint, ok=True)
        message = await _told(failure.message, secrets)
        await connections.note_test(self._platform, workspace_id, connection_id, error=message)
        return _result(began, message, _hint(row.kind, connection_id, failure), ok=False)

    async def _tried(self, workspace_id: UUID, connection: ResolvedConnection, secrets: Mask) -> Found:
        """What its probe found; `secrets` gets what is not to be told."""
        http = self._http.within(workspace_id, await egress.hosts_of(self._platform, workspace_id))
        for text in secrets_in(connection):
            secrets.add(text)
        if connection.kind != oauth_state.KIND:
            return await self._probes[connection.kind](connection, http)
        token = await self._tokens.access_token(workspace_id, connection.id)
        secrets.add(token)
        if connection.config.get("test_path") is None:
            return Found("there is an access token", "Name a test_path to have it used as well.", checked=False)
        try:
            return await http_api(_with(connection, token), http)
        except ActionError as error:
            if not wants_another_token(error):
                raise
        token = await self._tokens.access_token(workspace_id, connection.id, rejected=token)
        secrets.add(token)
        return await http_api(_with(connection, token), http)


def _with(connection: ResolvedConnection, token: str) -> ResolvedConnection:
    return replace(connection, credentials={"type": "bearer", "token": token})


async def _told(message: str, secrets: Mask) -> str:
    """What may come from the other side, fit to be kept and shown: its server may say anything, secrets among it."""
    hidden = str(await secrets.hidden_aside(message))
    return "".join(each if each.isprintable() else " " for each in hidden)[:LONGEST_MESSAGE]


def _hint(kind: str, connection_id: UUID, failure: ActionError) -> str:
    own = _AUTH_HINTS.get(kind) if failure.type is ErrorType.PROVIDER_AUTH else None
    return (own or _HINTS.get(failure.type, "")).replace("{id}", str(connection_id))


def _result(began: float, message: str, hint: str, *, ok: bool) -> TestResult:
    elapsed = round((monotonic() - began) * 1000, 3)
    return TestResult(ok, f"{message[:1].upper()}{message[1:]}", hint, elapsed, datetime.now(UTC))
