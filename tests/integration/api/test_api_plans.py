"""Plans over HTTP: each limit takes what it allows, refuses the next one with the way out, and the usage shows it."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from app.db.models import Executions, Run
from app.json import JsonObject
from app.services import plans, workspaces
from app.services.errors import Invalid
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import SET_ONE, made, paths, problem

DELAY: JsonObject = {"id": "pause", "type": "delay", "duration": "1h"}
CONDITION: JsonObject = {"id": "which", "type": "condition", "branches": [{"when": "{{ true }}", "steps": [SET_ONE]}]}
PARALLEL: JsonObject = {
    "id": "both",
    "type": "parallel",
    "branches": [{"name": "a", "steps": [SET_ONE]}, {"name": "b", "steps": [{**SET_ONE, "id": "two"}]}],
}
LOOP: JsonObject = {"id": "each", "type": "loop", "items": [1, 2], "concurrency": 2, "steps": [SET_ONE]}
SCHEDULE: JsonObject = {"type": "schedule", "cron": "0 3 1 1 *"}


async def on(platform: Platform, workspace: TestWorkspace, plan: str, **overrides: Any) -> None:
    await plans.set_plan(platform, workspace.id, plan, overrides)


async def a_workflow(client: httpx.AsyncClient, *steps: JsonObject, name: str = "One", **rest: Any) -> str:
    definition = {"steps": list(steps or [SET_ONE]), **rest}
    return str((await made(client, "/v1/workflows", {"name": name, "definition": definition}))["id"])


async def limits(client: httpx.AsyncClient) -> JsonObject:
    found: JsonObject = (await client.get("/v1/usage")).json()["limits"]
    return found


def refusal(answer: httpx.Response, *words: str) -> JsonObject:
    told = problem(answer, 403, "plan_limit_reached")
    for word in (*words, "larger plan"):
        assert word in told["detail"]
    return told


class TestWorkflows:
    async def test_are_made_up_to_the_plans_number(self, platform, workspace, api_client):
        await on(platform, workspace, "free")
        first, _, third = [await a_workflow(api_client, name=f"W{number}") for number in range(3)]
        told = refusal(
            await api_client.post("/v1/workflows", json={"name": "W"}), "free allows 3 workflows", "3 are used"
        )
        assert told["errors"][0]["path"] == "plan.workflows"
        assert (await api_client.get(told["type"])).status_code == 200
        refusal(await api_client.post(f"/v1/workflows/{first}/duplicate"), "3 workflows")
        applied = {"definition": {"name": "New", "steps": [SET_ONE]}}
        refusal(await api_client.post("/v1/workflows/apply", json=applied), "3 workflows")
        assert (await limits(api_client))["workflows"] == {"used": 3, "allowed": 3, "remaining": 0}
        # One that is put away counts no more, and does not come back while its place is taken.
        await made(api_client, f"/v1/workflows/{third}/publish")
        await made(api_client, f"/v1/workflows/{third}/archive")
        await a_workflow(api_client, name="In its place")
        refusal(await api_client.post(f"/v1/workflows/{third}/activate"), "3 workflows", "another one")

    async def test_asked_for_at_once_do_not_get_past_the_limit(self, platform, workspace, api_client):
        await on(platform, workspace, "free")
        asked = [api_client.post("/v1/workflows", json={"name": f"W{number}"}) for number in range(8)]
        answers = [answer.status_code for answer in await asyncio.gather(*asked)]
        assert sorted(answers) == [201] * 3 + [403] * 5

    async def test_that_are_there_stay_when_the_plan_becomes_smaller(self, platform, workspace, api_client):
        ids = [await a_workflow(api_client, name=f"W{number}") for number in range(5)]
        await on(platform, workspace, "free")
        assert (await limits(api_client))["workflows"] == {"used": 5, "allowed": 3, "remaining": 0}
        assert (await api_client.get(f"/v1/workflows/{ids[0]}")).status_code == 200
        refusal(await api_client.post(f"/v1/workflows/{ids[0]}/publish"), "3 workflows")
        await made(api_client, f"/v1/workflows/{ids[0]}/publish", {"activate": False})


class TestDefinitions:
    @pytest.mark.parametrize(
        ("steps", "path", "words"),
        [
            ([{**SET_ONE, "id": f"s{number}"} for number in range(6)], "steps", "6 steps"),
            ([{**DELAY, "duration": "61m"}], "steps[0].duration", "1 hour"),
            ([CONDITION], "steps[0]", "conditional branches"),
            ([PARALLEL], "steps[0]", "parallel execution"),
            ([LOOP], "steps[0].concurrency", "parallel execution"),
        ],
        ids=["steps", "delay", "branches", "parallel", "loop"],
    )
    async def test_beyond_the_plan_are_not_published(self, platform, workspace, api_client, steps, path, words):
        await on(platform, workspace, "free")
        workflow = await a_workflow(api_client, *steps)
        told = refusal(await api_client.post(f"/v1/workflows/{workflow}/publish"), words)
        assert paths(told) == [path]
        await on(platform, workspace, "enterprise")
        await made(api_client, f"/v1/workflows/{workflow}/publish")
        # Neither do they begin again once the plan has become smaller.
        await made(api_client, f"/v1/workflows/{workflow}/pause")
        await on(platform, workspace, "free")
        refusal(await api_client.post(f"/v1/workflows/{workflow}/activate"), words)

    async def test_at_the_edge_are_published(self, platform, workspace, api_client):
        await on(platform, workspace, "free")
        steps = [DELAY, *({**SET_ONE, "id": f"s{number}"} for number in range(3)), {**LOOP, "concurrency": 1}]
        workflow = await a_workflow(api_client, *steps[:3], steps[4])
        await made(api_client, f"/v1/workflows/{workflow}/publish")

    async def test_are_refused_with_everything_at_once(self, platform, workspace, api_client):
        await on(platform, workspace, "free")
        workflow = await a_workflow(api_client, CONDITION, {**DELAY, "duration": "2d"})
        told = refusal(await api_client.post(f"/v1/workflows/{workflow}/publish"), "1 more in `errors`")
        assert paths(told) == ["steps[0]", "steps[1].duration"]

    async def test_have_as_many_schedules_as_the_plan(self, platform, workspace, api_client):
        await on(platform, workspace, "free")
        workflow = await a_workflow(api_client, triggers=[SCHEDULE])
        refusal(await api_client.post(f"/v1/workflows/{workflow}/publish"), "allows 0 schedules")
        await on(platform, workspace, "pro", schedules=2)
        await made(api_client, f"/v1/workflows/{workflow}/publish")
        await made(api_client, f"/v1/workflows/{workflow}/activate")
        second = await a_workflow(api_client, name="Two", triggers=[SCHEDULE, {**SCHEDULE, "cron": "0 4 1 1 *"}])
        refusal(await api_client.post(f"/v1/workflows/{second}/publish"), "2 schedules", "1 are used and 2 more")
        await made(api_client, f"/v1/workflows/{workflow}/pause")
        await made(api_client, f"/v1/workflows/{second}/publish")
        assert (await limits(api_client))["schedules"] == {"used": 2, "allowed": 2, "remaining": 0}
        await made(api_client, f"/v1/workflows/{second}/archive")


class TestRuns:
    async def test_begin_up_to_the_months_number_and_again_in_the_next_month(self, platform, workspace, api_client):
        await on(platform, workspace, "free", executions=2)
        workflow = await a_workflow(api_client)
        await made(api_client, f"/v1/workflows/{workflow}/publish")
        path = f"/v1/workflows/{workflow}/runs"
        first = await made(api_client, path, headers={"Idempotency-Key": "first"})
        # The same run again is no further one.
        assert (await made(api_client, path, headers={"Idempotency-Key": "first"}))["id"] == first["id"]
        await made(api_client, path)
        refusal(await api_client.post(path), "2 executions a month", "2 are used", "next month")
        refusal(await api_client.post(f"/v1/runs/{await ended(platform, workspace, first)}/retry"), "2 executions")
        assert (await made(api_client, path, headers={"Idempotency-Key": "first"}))["id"] == first["id"]
        usage = (await api_client.get("/v1/usage")).json()
        assert usage["limits"]["executions"] == {"used": 2, "allowed": 2, "remaining": 0}
        assert sum(usage["runs"].values()) == 2
        async with platform.database.transaction(workspace.id) as session:
            await session.execute(update(Executions).values(month="2020-01"))
        await made(api_client, path)
        assert (await limits(api_client))["executions"]["used"] == 1

    async def test_asked_for_at_once_do_not_get_past_the_limit(self, platform, workspace, api_client):
        await on(platform, workspace, "free", executions=3)
        workflow = await a_workflow(api_client)
        await made(api_client, f"/v1/workflows/{workflow}/publish")
        asked = [api_client.post(f"/v1/workflows/{workflow}/runs") for _ in range(10)]
        answers = [answer.status_code for answer in await asyncio.gather(*asked)]
        assert sorted(answers) == [202] * 3 + [403] * 7

    async def test_of_an_event_that_are_too_many_are_kept_as_runs_that_say_why(self, platform, workspace, api_client):
        await on(platform, workspace, "free", executions=1)
        workflow = await a_workflow(api_client, trigger={"type": "event", "event": "shop.order.placed"})
        await made(api_client, f"/v1/workflows/{workflow}/publish")
        for number in range(2):
            event = {"specversion": "1.0", "id": f"e{number}", "source": "/shop", "type": "shop.order.placed"}
            await made(api_client, "/v1/events", event)
        refused, begun = (await api_client.get("/v1/runs")).json()["items"]
        assert begun["status"] in ("running", "completed")
        assert refused["status"] == "cancelled"
        assert (refused["error"]["type"], refused["trigger"]["event_id"]) == ("limit_reached", "e1")
        assert "1 executions a month" in refused["error"]["message"]
        assert (await limits(api_client))["executions"]["used"] == 1
        # With room again it is started as if nothing had been.
        await on(platform, workspace, "own")
        await made(api_client, f"/v1/runs/{refused['id']}/retry")
        assert (await limits(api_client))["executions"]["used"] == 2

    async def test_are_counted_without_a_limit_too(self, platform, workspace, api_client):
        workflow = await a_workflow(api_client)
        await made(api_client, f"/v1/workflows/{workflow}/publish")
        for _ in range(3):
            await made(api_client, f"/v1/workflows/{workflow}/runs")
        assert (await limits(api_client))["executions"] == {"used": 3, "allowed": None, "remaining": None}


async def ended(platform: Platform, workspace: TestWorkspace, run: JsonObject) -> str:
    """A run whose row says that it failed."""
    async with platform.database.transaction(workspace.id) as session:
        change = update(Run).where(Run.id == UUID(run["id"]))
        await session.execute(change.values(status="failed", finished_at=Run.created_at, queue=None))
    return str(run["id"])


async def test_connections_are_made_up_to_the_plans_number_also_at_once(platform, workspace, api_client):
    await on(platform, workspace, "free")

    def asked(number: int) -> Any:
        body = {"kind": "http", "name": f"c{number}", "config": {"base_url": "https://example.com"}}
        return api_client.post("/v1/connections", json=body)

    answers = await asyncio.gather(*map(asked, range(5)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [403] * 3
    refusal(await asked(9), "2 connections", "delete one")
    assert (await limits(api_client))["connections"] == {"used": 2, "allowed": 2, "remaining": 0}


async def test_webhooks_are_made_up_to_the_plans_number(platform, workspace, api_client):
    await on(platform, workspace, "free")
    workflow = await a_workflow(api_client, trigger={"type": "webhook"})
    await made(api_client, f"/v1/workflows/{workflow}/webhooks", {})
    refusal(await api_client.post(f"/v1/workflows/{workflow}/webhooks", json={}), "1 webhooks")
    assert (await limits(api_client))["webhooks"] == {"used": 1, "allowed": 1, "remaining": 0}


class TestUsage:
    async def test_says_all_of_a_plan(self, platform, workspace, api_client):
        await on(platform, workspace, "pro", rate_limit="500/minute", history_days=14)
        usage = (await api_client.get("/v1/usage")).json()
        assert usage["plan"] == "pro"
        assert usage["period"]["start"][8:] == usage["period"]["end"][8:] == "01T00:00:00Z"
        assert usage["limits"]["steps"] == {"used": None, "allowed": 25, "remaining": None}
        assert usage["limits"]["delay_seconds"]["allowed"] == 7 * 86_400
        assert usage["features"] == {"branches": True, "parallel": False}
        assert usage["history_days"] == 14
        assert usage["rate_limits"][1] == {
            "policy": "workspace",
            "limit": "500/minute",
            "quota": 500,
            "window_seconds": 60,
        }

    async def test_the_shorter_one_of_plan_and_settings_says_how_long_history_is_kept(
        self, platform, workspace, api_client
    ):
        days: list[int | None] = []
        for plan, own in (("free", 30), ("free", 3), ("free", 0), ("own", 0), ("own", 30)):
            await workspaces.update_settings(platform, workspace.id, {"retention_days": own})
            await on(platform, workspace, plan)
            days.append((await api_client.get("/v1/usage")).json()["history_days"])
        assert days == [7, 3, 7, None, 30]


class TestSettingThePlan:
    async def test_refuses_one_that_is_not_there(self, platform, workspace):
        with pytest.raises(Invalid, match=r"no plan 'gold'; there are free, pro, enterprise, own"):
            await plans.set_plan(platform, workspace.id, "gold")

    @pytest.mark.parametrize(
        "overrides",
        [{"steps": "many"}, {"stairs": 3}, {"rate_limit": "often"}, {"workflows": -1}, {"history_days": 10**12}],
    )
    async def test_refuses_overrides_that_cannot_be_read(self, platform, workspace, overrides):
        with pytest.raises(Invalid) as refused:
            await plans.set_plan(platform, workspace.id, "free", overrides)
        assert refused.value.problems[0].path == f"plan_overrides.{next(iter(overrides))}"

    async def test_keeps_the_overrides_where_none_are_given(self, platform, workspace, api_client):
        await on(platform, workspace, "free", workflows=None)
        await plans.set_plan(platform, workspace.id, "pro")
        assert (await limits(api_client))["workflows"]["allowed"] is None
