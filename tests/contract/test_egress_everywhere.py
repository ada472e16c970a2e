"""The rule about outgoing calls, tried through everything that calls out: each action, each test of a connection, token
endpoints, issuers' keys. An action or a kind of connection that is new has to find its place here."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from activities.base import ActionError
from activities.connection_tests import ConnectionTester
from activities.http_client import MAX_REDIRECTS
from activities.probes.base import Probe
from activities.probes.mail import imap, smtp
from activities.probes.providers import provider_probes
from activities.probes.web import http_api
from activities.token_client import HttpTokenClient
from app.catalog.registry import ACTIONS
from app.json import JsonObject
from app.security import fetching
from app.services import egress
from app.services.oauth_exchange import TokenError
from app.services.platform import Platform
from tests.support.http_stub import Answer, HttpStub
from tests.support.invocations import ActionCaller, connection_of
from tests.support.outgoing import ODD, REFUSED, Installation

Way = Callable[[ActionCaller, str], Awaitable[Any]]
"""Calls out to `host:port`."""

MAIL: JsonObject = {"to": "ada@example.com", "subject": "Hello", "text": "Hi"}
WORKSPACE = UUID(int=1)


def mail_server(at: str, **more: Any) -> Any:
    host, _, port = at.rpartition(":")
    return {"host": host.strip("[]"), "port": int(port), "security": "none", **more}


def smtp_of(at: str) -> Any:
    return connection_of("smtp", mail_server(at, **{"from": "shop@example.com"}))


def imap_of(at: str) -> Any:
    return connection_of("imap", mail_server(at), {"username": "ada", "password": "secret"})


def http_of(kind: str, at: str) -> Any:
    config = {"base_url": f"http://{at}", "test_path": "/"}
    if kind == "oauth2":
        config |= {"token_url": "https://login.example/token", "client_id": "us", "grant": "client_credentials"}
    return connection_of(kind, config, {"type": "bearer", "token": "secret"})


def probing(probe: Probe, made: Callable[[str], Any]) -> Way:
    return lambda call, at: probe(made(at), call.http)


async def token_url(call: ActionCaller, at: str) -> Any:
    client = HttpTokenClient(cast(Platform, SimpleNamespace()), call.http)
    return await client.post(WORKSPACE, f"http://{at}/token", {}, [("grant_type", "refresh_token")])


async def issuer_keys(call: ActionCaller, at: str) -> Any:
    return await fetching.fetch(f"http://{at}/keys", call.http.egress)


def attached(at: str) -> JsonObject:
    return {**MAIL, "attachments": [{"url": f"http://{at}/", "filename": "a"}]}


OF_ACTIONS: Mapping[tuple[str, str], Way] = MappingProxyType(
    {
        ("http.request", "url"): lambda call, at: call("http.request", {"url": f"http://{at}/"}),
        ("http.request", "connection"): lambda call, at: call(
            "http.request", {"url": "/x"}, connection=connection_of("http", {"base_url": f"http://{at}"})
        ),
        ("webhook.send", "url"): lambda call, at: call("webhook.send", {"url": f"http://{at}/"}),
        ("email.send", "server"): lambda call, at: call("email.send", MAIL, connection=smtp_of(at)),
        ("email.send", "attachment"): lambda call, at: call(
            "email.send", attached(at), connection=smtp_of("mail.example:25")
        ),
    }
)
OF_TESTS: Mapping[str, Way] = MappingProxyType(
    {
        "smtp": probing(smtp, smtp_of),
        "imap": probing(partial(imap, threads=ThreadPoolExecutor(1)), imap_of),
        "http": probing(http_api, lambda at: http_of("http", at)),
        "oauth2": probing(http_api, lambda at: http_of("oauth2", at)),
    }
)
WAYS: Mapping[str, Way] = MappingProxyType(
    {
        **{" ".join(name): way for name, way in OF_ACTIONS.items()},
        **{f"test of {kind}": way for kind, way in OF_TESTS.items()},
        "token url": token_url,
        "issuer keys": issuer_keys,
    }
)
OVER_HTTP = [name for name in WAYS if not any(word in name for word in ("server", "smtp", "imap"))]
CALLS_NOBODY = {"webhook"}
"""Kinds of connections whose test asks nobody."""


@pytest.fixture(autouse=True)
def _no_workspace_and_no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hosts_of(*_: object) -> None:
        return None

    monkeypatch.setattr(egress, "hosts_of", hosts_of)
    # To read all authorities of the machine for each call takes most of the time.
    monkeypatch.setattr(fetching, "ssl", SimpleNamespace(create_default_context=lambda: False))


class Door:
    """Something that listens on loopback and hangs up on whoever comes."""

    port = 0
    knocks = 0

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.knocks += 1
        writer.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    server = await asyncio.start_server(door, "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    async with server:
        yield door


async def failed(way: Way, call: ActionCaller, at: str) -> Exception:
    """What calling out came to; it has to come to nothing."""
    with pytest.raises((ActionError, TokenError, fetching.FetchFailed, ValueError)) as caught:
        await way(call, at)
    return caught.value


def by_the_rule(error: Exception) -> bool:
    """Whether nobody was called: by the rule, or because there is no such host, or it cannot be written so."""
    if isinstance(error, fetching.FetchFailed):
        return not any(word in str(error) for word in ("Cannot connect to host", "isconnected", "answered"))
    return error.type in REFUSED if isinstance(error, ActionError | TokenError) else isinstance(error, ValueError)


def test_every_action_that_calls_out_is_tried() -> None:
    assert {action for action, _ in OF_ACTIONS} == {each.id for each in ACTIONS.values() if each.where == "remote"}


def test_every_kind_of_connection_whose_test_calls_out_is_tried(installation: Installation) -> None:
    tester = ConnectionTester(cast(Any, None), installation().http, cast(Any, None))
    # Where the providers are is no setting of a connection.
    assert {*OF_TESTS, *CALLS_NOBODY, *provider_probes()} == {*tester._probes, "oauth2"}


@pytest.mark.parametrize("way", WAYS)
async def test_no_spelling_of_a_private_address_gets_through(installation: Installation, door: Door, way: str) -> None:
    call = installation()
    for host in ODD:
        error = await failed(WAYS[way], call, f"{host}:{door.port}")
        assert by_the_rule(error), f"{host}: {error!r}"
    assert door.knocks == 0


@pytest.mark.parametrize("way", WAYS)
async def test_a_name_of_a_private_address_is_refused(installation: Installation, door: Door, way: str) -> None:
    private = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "64:ff9b::7f00:1")
    call = installation(names={f"inner{number}.example": [[each]] for number, each in enumerate(private)})
    for number, each in enumerate(private):
        error = await failed(WAYS[way], call, f"inner{number}.example:{door.port}")
        assert "is no public address" in str(error), each
    assert door.knocks == 0


@pytest.mark.parametrize("way", WAYS)
async def test_a_name_that_is_private_when_it_is_asked_for_again_is_refused_then(
    installation: Installation, door: Door, way: str
) -> None:
    # The first answer may be called: it is on the allow-list, so that something answers there. The second may not.
    call = installation(allow=("127.0.0.1",), names={"rebinding.example": [["127.0.0.1"], ["127.0.0.2"]]})
    at = f"rebinding.example:{door.port}"
    await failed(WAYS[way], call, at)
    knocks = door.knocks
    assert knocks > 0
    assert "127.0.0.2 is no public address" in str(await failed(WAYS[way], call, at))
    assert door.knocks == knocks


@pytest.mark.parametrize("way", OVER_HTTP)
async def test_a_redirect_leads_nowhere_private_and_does_not_go_on_for_ever(
    installation: Installation, http_stub: HttpStub, way: str
) -> None:
    call = installation(
        allow=("127.0.0.1",), names={"public.example": [["127.0.0.1"]], "inner.example": [["127.0.0.2"]]}
    )
    at = f"public.example:{http_stub.port}"
    for target in ("inner.example", "127.0.0.2", "0x7f.2", "2130706434", "0177.2", "[::ffff:127.0.0.2]", "localhost"):
        there = {"Location": f"http://{target}:{http_stub.port}/secret"}
        http_stub.otherwise(Answer(status=302, headers=there))
        await _followed(WAYS[way], call, at)
        assert http_stub.asked("/secret") == [], target
    http_stub.requests.clear()
    http_stub.otherwise(Answer(status=307, headers={"Location": "/again"}))
    await _followed(WAYS[way], call, at)
    assert 1 <= len(http_stub.requests) <= MAX_REDIRECTS + 1


async def _followed(way: Way, call: ActionCaller, at: str) -> None:
    """Token endpoints answer with the redirect itself: it is no token."""
    if way is token_url:
        assert (await way(call, at)).status in (302, 307)
    else:
        await failed(way, call, at)
