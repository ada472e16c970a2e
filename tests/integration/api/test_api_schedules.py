"""Schedules over HTTP."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.embedded.ports import free_port
from app.json import JsonObject
from app.services.platform import Platform
from app.settings import Settings
from app.temporal.connect import TemporalConnection
from tests.conftest import TestWorkspace
from tests.integration.api.calls import SET_ONE, an_active_workflow, client_of, is_, made, paths, problem
from tests.support.waiting import eventually

NINE: JsonObject = {"type": "schedule", "cron": "0 9 * * mon-fri", "timezone": "Europe/Vienna"}


async def a_schedule(client: httpx.AsyncClient, **trigger: Any) -> JsonObject:
    """The one schedule of a workflow that is made for it."""
    workflow_id = await an_active_workflow(client, SET_ONE, trigger={**NINE, **trigger})
    [found] = (await client.get(f"/v1/workflows/{workflow_id}/schedules")).json()["items"]
    return dict(found)


async def test_a_schedule_shows_its_trigger_and_its_next_runs(api_client: httpx.AsyncClient) -> None:
    listed = await a_schedule(api_client)
    found = (await api_client.get(f"/v1/schedules/{listed['id']}")).json()
    assert {**found, **listed} == found, "the list shows no more than the schedule itself"
    assert (found["status"], found["in_step"], found["running"], found["last_run"]) == ("active", True, 0, None)
    assert found["trigger"]["catch_up"] == "1d"
    assert len(found["next_runs"]) == 10
    assert (found["missed"], found["skipped"], found["note"]) == (0, 0, None)


async def test_schedules_are_listed_by_workflow_and_status(api_client: httpx.AsyncClient) -> None:
    first, second = await a_schedule(api_client), await a_schedule(api_client, cron="@daily")
    await made(api_client, f"/v1/schedules/{second['id']}/pause", {"reason": "the shop moves"})

    async def ids(**query: str) -> list[str]:
        return [one["id"] for one in (await api_client.get("/v1/schedules", params=query)).json()["items"]]

    assert await ids() == [first["id"], second["id"]]
    assert await ids(status="paused") == [second["id"]]
    assert await ids(status="active") == [first["id"]]
    assert await ids(workflow_id=first["workflow_id"]) == [first["id"]]
    page = (await api_client.get("/v1/schedules", params={"limit": 1})).json()
    assert await ids(limit="1", cursor=page["next_cursor"]) == [second["id"]]


@pytest.mark.usefixtures("worker")
async def test_a_run_is_started_now(api_client: httpx.AsyncClient) -> None:
    schedule = await a_schedule(api_client)
    answer = await api_client.post(f"/v1/schedules/{schedule['id']}/trigger-now")
    assert answer.status_code == 202
    run = answer.json()["run"]
    assert answer.headers["Location"] == f"/v1/runs/{run['id']}"
    assert (run["trigger"]["type"], run["trigger"]["data"]["schedule_id"]) == ("schedule", schedule["id"])
    await is_(api_client, run["id"], "completed")

    async def said() -> bool:
        last = (await api_client.get(f"/v1/schedules/{schedule['id']}")).json()["last_run"]
        return last is not None and (last["id"], last["status"]) == (run["id"], "completed")

    await eventually(said)
    period = {"from": "2026-01-05T00:00:00Z", "to": "2026-01-09T23:00:00Z", "overlap": "allow_all"}
    filled = await api_client.post(f"/v1/schedules/{schedule['id']}/backfill", json=period)
    assert (filled.status_code, filled.json()["moments"]) == (202, 5)


async def test_a_paused_schedule_says_by_whom_and_runs_again(api_client: httpx.AsyncClient) -> None:
    schedule = await a_schedule(api_client)
    paused = await made(api_client, f"/v1/schedules/{schedule['id']}/pause", {"reason": "audit"})
    assert (paused["status"], paused["paused_reason"], paused["next_runs"]) == ("paused", "audit", [])
    assert paused["paused_by"]
    assert paused["paused_at"]
    resumed = await made(api_client, f"/v1/schedules/{schedule['id']}/resume")
    assert (resumed["status"], resumed["paused_reason"], len(resumed["next_runs"])) == ("active", None, 10)


async def test_a_trigger_is_tried_out(api_client: httpx.AsyncClient) -> None:
    trigger = {"cron": "30 2 * * *", "timezone": "Europe/Vienna"}
    found = await made(api_client, "/v1/schedules/preview", {"trigger": trigger, "count": 3})
    assert found["timezone"] == "Europe/Vienna"
    assert len(found["moments"]) == len(found["local_times"]) == 3
    assert {local[11:16] for local in found["local_times"]} <= {"02:30", "03:00"}


@pytest.mark.parametrize(
    ("trigger", "path"),
    [
        ({"cron": "0 25 * * *"}, "trigger.cron"),
        ({"cron": "@daily", "timezone": "Europe/Wien"}, "trigger.timezone"),
        ({"every": "1s"}, "trigger.every"),
        ({"cron": "@daily", "crom": 1}, "trigger"),
        ({}, "trigger"),
    ],
)
async def test_a_trigger_that_cannot_be_is_refused(
    api_client: httpx.AsyncClient, trigger: JsonObject, path: str
) -> None:
    answer = await api_client.post("/v1/schedules/preview", json={"trigger": trigger})
    assert any(one.startswith(path) for one in paths(problem(answer, 422, "invalid_definition")))


async def test_what_is_not_there(api_client: httpx.AsyncClient) -> None:
    nothing = uuid4()
    problem(await api_client.get(f"/v1/schedules/{nothing}"), 404, "schedule_not_found")
    for action in ("trigger-now", "pause", "resume"):
        problem(await api_client.post(f"/v1/schedules/{nothing}/{action}"), 404, "schedule_not_found")
    problem(await api_client.get(f"/v1/workflows/{nothing}/schedules"), 404, "workflow_not_found")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "invalid_backfill"),
        ({"from": "2000-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "invalid_backfill"),
        ({"from": "2026-01-01", "to": "2026-01-02T00:00:00Z"}, "invalid_request"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "overlap": "skip"}, "invalid_request"),
        ({"from": "2026-01-01T00:00:00Z"}, "invalid_request"),
    ],
)
async def test_a_period_that_cannot_be_filled_in(api_client: httpx.AsyncClient, body: JsonObject, code: str) -> None:
    schedule = await a_schedule(api_client)
    problem(await api_client.post(f"/v1/schedules/{schedule['id']}/backfill", json=body), 422, code)


async def test_a_paused_workflow_rests(api_client: httpx.AsyncClient) -> None:
    schedule = await a_schedule(api_client)
    await made(api_client, f"/v1/workflows/{schedule['workflow_id']}/pause")
    found = (await api_client.get(f"/v1/schedules/{schedule['id']}")).json()
    assert (found["status"], found["paused_reason"]) == ("paused", "its workflow is paused")
    for action in ("trigger-now", "resume"):
        answer = await api_client.post(f"/v1/schedules/{schedule['id']}/{action}")
        assert "activate it first" in problem(answer, 409, "workflow_not_active")["detail"]
    period = {"from": "2026-01-05T00:00:00Z", "to": "2026-01-06T00:00:00Z"}
    answer = await api_client.post(f"/v1/schedules/{schedule['id']}/backfill", json=period)
    problem(answer, 409, "workflow_not_active")


async def test_without_temporal_schedules_are_read_and_paused_and_not_set_off(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    schedule = await a_schedule(api_client)
    nowhere = TemporalConnection(Settings(temporal_address=f"127.0.0.1:{free_port()}"))
    async with client_of(replace(platform, temporal=nowhere), workspace) as client:
        found = (await client.get(f"/v1/schedules/{schedule['id']}")).json()
        assert (found["next_runs"], found["missed"]) == (None, None)
        assert "cannot be reached" in found["note"]
        answer = await client.post(f"/v1/schedules/{schedule['id']}/trigger-now")
        assert "nothing was started" in problem(answer, 503, "temporal_unavailable")["detail"]
        period = {"from": "2026-01-05T00:00:00Z", "to": "2026-01-06T00:00:00Z"}
        answer = await client.post(f"/v1/schedules/{schedule['id']}/backfill", json=period)
        problem(answer, 503, "temporal_unavailable")
        paused = await made(client, f"/v1/schedules/{schedule['id']}/pause")
        assert (paused["status"], paused["in_step"]) == ("paused", False)
        assert paused["sync_error"]
