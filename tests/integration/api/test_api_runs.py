"""Runs over HTTP: start, wait, find, look into, cancel."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db.models import Run
from app.json import JsonObject
from app.services import answering, runs
from app.services.platform import Platform
from app.settings import Settings
from tests.integration.api.calls import SET_ONE, WAIT, a_workflow, an_active_workflow, made, paths, problem
from tests.support.api_user import ApiUser
from tests.support.http_stub import Answer, HttpStub

pytestmark = pytest.mark.usefixtures("worker")

NOWHERE = "01890000-0000-7000-8000-000000000000"
WAIT_30 = {"Prefer": "wait=30"}


async def test_a_run_is_started_and_answered_before_it_is_done(
    api_client: httpx.AsyncClient, settings: Settings
) -> None:
    workflow_id = await an_active_workflow(api_client, WAIT)
    answer = await api_client.post(f"/v1/workflows/{workflow_id}/runs", json={"input": {"a": 1}})
    assert answer.status_code == 202
    run = answer.json()
    assert answer.headers["location"] == f"/v1/runs/{run['id']}"
    assert "preference-applied" not in answer.headers
    assert (run["status"], run["version"], run["workflow_id"]) == ("running", 1, workflow_id)
    assert run["trigger"] == {"type": "manual", "event_id": None, "data": {"a": 1}}
    assert run["steps_total"] == 1
    found = run["temporal"]
    base = f"{settings.resolved_temporal_ui_url}/namespaces/{settings.temporal_namespace}/workflows"
    assert found["workflow_id"] == f"run-{run['id']}"
    assert found["url"] == f"{base}/{found['workflow_id']}/{found['run_id']}"


async def test_what_the_start_takes_is_part_of_the_wait(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await an_active_workflow(api_client, SET_ONE)
    start, wait_for_answer, waits = runs.start, answering.wait_for_answer, []

    async def slow_start(*args: Any, **named: Any) -> runs.Started:
        await asyncio.sleep(0.2)
        return await start(*args, **named)

    async def noted_wait(platform: Platform, run: Run, seconds: float) -> Run:
        waits.append(seconds)
        return await wait_for_answer(platform, run, seconds)

    monkeypatch.setattr(runs, "start", slow_start)
    monkeypatch.setattr(answering, "wait_for_answer", noted_wait)
    await api_client.post(f"/v1/workflows/{workflow_id}/runs", json={}, headers=WAIT_30)
    assert 0 < waits[0] <= 29.8


async def test_a_run_that_is_waited_for_is_answered_with_its_result(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, SET_ONE, output="{{ trigger.a + vars.total }}")
    path = f"/v1/workflows/{workflow_id}/runs"
    answer = await api_client.post(path, json={"input": {"a": 41}}, headers=WAIT_30)
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=30")
    run = answer.json()
    assert (run["status"], run["output"], run["steps_completed"], run["error"]) == ("completed", 42, 1, None)
    assert run["duration_ms"] >= 0


async def test_a_wait_that_is_too_short_answers_with_the_run_under_way(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, WAIT)
    answer = await api_client.post(f"/v1/workflows/{workflow_id}/runs", headers={"Prefer": "respond-async, wait=1"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "wait=1")
    answer = await api_client.post(f"/v1/workflows/{workflow_id}/runs", headers={"Prefer": "wait=soon"})
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


async def test_a_failed_run_says_why(api_client: httpx.AsyncClient) -> None:
    stop = {"id": "end", "type": "stop", "status": "failed", "reason": "no stock"}
    workflow_id = await an_active_workflow(api_client, stop)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs", headers=WAIT_30)
    assert run["status"] == "failed"
    assert (run["error"]["type"], run["error"]["message"], run["error"]["step_id"]) == ("stopped", "no stock", "end")
    stats = (await api_client.get(f"/v1/workflows/{workflow_id}")).json()["stats"]
    assert (stats["total_runs"], stats["failed_runs"], stats["last_error"]) == (1, 1, "no stock")


async def test_the_same_idempotency_key_gives_the_same_run(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client)}/runs"
    body: JsonObject = {"input": {"a": 1.0, "b": [None]}}
    answers = await asyncio.gather(
        *(api_client.post(path, json=body, headers={"Idempotency-Key": "k"}) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1
    again = await api_client.post(path, json=body, headers={"Idempotency-Key": "k", **WAIT_30})
    assert again.json()["id"] == answers[0].json()["id"]
    assert again.status_code == 200
    assert len((await api_client.get("/v1/runs")).json()["items"]) == 1
    other = await api_client.post(path, json={"input": {"a": 2}}, headers={"Idempotency-Key": "k"})
    assert answers[0].json()["id"] in problem(other, 409, "idempotency_key_reused")["detail"]
    assert (await made(api_client, path, body, headers={"Idempotency-Key": "l"}))["id"] != answers[0].json()["id"]


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"event:/crm:1", b"\xe9", b"a\tb"])
async def test_an_idempotency_key_that_is_none_is_refused(api_client: httpx.AsyncClient, key: bytes) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client)}/runs"
    answer = await api_client.post(path, headers=[(b"Idempotency-Key", key)])
    assert paths(problem(answer, 422, "invalid_request")) == ["header.Idempotency-Key"]


async def test_a_workflow_that_is_not_active_starts_nothing(api_client: httpx.AsyncClient) -> None:
    draft = await a_workflow(api_client, SET_ONE)
    found = problem(await api_client.post(f"/v1/workflows/{draft}/runs"), 409, "workflow_not_active")
    assert "draft" in found["detail"]
    paused = await an_active_workflow(api_client)
    await made(api_client, f"/v1/workflows/{paused}/pause")
    found = problem(await api_client.post(f"/v1/workflows/{paused}/runs"), 409, "workflow_not_active")
    assert "paused" in found["detail"]
    problem(await api_client.post(f"/v1/workflows/{NOWHERE}/runs"), 404, "workflow_not_found")
    assert (await api_client.get("/v1/runs")).json()["items"] == []


async def test_a_run_takes_the_version_it_is_told(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, output="first")
    path = f"/v1/workflows/{workflow_id}"
    await made(api_client, f"{path}/pause")
    await api_client.patch(path, json={"definition": {"steps": [SET_ONE], "output": "second"}})
    await made(api_client, f"{path}/publish")
    assert (await made(api_client, f"{path}/runs", headers=WAIT_30))["output"] == "second"
    old = await made(api_client, f"{path}/runs", {"version": 1}, headers=WAIT_30)
    assert (old["output"], old["version"]) == ("first", 1)
    problem(await api_client.post(f"{path}/runs", json={"version": 3}), 404, "version_not_found")
    problem(await api_client.post(f"{path}/runs", json={"version": 0}), 422, "invalid_request")
    problem(await api_client.post(f"{path}/runs", json={"version": 10**30}), 422, "invalid_request")


async def test_variables_are_those_of_the_definition(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, variables={"city": "Rome"}, output="{{ vars.city }}")
    path = f"/v1/workflows/{workflow_id}/runs"
    assert (await made(api_client, path, {"variables": {"city": "Oslo"}}, headers=WAIT_30))["output"] == "Oslo"
    found = problem(await api_client.post(path, json={"variables": {"town": 1}}), 422, "unknown_variables")
    assert paths(found) == ["variables.town"]
    assert "city" in found["detail"]


SCHEMA = {
    "type": "object",
    "required": ["email"],
    "properties": {"email": {"type": "string", "pattern": "^[^@]+@[^@]+$"}, "age": {"type": "integer"}},
    "additionalProperties": False,
}


async def test_input_must_fit_the_schema_of_the_manual_trigger(api_client: httpx.AsyncClient) -> None:
    trigger = {"type": "manual", "input_schema": SCHEMA}
    path = f"/v1/workflows/{await an_active_workflow(api_client, trigger=trigger)}/runs"
    await made(api_client, path, {"input": {"email": "a@b", "age": 5}})
    answer = await api_client.post(path, json={"input": {"email": "a", "age": "5", "x": 1}})
    assert sorted(paths(problem(answer, 422, "invalid_input"))) == ["input.age", "input.email", "input.x"]
    problem(await api_client.post(path), 422, "invalid_input")
    missing = problem(await api_client.post(path, json={"input": {}}), 422, "invalid_input")
    assert [(each["path"], each["message"]) for each in missing["errors"]] == [("input.email", "is required")]


async def test_an_input_beyond_the_limit_is_refused(api_client: httpx.AsyncClient, settings: Settings) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client)}/runs"
    answer = await api_client.post(path, json={"input": "x" * settings.max_event_bytes})
    problem(answer, 413, "input_too_large")


async def test_a_workflow_for_events_is_started_by_hand_as_well(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(
        api_client, trigger={"type": "event", "event": "a.b"}, output="{{ trigger.x }}"
    )
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs", {"input": {"x": 5}}, headers=WAIT_30)
    assert (run["trigger"]["type"], run["output"]) == ("manual", 5)


async def test_a_run_under_way_says_what_it_waits_for(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    workflow_id = await an_active_workflow(api_client, SET_ONE, WAIT)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs")
    await user.waits(run["id"], "paid")
    found = await user.get(f"/v1/runs/{run['id']}")
    assert (found["status"], found["current_step"], found["steps_completed"]) == ("waiting", "paid", 1)
    assert (found["waiting_for"]["kind"], found["waiting_for"]["event"]) == ("event", "shop.order.paid")
    until = datetime.fromisoformat(found["waiting_for"]["until"])
    assert timedelta(minutes=55) < until - datetime.now(UTC) < timedelta(minutes=65)
    steps = (await user.get(f"/v1/runs/{run['id']}/steps"))["items"]
    assert [(step["path"], step["status"]) for step in steps] == [("one", "completed"), ("paid", "waiting")]
    assert steps[1]["wait"]["event"] == "shop.order.paid"


async def test_steps_are_read_page_by_page(api_client: httpx.AsyncClient) -> None:
    each = {"id": "each", "type": "loop", "items": list(range(7)), "steps": [{**SET_ONE, "id": "in"}]}
    workflow_id = await an_active_workflow(api_client, each)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs", headers=WAIT_30)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api_client.get(f"/v1/runs/{run['id']}/steps?limit=3{cursor}")).json()
        assert len(page["items"]) <= 3
        seen += [step["path"] for step in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["each", *(f"each[{index}].in" for index in range(7))]


async def test_failed_attempts_are_shown_when_asked_for(api_client: httpx.AsyncClient, http_stub: HttpStub) -> None:
    http_stub.answer("/flaky", Answer(500), Answer(503), Answer(200, json={"ok": 1}))
    step = {
        "id": "call", "type": "action", "action": "http.request", "inputs": {"url": f"{http_stub.url}/flaky"},
        "retry": {"max_attempts": 3, "initial_interval": "10ms"},
    }  # fmt: skip
    workflow_id = await an_active_workflow(api_client, step)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs", headers=WAIT_30)
    plain = (await api_client.get(f"/v1/runs/{run['id']}/steps")).json()["items"][0]
    assert (plain["status"], plain["attempt"], plain["attempts"]) == ("completed", 3, None)
    asked = (await api_client.get(f"/v1/runs/{run['id']}/steps?attempts=true")).json()["items"][0]
    assert [(one["attempt"], one["error"]["provider_code"]) for one in asked["attempts"]] == [(1, "500"), (2, "503")]


async def test_runs_are_listed_by_what_is_known_of_them(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    done = await an_active_workflow(api_client, name="Does it")
    waits = await an_active_workflow(api_client, WAIT, name="Waits")
    first = (await made(api_client, f"/v1/workflows/{done}/runs", headers=WAIT_30))["id"]
    second = (await made(api_client, f"/v1/workflows/{waits}/runs"))["id"]
    await user.waits(second, "paid")

    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await user.get(f"/v1/runs?{query}"))["items"]]

    assert await ids("") == [second, first]
    assert await ids("sort=created_at") == [first, second]
    assert await ids(f"workflow_id={done}") == [first]
    assert await ids("status=completed") == [first]
    assert await ids("status=completed,waiting") == [second, first]
    assert await ids("trigger=event") == []
    assert await ids("waiting_for=event") == [second]
    assert await ids("waiting_for=shop.order.paid") == [second]
    assert await ids("waiting_for=delay") == []
    assert await ids(f"q={first[:-4]}") == [first]
    assert await ids("q=100%25") == []
    began = (await user.get(f"/v1/runs/{second}"))["started_at"]
    assert await ids(f"started_after={began}") == [second]
    assert await ids(f"started_before={began}") == [first]
    page = await user.get("/v1/runs?limit=1")
    assert [item["id"] for item in (await user.get(f"/v1/runs?cursor={page['next_cursor']}"))["items"]] == [first]


@pytest.mark.parametrize(
    "query",
    ["status=done", "started_after=yesterday", "started_after=2026-01-01T00:00:00", "workflow_id=x", "limit=999"],
)
async def test_a_filter_that_is_none_is_refused(api_client: httpx.AsyncClient, query: str) -> None:
    found = problem(await api_client.get(f"/v1/runs?{query}"), 422, "invalid_request")
    assert paths(found) == [f"query.{query.partition('=')[0]}"]


async def test_a_run_is_cancelled_once(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    workflow_id = await an_active_workflow(api_client, WAIT)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs")
    await user.waits(run["id"], "paid")
    answer = await api_client.post(f"/v1/runs/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["error"]["type"] == "cancelled"
    assert answer.json()["waiting_for"] is None
    found = problem(await api_client.post(f"/v1/runs/{run['id']}/cancel"), 409, "run_finished")
    assert "cancelled" in found["detail"]
    problem(await api_client.post(f"/v1/runs/{NOWHERE}/cancel"), 404, "run_not_found")


async def test_a_run_temporal_no_longer_has_can_be_cancelled(api_client: httpx.AsyncClient, platform: Platform) -> None:
    user = ApiUser(api_client)
    run = await made(api_client, f"/v1/workflows/{await an_active_workflow(api_client, WAIT)}/runs")
    await user.waits(run["id"], "paid")
    client = await platform.temporal.client()
    await client.get_workflow_handle(run["temporal"]["workflow_id"]).terminate()
    answer = await api_client.post(f"/v1/runs/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


async def test_a_workflow_with_runs_under_way_is_not_deleted(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, WAIT)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs")
    problem(await api_client.delete(f"/v1/workflows/{workflow_id}"), 409, "runs_under_way")
    await made(api_client, f"/v1/runs/{run['id']}/cancel")
    assert (await api_client.delete(f"/v1/workflows/{workflow_id}")).status_code == 204
    assert (await api_client.get(f"/v1/runs/{run['id']}")).json()["status"] == "cancelled"
