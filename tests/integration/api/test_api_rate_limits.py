"""Limits of requests over HTTP: counted for key, workspace and address, told in headers, shared by all processes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from app.db.engine import Statement
from app.security import form_tokens, message_addresses, webhook_tokens
from app.security.tokens import SECRET_ALGORITHMS, SecretKey, TokenReader, TokenRules
from app.services import plans, workspaces
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.services.rate_limits import RateLimits
from tests.integration.api.calls import an_active_workflow, made, problem
from tests.support.providers import WHATSAPP, receiving
from tests.support.tokens import AUDIENCE, ISSUER, SECRET, claims, token

OFF = {"rate_limit_key": "", "rate_limit_workspace": "", "rate_limit_address": "", "rate_limit_wrong_keys": ""}
OLDER = "UPDATE rate_windows SET number = number - 2"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Processes:
    """Two API processes over one database, with their own memory, the same settings and one clock."""

    def __init__(self, platform: Platform, apps: Sequence[FastAPI], **settings: str) -> None:
        self.clock = Clock()
        self._platform = platform
        self._apps = apps
        self._open = AsyncExitStack()
        own = platform.settings.model_copy(update={**OFF, **settings})
        for app in apps:
            limits = RateLimits(platform.database, self.clock)
            app.state.platform = replace(platform, settings=own, rate_limits=limits)

    async def client(self, key: str | None, address: str = "192.0.2.1", process: int = 0) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self._apps[process], client=(address, 1))
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        client = httpx.AsyncClient(transport=transport, base_url="http://holdfast.test", headers=headers)
        return await self._open.enter_async_context(client)

    def take(self, reader: TokenReader) -> None:
        """Have the processes take tokens."""
        for app in self._apps:
            app.state.platform = replace(app.state.platform, tokens=reader)

    async def later(self, workspace_id: Any, seconds: float) -> None:
        """As if so much time had passed, after which nothing of the workspace counts any more."""
        self.clock.now += seconds
        await self._platform.database.run(workspace_id, Statement(OLDER, {}))

    async def close(self) -> None:
        await self._open.aclose()


@pytest.fixture(scope="module")
def apps(platform: Platform) -> list[FastAPI]:
    return [create_app(platform), create_app(platform)]


@pytest.fixture
def processes(platform: Platform, apps: list[FastAPI]) -> Any:
    """Opens processes with the settings given, all other limits off."""

    @asynccontextmanager
    async def opened(**settings: str) -> AsyncIterator[Processes]:
        made = Processes(platform, apps, **settings)
        try:
            yield made
        finally:
            await made.close()

    return opened


async def statuses(client: httpx.AsyncClient, requests: int, path: str = "/v1/workspace") -> list[int]:
    return [(await client.get(path)).status_code for _ in range(requests)]


async def test_a_key_is_refused_beyond_its_rate_and_taken_again_when_it_is_told(processes, platform, workspace):
    async with processes(rate_limit_key="3/hour") as running:
        client = await running.client(workspace.api_key)
        first = await client.get("/v1/workspace")
        assert first.headers["ratelimit-policy"] == '"key";q=3;w=3600'
        policy, left, reset = first.headers["ratelimit"].split(";")
        assert (policy, left) == ('"key"', "r=2")
        assert 0 < int(reset.removeprefix("t=")) <= 3600
        # What is refused for another reason is counted too.
        assert await statuses(client, 2, "/v1/workspace?unknown=1") == [422, 422]
        answer = await client.get("/v1/workspace")
        told = problem(answer, 429, "rate_limited")
        assert "3 requests in 3,600 seconds are taken (key)" in told["detail"]
        assert answer.headers["ratelimit"].startswith('"key";r=0;')
        assert (await client.get(told["type"])).status_code == 200
        seconds = int(answer.headers["retry-after"])
        assert 0 < seconds <= 7200
        running.clock.now += seconds - 2
        assert await statuses(client, 1) == [429]
        await running.later(workspace.id, 3)
        assert await statuses(client, 1) == [200]


async def test_two_processes_share_what_a_key_may_send(processes, platform, workspace):
    async with processes(rate_limit_key="5/hour") as running:
        one, other = [await running.client(workspace.api_key, process=number) for number in range(2)]
        found = [status for _ in range(4) for client in (one, other) for status in await statuses(client, 1)]
        assert found == [200] * 5 + [429] * 3


async def test_what_a_process_takes_at_once_is_given_out_without_asking_again(processes, platform, workspace):
    async with processes(rate_limit_key="1000/hour") as running:
        one, other = [await running.client(workspace.api_key, process=number) for number in range(2)]
        left = [(await client.get("/v1/workspace")).headers["ratelimit"].split(";")[1] for client in (one, one, other)]
        assert left == ["r=999", "r=998", "r=989"]


async def test_all_keys_of_a_workspace_count_together_and_another_workspace_for_itself(processes, platform, workspace):
    second = await workspaces.create_api_key(platform, workspace.id, "second")
    _, foreign = await workspaces.create_workspace(platform, "Other")
    async with processes(rate_limit_key="100/hour", rate_limit_workspace="3/hour") as running:
        clients = [await running.client(key) for key in (workspace.api_key, second, foreign)]
        assert await statuses(clients[0], 2) == [200] * 2
        answer = await clients[1].get("/v1/workspace")
        assert answer.headers["ratelimit-policy"] == '"key";q=100;w=3600, "workspace";q=3;w=3600'
        refused = await clients[1].get("/v1/workspace")
        problem(refused, 429, "rate_limited")
        assert '"workspace";r=0' in refused.headers["ratelimit"]
        assert await statuses(clients[2], 1) == [200]


async def test_a_plan_says_what_its_workspaces_may_send(processes, platform, workspace):
    await plans.set_plan(platform, workspace.id, "free", {"rate_limit": "2/hour"})
    async with processes(rate_limit_workspace="100/hour") as running:
        assert await statuses(await running.client(workspace.api_key), 3) == [200, 200, 429]


async def test_nobody_is_limited_where_nothing_is_set(processes, platform, workspace):
    async with processes() as running:
        answer = await (await running.client(workspace.api_key)).get("/v1/workspace")
        assert "ratelimit" not in answer.headers


async def test_an_address_with_too_many_wrong_keys_is_asked_for_nothing_more(processes, platform, workspace):
    wrong = f"{workspace.api_key[:-1]}{'a' if workspace.api_key[-1] != 'a' else 'b'}"
    async with processes(rate_limit_wrong_keys="2/hour") as running:
        # A new installation of the test each time: the addresses of all tests share a count.
        network = f"2001:db8:1:{workspace.id.hex[-4:]}"
        address = f"{network}::1"
        stranger, owner = await running.client(wrong, address), await running.client(workspace.api_key, address)
        assert await statuses(owner, 1) == [200]
        answers = [await stranger.get("/v1/workspace") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
        told = problem(answers[-1], 429, "rate_limited")
        assert "(wrong-keys)" in told["detail"]
        # Who has one address of IPv6 has all of its network.
        assert await statuses(await running.client(wrong, f"{network}:a:b:c:d"), 1) == [429]
        # A right key that is known goes on, also when it was last seen a while ago, and so does any from elsewhere.
        platform.actors.clear()
        assert await statuses(owner, 1) == [200]
        assert await statuses(await running.client(workspace.api_key, "192.0.2.77"), 1) == [200]
        assert await statuses(await running.client(wrong, "192.0.2.78"), 1) == [401]


@pytest.mark.parametrize("how", ["expired", "revoked", "token"])
async def test_what_was_right_once_is_no_guess(processes, platform, workspace, how):
    old = token(said=claims(exp=1, workspace=str(workspace.id), role="admin"))
    guess = token(said=claims(exp=1, aud="another"))
    if how != "token":
        old = guess = await workspaces.create_api_key(platform, workspace.id, "old")
        over = {"expired": "expires_at", "revoked": "revoked_at"}[how]
        statement = Statement(f"UPDATE api_keys SET {over} = now() - interval '1 day' WHERE name = 'old'", {})
        await platform.database.run(workspace.id, statement)
        guess = f"{old[:-1]}{'a' if old[-1] != 'a' else 'b'}"
    reader = TokenReader(TokenRules(ISSUER, AUDIENCE, 30, SECRET_ALGORITHMS), SecretKey(SECRET))
    address = f"2001:db8:{['expired', 'revoked', 'token'].index(how)}:{workspace.id.hex[-4:]}::2"
    async with processes(rate_limit_wrong_keys="2/hour") as running:
        running.take(reader)
        sender = await running.client(old, address)
        answers = [await sender.get("/v1/workspace") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401] * 4
        assert await statuses(await running.client(workspace.api_key, address), 1) == [200]
        guessed = await running.client(guess, address)
        wrong = [await guessed.get("/v1/workspace") for _ in range(3)]
        assert [answer.status_code for answer in wrong] == [401, 401, 429]
        told = [answer.json() | {"request_id": ""} for answer in (answers[0], wrong[0])]
        assert told[0] == told[1], "that it was right once is not said"


@pytest.mark.parametrize("path", ["/hooks/wh_x_y", "/forms/nothing/schema", "/messages/msg_x_y", "/approvals/none"])
async def test_doors_that_need_no_key_take_so_much_of_an_address(processes, workspace, path):
    async with processes(rate_limit_address="2/hour") as running:
        network = f"{len(path)}:{workspace.id.hex[-4:]}"
        clients = [await running.client(None, f"2001:db8:{network}::{number}") for number in range(3)]
        assert [status for client in clients for status in await statuses(client, 1, path)] == [404, 404, 429]
        other = await running.client(None, f"2001:db9:{network}::1")
        assert await statuses(other, 1, path) == [404]


@pytest.fixture
async def addresses(api_client) -> list[str]:
    """Paths of a webhook, a form and messages of the workspace."""
    form = {"type": "form", "fields": {"type": "object", "properties": {"name": {"type": "string"}}}}
    workflow_id = await an_active_workflow(api_client, triggers=[{"type": "webhook"}, form])
    hook = await made(api_client, f"/v1/workflows/{workflow_id}/webhooks", {})
    [shown] = (await api_client.get(f"/v1/workflows/{workflow_id}/forms")).json()["items"]
    receiver = await receiving(api_client, WHATSAPP)
    return [hook["path"], urlsplit(shown["address"]).path + "/schema", receiver.path]


async def test_the_doors_of_a_workspace_take_so_much_of_everybody(processes, addresses):
    async with processes(rate_limit_workspace="3/hour") as running:
        clients = [await running.client(None, f"192.0.2.{number}") for number in range(4)]
        found = [(await clients[0].get(path)).headers["ratelimit"] for path in addresses]
        assert [each.rpartition(";")[0] for each in found] == [f'"workspace";r={left}' for left in (2, 1, 0)]
        for client, path in zip(clients[1:], addresses, strict=True):
            problem(await client.get(path), 429, "rate_limited")


async def test_addresses_that_lead_nowhere_use_up_no_workspaces_rate(processes, workspace, addresses):
    made_up = [
        f"/hooks/{webhook_tokens.generate(workspace.id)}",
        f"/forms/{form_tokens.make(workspace.id, workspace.id, None)}/schema",
        f"/messages/{message_addresses.generate(workspace.id)}",
    ]
    async with processes(rate_limit_workspace="1/hour") as running:
        client = await running.client(None)
        for path in made_up:
            assert await statuses(client, 2, path) == [404, 404]
        assert (await client.get(addresses[1])).status_code == 200
        assert await statuses(client, 1, addresses[1]) == [429]
        assert await statuses(client, 1, made_up[0]) == [404]


async def test_the_address_counts_first_and_both_are_told(processes, addresses):
    async with processes(rate_limit_workspace="2/hour", rate_limit_address="1/hour") as running:
        one, other = [await running.client(None, f"198.51.100.{number}") for number in (7, 8)]
        told = (await one.get(addresses[1])).headers["ratelimit"]
        assert [each.partition(";")[0] for each in told.split(", ")] == ['"address"', '"workspace"']
        assert await statuses(one, 3, addresses[1]) == [429, 429, 429]
        assert await statuses(other, 1, addresses[1]) == [200]


async def test_a_plan_with_a_lower_rate_loses_no_delivery(processes, platform, workspace, addresses):
    await plans.set_plan(platform, workspace.id, "free", {"rate_limit": "1/hour"})
    async with processes(rate_limit_workspace="3/hour") as running:
        assert await statuses(await running.client(workspace.api_key), 2) == [200, 429]
        assert await statuses(await running.client(None), 4, addresses[1]) == [200, 200, 200, 429]


async def test_nobody_is_locked_out_while_the_database_is_away(processes, platform, workspace):
    class Away:
        async def run(self, *_: Any) -> Any:
            raise Unavailable("database_unavailable", "away")

    async with processes(rate_limit_key="1/hour") as running:
        client = await running.client(workspace.api_key)
        limits = client._transport.app.state.platform.rate_limits
        there, limits._storage._database = limits._storage._database, Away()
        assert await statuses(client, 3) == [200, 200, 200]
        limits._storage._database = there
        running.clock.now += 2
        assert await statuses(client, 2) == [200, 429]
