"""Health of the server, and what is kept while a part of it is down."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from app.embedded.ports import free_port
from app.services import events, runs
from app.services.platform import Platform, open_platform
from app.settings import Settings
from tests.conftest import TestWorkspace
from tests.integration.api.calls import SET_ONE, WAIT, an_active_workflow, client_of, made, problem
from tests.support.api_user import ApiUser


@pytest.fixture
async def without_temporal(settings: Settings, workspace: TestWorkspace) -> AsyncIterator[httpx.AsyncClient]:
    """The API while Temporal cannot be reached."""
    down = settings.model_copy(update={"temporal_address": f"127.0.0.1:{free_port()}"})
    down.__dict__.pop("resolved_temporal_address", None)
    async with open_platform(down) as platform, client_of(platform, workspace) as client:
        yield client


@pytest.fixture
async def without_database(settings: Settings, workspace: TestWorkspace) -> AsyncIterator[httpx.AsyncClient]:
    """The API while PostgreSQL cannot be reached."""
    down = settings.model_copy(update={"database_url": f"postgresql://holdfast_app@127.0.0.1:{free_port()}/holdfast"})
    async with open_platform(down) as platform, client_of(platform, workspace) as client:
        yield client


async def test_a_process_that_lives_says_so_without_a_key(api_client: httpx.AsyncClient) -> None:
    del api_client.headers["Authorization"]
    answer = await api_client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {}})


async def test_a_server_with_all_its_parts_is_ready(api_client: httpx.AsyncClient) -> None:
    del api_client.headers["Authorization"]
    answer = await api_client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert {name: check["status"] for name, check in answer.json()["checks"].items()} == {
        "database": "ok",
        "temporal": "ok",
    }


async def test_readiness_names_what_is_down(
    without_temporal: httpx.AsyncClient, without_database: httpx.AsyncClient
) -> None:
    for client, down in ((without_temporal, "temporal"), (without_database, "database")):
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "down")
        checks = answer.json()["checks"]
        assert [name for name, check in checks.items() if check["status"] == "down"] == [down]
        assert checks[down]["detail"]
        assert (await client.get("/healthz")).status_code == 200


async def test_without_a_database_nothing_is_taken_and_the_answer_says_so(
    without_database: httpx.AsyncClient,
) -> None:
    for path in ("/v1/workflows", "/v1/runs"):
        answer = await without_database.get(path)
        problem(answer, 503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    problem(await without_database.post("/v1/events", json={"type": "a.b"}), 503, "database_unavailable")


@pytest.mark.usefixtures("worker")
async def test_a_run_asked_for_while_temporal_is_down_is_kept_and_done_later(
    api_client: httpx.AsyncClient, without_temporal: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    workflow_id = await an_active_workflow(api_client, SET_ONE, output="{{ trigger.a }}")
    path = f"/v1/workflows/{workflow_id}/runs"
    answer = await without_temporal.post(path, json={"input": {"a": 7}}, headers={"Idempotency-Key": "k"})
    run = answer.json()
    assert (answer.status_code, run["status"], run["temporal"]["url"]) == (202, "pending", None)
    assert (await without_temporal.get(f"/v1/runs/{run['id']}")).json()["status"] == "pending"
    assert await runs.start_pending(platform, workspace.id, 10, older_than=timedelta(0)) == 1
    assert (await ApiUser(api_client).ended(run["id"]))["output"] == 7
    assert await runs.start_pending(platform, workspace.id, 10, older_than=timedelta(0)) == 0
    again = await api_client.post(path, json={"input": {"a": 7}}, headers={"Idempotency-Key": "k"})
    assert again.json()["id"] == run["id"]


@pytest.mark.usefixtures("worker")
async def test_a_start_that_temporal_took_and_nobody_noted_is_not_made_twice(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    run = await made(api_client, f"/v1/workflows/{await an_active_workflow(api_client, WAIT)}/runs")
    await ApiUser(api_client).waits(run["id"], "paid")
    row = await runs.get(platform, workspace.id, run["id"], live=False)
    row.status = "pending"
    async with platform.database.transaction(workspace.id) as session:
        await session.merge(row)
    assert await runs.start_pending(platform, workspace.id, 10, older_than=timedelta(0)) == 1
    again = (await api_client.get(f"/v1/runs/{run['id']}")).json()
    assert again["temporal"] == run["temporal"]
    assert again["status"] in ("running", "waiting")


async def test_a_pending_run_is_cancelled_without_temporal(
    api_client: httpx.AsyncClient, without_temporal: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client)}/runs"
    run = await made(without_temporal, path)
    assert (await made(without_temporal, f"/v1/runs/{run['id']}/cancel"))["status"] == "cancelled"
    assert await runs.start_pending(platform, workspace.id, 10, older_than=timedelta(0)) == 0
    assert (await api_client.get(f"/v1/runs/{run['id']}")).json()["status"] == "cancelled"


@pytest.mark.usefixtures("worker")
async def test_a_run_under_way_is_shown_and_not_steered_while_temporal_is_down(
    api_client: httpx.AsyncClient, without_temporal: httpx.AsyncClient
) -> None:
    user = ApiUser(api_client)
    run = await made(api_client, f"/v1/workflows/{await an_active_workflow(api_client, WAIT)}/runs")
    await user.waits(run["id"], "paid")
    assert (await without_temporal.get(f"/v1/runs/{run['id']}")).json()["status"] == "waiting"
    steps = (await without_temporal.get(f"/v1/runs/{run['id']}/steps")).json()["items"]
    assert [step["status"] for step in steps] == ["waiting"]
    problem(await without_temporal.post(f"/v1/runs/{run['id']}/cancel"), 503, "temporal_unavailable")


@pytest.mark.usefixtures("worker")
async def test_an_event_sent_while_temporal_is_down_starts_and_wakes_later(
    api_client: httpx.AsyncClient, without_temporal: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    user = ApiUser(api_client)
    waiting = await made(api_client, f"/v1/workflows/{await an_active_workflow(api_client, WAIT)}/runs")
    await user.waits(waiting["id"], "paid")
    await an_active_workflow(api_client, trigger={"type": "event", "event": "shop.order.paid"})
    event = {"type": "shop.order.paid", "source": "/s", "id": "1"}
    done = (await made(without_temporal, "/v1/events", event))["items"][0]
    assert (len(done["started"]), done["woke"]) == (1, [])
    assert await events.dispatch_pending(platform, workspace.id, 10, older_than=timedelta(0)) == 1
    assert (await user.ended(waiting["id"]))["status"] == "completed"
    await runs.start_pending(platform, workspace.id, 10, older_than=timedelta(0))
    assert (await user.ended(done["started"][0]))["status"] == "completed"
    again = (await made(api_client, "/v1/events", event))["items"][0]
    assert again == {"id": "1", "duplicate": True, "started": done["started"], "woke": [waiting["id"]]}
    assert await events.dispatch_pending(platform, workspace.id, 10, older_than=timedelta(0)) == 0


async def test_what_breaks_answers_500_without_a_word_about_it(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr("app.services.workflows.list_", broken)
    answer = await api_client.get("/v1/workflows")
    problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
