"""A run watched live: what there is, what changes, and the end."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from app.json import JsonObject
from tests.integration.api.calls import SET_ONE, WAIT, an_active_workflow, made, problem
from tests.support.api_user import ApiUser

pytestmark = pytest.mark.usefixtures("worker")

NOWHERE = "01890000-0000-7000-8000-000000000000"


async def read(answer: httpx.Response) -> AsyncIterator[tuple[str, JsonObject]]:
    """Events of a stream as name and data."""
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def watched(client: httpx.AsyncClient, run_id: str) -> list[tuple[str, JsonObject]]:
    async with client.stream("GET", f"/v1/runs/{run_id}/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [event async for event in read(answer)]


async def test_a_finished_run_is_told_at_once(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, SET_ONE, output=5)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs", headers={"Prefer": "wait=30"})
    seen = await watched(api_client, run["id"])
    assert [(name, data.get("path")) for name, data in seen] == [("step", "one"), ("done", None)]
    assert seen[-1][1] == (await api_client.get(f"/v1/runs/{run['id']}")).json()


async def test_a_run_is_told_as_it_goes(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    workflow_id = await an_active_workflow(api_client, SET_ONE, WAIT, {**SET_ONE, "id": "last"})
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs")
    watching = asyncio.create_task(watched(api_client, run["id"]))
    await user.waits(run["id"], "paid")
    await user.send({"type": "shop.order.paid"})
    seen = await asyncio.wait_for(watching, 30)
    states = [(data["path"], data["status"]) for name, data in seen if name == "step"]
    assert states[-1] == ("last", "completed")
    assert ("one", "completed") in states
    assert ("paid", "completed") in states
    assert len(states) == len(set(states)), "nothing is told twice"
    assert [name for name, _ in seen if name == "done"] == ["done"]
    assert seen[-1][1]["status"] == "completed"


async def test_a_run_that_waits_is_told_to_wait(real_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(real_client, WAIT)
    run = await made(real_client, f"/v1/workflows/{workflow_id}/runs")
    async with asyncio.timeout(20), real_client.stream("GET", f"/v1/runs/{run['id']}/stream") as answer:
        async for name, data in read(answer):
            if name == "step" and data["status"] == "waiting":
                assert data["wait"]["event"] == "shop.order.paid"
                break
    # The client left; the run did not.
    assert (await real_client.get(f"/v1/runs/{run['id']}")).json()["status"] == "waiting"
    assert (await made(real_client, f"/v1/runs/{run['id']}/cancel"))["status"] == "cancelled"


async def test_a_run_nobody_knows_is_not_watched(api_client: httpx.AsyncClient) -> None:
    problem(await api_client.get(f"/v1/runs/{NOWHERE}/stream"), 404, "run_not_found")
