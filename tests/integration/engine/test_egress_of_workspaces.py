"""A workspace that keeps to a list of hosts: every action of its runs does, and its mailboxes, from then on."""

import socket
from dataclasses import replace
from datetime import timedelta
from unittest.mock import AsyncMock
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, update

from activities.connection_tests import ConnectionTester
from activities.http_client import HttpClient
from activities.messages import MessageDuty
from activities.token_client import HttpTokenClient
from app.catalog.errors import ErrorType
from app.db.models import Mailbox
from app.json import JsonObject
from app.security.egress_hosts import Hosts
from app.services import connections, egress, message_addresses, workspaces
from app.services.errors import Unavailable
from app.services.known_hosts import KnownHosts
from app.services.oauth_exchange import TokenError
from app.services.oauth_tokens import OAuthTokens
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import paths, problem
from tests.support.authorization_server import AuthorizationServer
from tests.support.engine import Engine
from tests.support.http_stub import HttpStub
from tests.support.imap_server import PASSWORD, USER, open_imap_server

EVERYWHERE = {"egress": {"mode": "public", "allow_hosts": []}}


def listed(*hosts: str) -> dict[str, object]:
    return {"egress": {"mode": "listed", "allow_hosts": list(hosts)}}


async def test_runs_of_a_workspace_call_the_hosts_on_its_list(engine: Engine, http_stub: HttpStub) -> None:
    step = {"id": "call", "type": "action", "action": "http.request", "inputs": {"url": f"{http_stub.url}/"}}
    named = {**step, "inputs": {"url": f"http://localhost:{http_stub.port}/"}}
    await workspaces.update_settings(engine.platform, engine.workspace_id, listed("localhost"))
    assert (await engine.steps(named)).run.status == "completed"
    done = await engine.steps(step)
    assert done.run.status == "failed"
    assert done.steps["call"].error["type"] == "egress_blocked"
    await workspaces.update_settings(engine.platform, engine.workspace_id, EVERYWHERE)
    assert (await engine.steps(step)).run.status == "completed"


async def test_mailboxes_of_a_workspace_are_looked_into_on_its_list_alone(engine: Engine) -> None:
    config = {"host": "mail.example", "port": 143, "security": "none"}
    login = {"username": "ada", "password": "correct horse"}
    row = await connections.create(
        engine.platform, engine.workspace_id, kind="imap", name="mails", config=config, credentials=login
    )
    await message_addresses.open_(engine.platform, engine.workspace_id, row.id)
    await workspaces.update_settings(engine.platform, engine.workspace_id, listed("other.example"))
    http = HttpClient(engine.platform.settings)
    await MessageDuty(engine.platform, http).tend([str(engine.workspace_id)])
    found = await connections.get(engine.platform, engine.workspace_id, row.id)
    assert "egress.allow_hosts" in (found.last_error or "")
    await http.close()


async def test_tests_and_tokens_of_a_workspace_are_had_on_its_list_alone(engine: Engine, http_stub: HttpStub) -> None:
    server, platform, workspace_id = AuthorizationServer(http_stub), engine.platform, engine.workspace_id
    http = HttpClient(platform.settings)
    tokens = OAuthTokens(platform, HttpTokenClient(platform, http))
    tester = ConnectionTester(platform, http, tokens)
    address = {"host": "127.0.0.1", "port": http_stub.port, "security": "none"}
    login = {"username": "ada", "password": "correct horse"}
    kinds = [
        {"kind": "http", "name": "api", "config": {"base_url": http_stub.url}},
        {"kind": "smtp", "name": "mail", "config": address},
        {"kind": "imap", "name": "box", "config": address, "credentials": login},
        server.connection("crm", "client_credentials"),
    ]
    rows = [await connections.create(platform, workspace_id, **each) for each in kinds]
    await workspaces.update_settings(platform, workspace_id, listed("other.example"))
    for row in rows:
        result = await tester.test(workspace_id, row.id)
        assert (result.ok, "egress.allow_hosts" in result.message) == (False, True), result
        assert "egress.allow_hosts" in result.hint
    with pytest.raises(TokenError, match=r"egress\.allow_hosts") as caught:
        await tokens.access_token(workspace_id, rows[-1].id)
    assert caught.value.type is ErrorType.EGRESS_BLOCKED
    step = {"id": "call", "type": "action", "action": "http.request", "connection": "crm", "inputs": {"url": "/me"}}
    done = await engine.steps(step)
    assert (done.error["type"], http_stub.requests) == ("egress_blocked", [])

    await workspaces.update_settings(platform, workspace_id, listed("127.0.0.1"))
    assert (await tester.test(workspace_id, rows[-1].id)).ok
    await http.close()


async def test_a_test_of_a_connection_tells_nothing_of_this_machine(
    platform: Platform, workspace: TestWorkspace, http_stub: HttpStub
) -> None:
    http = HttpClient(platform.settings.model_copy(update={"egress_allow": ()}))
    tester = ConnectionTester(platform, http, OAuthTokens(platform, HttpTokenClient(platform, http)))
    with socket.create_server(("127.0.0.1", 0)) as held:
        closed = held.getsockname()[1]
    login = {"username": "ada", "password": "correct horse"}
    said: list[tuple[bool, str, str]] = []
    for port in (http_stub.port, closed):
        mail = {"host": "127.0.0.1", "port": port, "security": "none"}
        client = {"grant": "client_credentials", "token_url": f"http://localhost:{port}/token", "client_id": "c"}
        bodies: list[JsonObject] = [
            {"kind": "http", "config": {"base_url": f"http://127.0.0.1:{port}"}},
            {"kind": "smtp", "config": mail},
            {"kind": "imap", "config": mail, "credentials": login},
            {"kind": "oauth2", "config": {"base_url": "https://api.example.com", **client}},
        ]
        for number, body in enumerate(bodies):
            row = await connections.create(platform, workspace.id, name=f"c-{port}-{number}", **body)
            result = await tester.test(workspace.id, row.id)
            said.append((result.ok, result.message.replace(str(port), "PORT"), result.hint))
    assert said[:4] == said[4:], "an open port and a closed one are told apart"
    assert all(not ok and "(loopback)" in message for ok, message, _hint in said)
    assert http_stub.requests == []
    await http.close()


async def test_a_test_of_a_mail_server_takes_no_longer_than_a_call_may(
    platform: Platform, workspace: TestWorkspace
) -> None:
    settings = platform.settings.model_copy(update={"max_call_seconds": 0.2})
    short = replace(platform, settings=settings)
    http = HttpClient(platform.settings)
    tester = ConnectionTester(short, http, OAuthTokens(short, HttpTokenClient(short, http)))
    login = {"username": "ada", "password": "correct horse"}
    # It takes connections, and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = {"host": "127.0.0.1", "port": silent.getsockname()[1], "security": "none"}
        for kind in ("smtp", "imap"):
            row = await connections.create(
                platform, workspace.id, kind=kind, name=kind, config=config, credentials=login
            )
            result = await tester.test(workspace.id, row.id)
            assert (result.ok, result.message) == (False, "No answer within 0.2 s")
    await http.close()


async def test_a_look_into_a_mailbox_fetches_no_more_than_a_call_may(engine: Engine) -> None:
    small = engine.platform.settings.model_copy(update={"max_call_bytes": 100})
    http = HttpClient(small)
    duty = MessageDuty(replace(engine.platform, settings=small), http)
    async with open_imap_server() as server:
        config = {"host": server.host, "port": server.port, "security": "none"}
        login = {"username": USER, "password": PASSWORD}
        row = await connections.create(
            engine.platform, engine.workspace_id, kind="imap", name="mails", config=config, credentials=login
        )
        await message_addresses.open_(engine.platform, engine.workspace_id, row.id)
        async with engine.platform.database.transaction(engine.workspace_id) as session:
            await session.execute(update(Mailbox).values(since=func.now() - timedelta(seconds=2)))
        await server.put(*(b"Subject: Hello\r\n\r\n" + b"x" * 200 for _ in range(2)))
        for _ in range(2):
            async with engine.platform.database.transaction(engine.workspace_id) as session:
                await session.execute(update(Mailbox).values(due_at=func.now() - timedelta(seconds=1)))
            report = await duty.tend([str(engine.workspace_id)])
            assert (report.messages_taken, report.troubles) == (1, 0)
    await http.close()


async def test_another_process_hears_of_a_list_and_keeps_to_it_while_the_database_is_away(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workspaces.update_settings(platform, workspace.id, listed("api.example.com"))
    other = replace(platform, known_hosts=KnownHosts())
    hosts = await egress.hosts_of(other, workspace.id)
    assert hosts == Hosts(frozenset({"api.example.com"}), ())
    monkeypatch.setattr("app.services.known_hosts.FRESH_SECONDS", -1.0)
    other.known_hosts.put(workspace.id, hosts)
    away = AsyncMock(side_effect=Unavailable("database_unavailable", "away"))
    monkeypatch.setattr(workspaces, "get_workspace", away)
    assert await egress.hosts_of(other, workspace.id) == hosts
    with pytest.raises(Unavailable):
        await egress.hosts_of(replace(platform, known_hosts=KnownHosts()), workspace.id)


async def test_a_workspace_that_is_gone_reaches_nothing(platform: Platform, workspace: TestWorkspace) -> None:
    hosts = await egress.hosts_of(platform, uuid4())
    assert hosts is not None
    assert not hosts.name("api.example.com")


async def test_the_list_is_set_and_shown_over_the_api(api_client: httpx.AsyncClient) -> None:
    assert (await api_client.get("/v1/workspace")).json()["settings"]["egress"] == EVERYWHERE["egress"]
    answer = await api_client.patch("/v1/workspace", json={"settings": listed("API.example.com", "*.crm.example")})
    shown = {"mode": "listed", "allow_hosts": ["api.example.com", "*.crm.example"]}
    assert answer.json()["settings"]["egress"] == shown
    answer = await api_client.patch("/v1/workspace", json={"settings": listed("http://x", "a.example", "*")})
    told = problem(answer, 422, "invalid_settings")
    assert paths(told) == ["egress.allow_hosts[0]", "egress.allow_hosts[2]"]
    assert (await api_client.get("/v1/workspace")).json()["settings"]["egress"] == shown
    answer = await api_client.patch("/v1/workspace", json={"settings": {"egress": {"mode": "all"}}})
    assert paths(problem(answer, 422, "invalid_settings")) == ["egress.mode"]
