"""Run control over all runs that match: each once, whatever becomes of the others, page by page."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.embedded.ports import free_port
from app.json import JsonObject
from app.services import bulk, events
from app.services.platform import Platform, open_platform
from app.settings import Settings
from tests.conftest import TestWorkspace
from tests.integration.api.calls import SET_ONE, WAIT, an_active_workflow, client_of, failing, is_, made, paths, problem
from tests.integration.services.building import a_run
from tests.support.api_user import ApiUser
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually

NOWHERE = "01890000-0000-7000-8000-000000000000"

pytestmark = pytest.mark.usefixtures("worker")


async def runs_of(client: httpx.AsyncClient, workflow_id: str, count: int, at: str = "waiting") -> list[str]:
    """Runs of the workflow, in the order of their ids, once each has this status."""
    found = [(await made(client, f"/v1/workflows/{workflow_id}/runs"))["id"] for _ in range(count)]
    for run_id in found:
        await is_(client, run_id, at)
    return found


async def pages(client: httpx.AsyncClient, control: str, filter_: JsonObject, **more: Any) -> AsyncIterator[JsonObject]:
    """The answers of a walk, until there is no next page."""
    body = {"control": control, "filter": filter_, **more}
    while True:
        page = await made(client, "/v1/runs/control", body)
        yield page
        if page["next_cursor"] is None:
            return
        body["cursor"] = page["next_cursor"]


async def outcomes(client: httpx.AsyncClient, control: str, filter_: JsonObject, **more: Any) -> list[JsonObject]:
    return [item async for page in pages(client, control, filter_, **more) for item in page["items"]]


async def test_all_that_match_are_cancelled_each_once_and_no_others(api_client: httpx.AsyncClient) -> None:
    mine, other = await an_active_workflow(api_client, WAIT), await an_active_workflow(api_client, WAIT)
    wanted = await runs_of(api_client, mine, 5)
    [left] = await runs_of(api_client, other, 1)
    seen = [page async for page in pages(api_client, "cancel", {"workflow_id": mine, "status": "waiting"}, limit=2)]
    assert [[item["run_id"] for item in page["items"]] for page in seen] == [wanted[:2], wanted[2:4], wanted[4:]]
    assert [page["matched"] for page in seen] == [5, 3, 1], "what is cancelled matches no longer"
    assert {(item["outcome"], item["status"]) for page in seen for item in page["items"]} == {("done", "cancelled")}
    assert (await ApiUser(api_client).get(f"/v1/runs/{left}"))["status"] == "waiting"
    await made(api_client, f"/v1/runs/{left}/cancel")


async def test_runs_are_paused_and_resumed_by_what_they_wait_for(api_client: httpx.AsyncClient) -> None:
    wanted = await runs_of(api_client, await an_active_workflow(api_client, WAIT), 3)
    for control, filter_, status in (
        ("pause", {"waiting_for": "shop.order.paid"}, "paused"),
        ("resume", {"status": "paused"}, "waiting"),
        ("signal", {"waiting_for": "shop.order.paid"}, None),
    ):
        found = await outcomes(api_client, control, filter_, arguments={}, limit=2)
        assert [(item["run_id"], item["outcome"]) for item in found] == [(run_id, "done") for run_id in wanted]
        assert status is None or {item["status"] for item in found} == {status}
    for run_id in wanted:
        assert (await ApiUser(api_client).ended(run_id))["status"] == "completed"


async def test_one_that_refuses_stops_no_other(api_client: httpx.AsyncClient, workspace: TestWorkspace) -> None:
    workflow_id = await an_active_workflow(api_client, SET_ONE)
    done = await made(api_client, f"/v1/workflows/{workflow_id}/runs", headers={"Prefer": "wait=30"})
    [waits] = await runs_of(api_client, await an_active_workflow(api_client, WAIT), 1)
    found = await outcomes(api_client, "cancel", {"all": True})
    assert [(item["run_id"], item["outcome"], item["status"]) for item in found] == [
        (done["id"], "refused", "completed"),
        (waits, "done", "cancelled"),
    ]
    refusal = found[0]["problem"]
    assert (refusal["code"], refusal["status"], refusal["type"]) == ("run_finished", 409, "/problems/run_finished")
    assert refusal["request_id"]
    assert found[1]["problem"] is None


async def test_every_held_step_of_every_run_is_decided(api_client: httpx.AsyncClient, http_stub: HttpStub) -> None:
    for place in ("left", "right"):
        http_stub.answer(f"/{place}", Answer(402))
    branches = [{"name": place, "steps": [failing(http_stub, place)]} for place in ("left", "right")]
    workflow_id = await an_active_workflow(api_client, {"id": "both", "type": "parallel", "branches": branches})
    held = await runs_of(api_client, workflow_id, 2, at="held")
    user = ApiUser(api_client)
    for run_id in held:

        async def both_held(run_id: str = run_id) -> bool:
            steps = await user.steps(run_id)
            return {path for path, step in steps.items() if step["status"] == "held"} == {"both.left", "both.right"}

        await eventually(both_held, what="both steps are held")
    found = await outcomes(api_client, "decide", {"status": "held"}, arguments={"decision": "skip", "output": 1})
    assert [(item["run_id"], item["outcome"]) for item in found] == [(run_id, "done") for run_id in held]
    for run_id in held:
        assert (await user.ended(run_id))["status"] == "completed"


async def test_a_run_that_was_asked_for_later_is_not_taken(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, WAIT)
    wanted = await runs_of(api_client, workflow_id, 2)
    walk = pages(api_client, "pause", {"workflow_id": workflow_id}, limit=1)
    taken = [item["run_id"] for item in (await anext(walk))["items"]]
    [later] = await runs_of(api_client, workflow_id, 1)
    async for page in walk:
        taken += [item["run_id"] for item in page["items"]]
        assert page["matched"] == 2
    assert taken == wanted
    assert (await ApiUser(api_client).get(f"/v1/runs/{later}"))["status"] == "waiting"
    await outcomes(api_client, "cancel", {"workflow_id": workflow_id})


async def test_runs_that_failed_are_retried_and_their_retries_are_not(
    api_client: httpx.AsyncClient, http_stub: HttpStub
) -> None:
    http_stub.answer("/charge", Answer(402))
    workflow_id = await an_active_workflow(api_client, failing(http_stub, on_error="fail"))
    failed = await runs_of(api_client, workflow_id, 3, at="failed")
    retried = []
    async for page in pages(api_client, "retry", {"status": "failed"}, limit=1):
        [item] = page["items"]
        assert (item["outcome"], item["status"], page["matched"]) == ("done", "failed", 3)
        assert (await is_(api_client, item["new_run_id"], "failed"))["retry_of"] == item["run_id"]
        retried.append(item["run_id"])
    assert retried == failed
    assert len((await api_client.get("/v1/runs")).json()["items"]) == 6


async def test_a_call_that_is_repeated_under_its_key_makes_no_run_twice(
    api_client: httpx.AsyncClient, http_stub: HttpStub
) -> None:
    http_stub.answer("/charge", Answer(402))
    workflow_id = await an_active_workflow(api_client, failing(http_stub, on_error="fail"))
    await runs_of(api_client, workflow_id, 2, at="failed")
    for control in ("retry", "redrive"):
        body = {"control": control, "filter": {"all": True}, "limit": 2}
        headers = {"Idempotency-Key": f"again-{control}"}
        answers = [await made(api_client, "/v1/runs/control", body, headers=headers) for _ in range(2)]
        first, second = ([item["new_run_id"] for item in answer["items"]] for answer in answers)
        assert None not in first
        assert first == second
        for run_id in first:
            await is_(api_client, run_id, "failed")


async def test_a_call_that_takes_long_answers_with_fewer_runs(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await an_active_workflow(api_client, WAIT)
    wanted = await runs_of(api_client, workflow_id, 3)
    monkeypatch.setattr(bulk, "BEGIN_SECONDS", 0.0)
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    seen = [page async for page in pages(api_client, "cancel", {"workflow_id": workflow_id}, limit=100)]
    assert [[item["run_id"] for item in page["items"]] for page in seen] == [[run_id] for run_id in wanted]


async def test_what_breaks_at_one_run_is_told_there(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await an_active_workflow(api_client, WAIT)
    first, second = await runs_of(api_client, workflow_id, 2)
    real = events.check

    def check(found: list[JsonObject], limit: int) -> None:
        if first in found[0]["source"]:
            raise RuntimeError("a mistake of ours")
        real(found, limit)

    monkeypatch.setattr(events, "check", check)
    broken, done = await outcomes(api_client, "signal", {"workflow_id": workflow_id}, arguments={"data": 1})
    assert (broken["run_id"], broken["outcome"], broken["status"]) == (first, "failed", "waiting")
    assert (broken["problem"]["code"], broken["problem"]["status"]) == ("internal_error", 500)
    assert (done["run_id"], done["outcome"]) == (second, "done")
    await made(api_client, f"/v1/runs/{first}/cancel")


async def test_while_a_part_is_down_each_run_says_so(
    settings: Settings, platform: Platform, workspace: TestWorkspace
) -> None:
    wanted = [str(await a_run(platform, workspace.id)) for _ in range(12)]
    down = settings.model_copy(update={"temporal_address": f"127.0.0.1:{free_port()}"})
    down.__dict__.pop("resolved_temporal_address", None)
    async with open_platform(down) as away, client_of(away, workspace) as client:
        found = await outcomes(client, "pause", {"status": "running"}, limit=5)
    assert [(item["run_id"], item["outcome"], item["status"]) for item in found] == [
        (run_id, "failed", "running") for run_id in wanted
    ]
    assert {(item["problem"]["code"], item["problem"]["status"]) for item in found} == {("temporal_unavailable", 503)}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"control": "cancel"}, "filter"),
        ({"control": "cancel", "filter": {}}, "filter"),
        ({"control": "cancel", "filter": {"q": ""}}, "filter"),
        ({"control": "stop", "filter": {"all": True}}, "control"),
        ({"control": "cancel", "filter": {"status": "done"}}, "filter.status"),
        ({"control": "cancel", "filter": {"workflow_id": 5}}, "filter.workflow_id"),
        ({"control": "cancel", "filter": {"started_after": 5}}, "filter.started_after"),
        ({"control": "cancel", "filter": {"started_before": "2026-01-01T00:00:00"}}, "filter.started_before"),
        ({"control": "cancel", "filter": {"state": "held"}}, "filter.state"),
        ({"control": "cancel", "filter": {"all": True}, "arguments": {"x": 1}}, "arguments.x"),
        ({"control": "decide", "filter": {"all": True}}, "arguments.decision"),
        ({"control": "signal", "filter": {"all": True}, "arguments": {"event": ""}}, "arguments.event"),
        ({"control": "redrive", "filter": {"all": True}, "arguments": {"version": "1"}}, "arguments.version"),
        ({"control": "cancel", "filter": {"all": True}, "limit": 0}, "limit"),
        ({"control": "cancel", "filter": {"all": True}, "limit": 101}, "limit"),
    ],
)
async def test_a_request_that_is_none_does_nothing(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, body: JsonObject, path: str
) -> None:
    run_id = await a_run(platform, workspace.id, status="pending")
    assert paths(problem(await api_client.post("/v1/runs/control", json=body), 422, "invalid_request")) == [path]
    assert (await ApiUser(api_client).get(f"/v1/runs/{run_id}"))["status"] == "pending"


@pytest.mark.parametrize(
    "cursor", ["x", "WyJhIl0", "WzEsMl0", "WyIwMTg5MDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiXQ"]
)
async def test_a_cursor_of_something_else_is_refused(api_client: httpx.AsyncClient, cursor: str) -> None:
    body = {"control": "cancel", "filter": {"all": True}, "cursor": cursor}
    problem(await api_client.post("/v1/runs/control", json=body), 422, "invalid_cursor")


async def test_a_decision_that_makes_no_sense_is_refused_as_a_whole(api_client: httpx.AsyncClient) -> None:
    body = {"control": "decide", "filter": {"all": True}, "arguments": {"decision": "fail", "output": 5}}
    problem(await api_client.post("/v1/runs/control", json=body), 422, "invalid_decision")


async def test_nothing_that_matches_is_no_mistake(api_client: httpx.AsyncClient) -> None:
    answer = await made(api_client, "/v1/runs/control", {"control": "cancel", "filter": {"status": "held"}})
    assert answer == {"items": [], "next_cursor": None, "matched": 0}


async def test_a_key_that_may_not_approve_approves_nothing_here_either(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    await a_run(platform, workspace.id, status="waiting")

    async def answered(control: str, scopes: list[str], arguments: JsonObject) -> httpx.Response:
        key = await made(api_client, "/v1/api-keys", {"name": "K", "role": "operator", "scopes": scopes})
        body: JsonObject = {"control": control, "filter": {"all": True}, "arguments": arguments}
        own = {"Authorization": f"Bearer {key['key']}"}
        return await api_client.post("/v1/runs/control", json=body, headers=own)

    steering, yes = ["runs:read", "runs:write"], {"decision": "approve"}
    refused = problem(await answered("approve", steering, yes), 403, "not_permitted")
    assert "approvals:write" in refused["detail"]
    assert (await answered("approve", [*steering, "approvals:write"], yes)).status_code == 200
    assert (await answered("signal", steering, {"event": "app.thing.happened"})).status_code == 200
    [entry] = (await api_client.get("/v1/audit-log?action=permission.refuse")).json()["items"]
    assert entry["target"]["id"] == "approvals:write"
