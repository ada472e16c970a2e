"""A workspace that keeps to a list of hosts: every action of its runs does, and its mailboxes, from then on."""

from dataclasses import replace
from unittest.mock import AsyncMock
from uuid import uuid4

import httpx
import pytest

from activities.http_client import HttpClient
from activities.messages import MessageDuty
from app.security.egress_hosts import Hosts
from app.services import connections, egress, message_addresses, workspaces
from app.services.errors import Unavailable
from app.services.known_hosts import KnownHosts
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import paths, problem
from tests.support.engine import Engine
from tests.support.http_stub import HttpStub

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
