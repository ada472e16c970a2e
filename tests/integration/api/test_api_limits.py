"""Limits over HTTP: what is refused says when to come again, what waits says for what."""

import httpx
import pytest

from app.json import Json, JsonObject
from tests.integration.api.calls import WAIT, made, paths, problem

pytestmark = pytest.mark.usefixtures("worker")


async def an_active_workflow(client: httpx.AsyncClient, **settings: Json) -> str:
    definition: JsonObject = {"settings": settings, "steps": [WAIT]}
    workflow = await made(client, "/v1/workflows", {"name": "Limited", "definition": definition})
    await made(client, f"/v1/workflows/{workflow['id']}/publish")
    return f"/v1/workflows/{workflow['id']}/runs"


async def test_a_start_beyond_the_places_is_refused_with_when_to_try_again(api_client: httpx.AsyncClient) -> None:
    path = await an_active_workflow(api_client, concurrency={"limit": 1, "excess": "reject"})
    first = await made(api_client, path)
    answer = await api_client.post(path)
    told = problem(answer, 429, "concurrency_limit_reached")
    assert int(answer.headers["retry-after"]) > 0
    assert "settings.concurrency" in told["detail"]
    page = await api_client.get(told["type"])
    assert page.status_code == 200
    await made(api_client, f"/v1/runs/{first['id']}/cancel")
    second = await made(api_client, path)
    answer = await api_client.post(f"/v1/runs/{first['id']}/retry")
    problem(answer, 429, "concurrency_limit_reached")
    await made(api_client, f"/v1/runs/{second['id']}/cancel")


async def test_a_start_beyond_the_hour_is_refused_with_when_the_next_one_may_begin(
    api_client: httpx.AsyncClient,
) -> None:
    path = await an_active_workflow(api_client, max_runs_per_hour=1, excess="reject")
    run = await made(api_client, path)
    answer = await api_client.post(path)
    problem(answer, 429, "rate_limit_reached")
    assert 3500 < int(answer.headers["retry-after"]) <= 3600
    await made(api_client, f"/v1/runs/{run['id']}/cancel")


async def test_a_start_whose_key_cannot_be_had_says_which_and_why(api_client: httpx.AsyncClient) -> None:
    path = await an_active_workflow(api_client, run_once_per="{{ trigger.order.id }}")
    told = problem(await api_client.post(path, json={"input": {"name": "Ada"}}), 422, "invalid_limit_key")
    assert paths(told) == ["settings.run_once_per"]


async def test_runs_that_wait_say_for_what_and_are_found_by_it(api_client: httpx.AsyncClient) -> None:
    path = await an_active_workflow(api_client, concurrency={"limit": 1}, max_runs_per_hour=1)
    runs = [await made(api_client, path) for _ in range(2)]
    assert (runs[1]["status"], runs[1]["waiting_for"]["kind"]) == ("pending", "concurrency")
    await made(api_client, f"/v1/runs/{runs[0]['id']}/cancel")
    for kind, found in (("concurrency", []), ("rate", [runs[1]["id"]])):
        page = (await api_client.get("/v1/runs", params={"waiting_for": kind})).json()
        assert [run["id"] for run in page["items"]] == found
    [waiting] = page["items"]
    assert waiting["waiting_for"]["until"] > waiting["created_at"]
    await made(api_client, f"/v1/runs/{waiting['id']}/cancel")
