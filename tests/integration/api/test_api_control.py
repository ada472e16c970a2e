"""Run control over HTTP: pause, resume, decide, signal; what the run answers, and why it refuses."""

from typing import Any

import httpx
import pytest
from uuid_utils.compat import uuid7

from app.embedded.ports import free_port
from app.json import JsonObject
from app.services import steering
from app.services.platform import Platform, open_platform
from app.settings import Settings
from app.temporal import names
from tests.conftest import TestWorkspace
from tests.integration.api.calls import SET_ONE, WAIT, an_active_workflow, client_of, failing, is_, made, paths, problem
from tests.integration.services.building import a_run
from tests.support.api_user import ApiUser
from tests.support.executions import chain
from tests.support.http_stub import Answer, HttpStub
from workflows import history

pytestmark = pytest.mark.usefixtures("worker")

NOWHERE = "01890000-0000-7000-8000-000000000000"
BODIES: dict[str, JsonObject | None] = {
    "pause": None,
    "resume": None,
    "decide": {"step_path": "one", "decision": "skip"},
    "signal": {"event": "a.b", "data": {}},
}


async def a_waiting_run(client: httpx.AsyncClient, *steps: JsonObject, at: str = "paid") -> str:
    """A run that waits at a step; answers its id."""
    run = await made(client, f"/v1/workflows/{await an_active_workflow(client, *(steps or (WAIT,)))}/runs")
    await ApiUser(client).waits(run["id"], at)
    return str(run["id"])


async def a_held_run(client: httpx.AsyncClient, *steps: JsonObject, **definition: Any) -> str:
    """A run with a held step; answers its id."""
    run = await made(client, f"/v1/workflows/{await an_active_workflow(client, *steps, **definition)}/runs")
    await is_(client, run["id"], "held")
    return str(run["id"])


async def ids(client: httpx.AsyncClient, query: str) -> list[str]:
    return [item["id"] for item in (await client.get(f"/v1/runs?{query}")).json()["items"]]


@pytest.mark.parametrize("control", BODIES)
async def test_a_run_that_is_not_there_is_not_controlled(api_client: httpx.AsyncClient, control: str) -> None:
    problem(await api_client.post(f"/v1/runs/{NOWHERE}/{control}", json=BODIES[control]), 404, "run_not_found")


async def test_a_run_that_has_ended_says_so_and_what_can_be_done(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client)
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs", headers={"Prefer": "wait=30"})
    for control, body in BODIES.items():
        answer = await api_client.post(f"/v1/runs/{run['id']}/{control}", json=body)
        detail = problem(answer, 409, "run_finished")["detail"]
        assert "(completed)" in detail
        assert "start a new run" in detail
    run_id = await a_waiting_run(api_client)
    await made(api_client, f"/v1/runs/{run_id}/cancel")
    detail = problem(await api_client.post(f"/v1/runs/{run_id}/pause"), 409, "run_finished")["detail"]
    assert "(cancelled)" in detail
    assert "redrive" in detail


async def test_a_run_that_has_not_begun_can_only_be_cancelled(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    run_id = await a_run(platform, workspace.id, status="pending")
    for control, body in BODIES.items():
        answer = await api_client.post(f"/v1/runs/{run_id}/{control}", json=body)
        assert "cancelling works" in problem(answer, 409, "run_pending")["detail"]
    assert (await made(api_client, f"/v1/runs/{run_id}/cancel"))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("control", "body", "path"),
    [
        ("cancel", {"x": 1}, "x"),
        ("pause", {"x": 1}, "x"),
        ("resume", {"x": 1}, "x"),
        ("decide", {"decision": "skip"}, "step_path"),
        ("decide", {"step_path": "a"}, "decision"),
        ("decide", {"step_path": "a", "decision": "forget"}, "decision"),
        ("decide", {"step_path": "a", "decision": "retry", "inputs": []}, "inputs"),
        ("decide", {"step_path": "a", "decision": "skip", "by": "me"}, "by"),
        ("signal", {"event": ""}, "event"),
        ("signal", {"type": "a.b"}, "type"),
        ("signal", {"event": 5}, "event"),
    ],
)
async def test_a_body_that_is_none_is_refused(
    api_client: httpx.AsyncClient, control: str, body: JsonObject, path: str
) -> None:
    answer = await api_client.post(f"/v1/runs/{NOWHERE}/{control}", json=body)
    assert paths(problem(answer, 422, "invalid_request")) == [path]


@pytest.mark.parametrize(("given", "with_"), [("inputs", "skip"), ("inputs", "fail"), ("output", "retry")])
async def test_what_does_not_go_with_a_decision_is_refused(
    api_client: httpx.AsyncClient, given: str, with_: str
) -> None:
    body = {"step_path": "a", "decision": with_, given: {"a": 1}}
    answer = await api_client.post(f"/v1/runs/{NOWHERE}/decide", json=body)
    assert paths(problem(answer, 422, "invalid_decision")) == [given]


async def test_what_is_told_a_run_is_bounded(api_client: httpx.AsyncClient, settings: Settings) -> None:
    large = {"text": "x" * settings.max_event_bytes}
    body: JsonObject = {"step_path": "a", "decision": "retry", "inputs": large}
    problem(await api_client.post(f"/v1/runs/{NOWHERE}/decide", json=body), 413, "decision_too_large")
    run_id = await a_waiting_run(api_client)
    problem(await api_client.post(f"/v1/runs/{run_id}/signal", json={"data": large}), 413, "event_too_large")
    answer = await api_client.post(f"/v1/runs/{run_id}/signal", json={"event": "a" * 600})
    assert paths(problem(answer, 422, "invalid_event")) == ["type"]


async def test_a_run_is_paused_and_resumed(api_client: httpx.AsyncClient) -> None:
    run_id = await a_waiting_run(api_client, WAIT, SET_ONE)
    answer = await api_client.post(f"/v1/runs/{run_id}/pause")
    assert (answer.status_code, answer.json()["status"]) == (200, "paused")
    assert answer.json()["waiting_for"]["event"] == "shop.order.paid", "what it waits for still comes"
    assert "resume" in problem(await api_client.post(f"/v1/runs/{run_id}/pause"), 409, "run_already_paused")["detail"]
    assert await ids(api_client, "status=held,paused") == [run_id]
    answer = await api_client.post(f"/v1/runs/{run_id}/resume")
    assert (answer.status_code, answer.json()["status"]) == (200, "waiting")
    assert "waiting" in problem(await api_client.post(f"/v1/runs/{run_id}/resume"), 409, "run_not_paused")["detail"]
    assert await ids(api_client, "status=held,paused") == []
    await made(api_client, f"/v1/runs/{run_id}/cancel")


async def test_a_paused_run_keeps_what_came_and_begins_nothing(api_client: httpx.AsyncClient) -> None:
    run_id = await a_waiting_run(api_client, WAIT, SET_ONE)
    await made(api_client, f"/v1/runs/{run_id}/pause")
    answer = await api_client.post(f"/v1/runs/{run_id}/signal", json={"data": {"total": 5}})
    assert (answer.status_code, answer.json()["status"]) == (200, "paused")
    assert set(await ApiUser(api_client).steps(run_id)) == {"paid"}
    await made(api_client, f"/v1/runs/{run_id}/resume")
    assert (await ApiUser(api_client).ended(run_id))["status"] == "completed"


async def test_a_held_run_is_shown_with_why_and_goes_on_with_other_inputs(
    api_client: httpx.AsyncClient, http_stub: HttpStub
) -> None:
    http_stub.answer("/charge", Answer(402))
    http_stub.answer("/other", Answer(200, json={"paid": True}))
    run_id = await a_held_run(api_client, failing(http_stub), output="{{ steps.charge.output.body.paid }}")
    run = await is_(api_client, run_id, "held")
    assert (run["error"]["type"], run["error"]["path"]) == ("provider_rejected", "charge")
    assert run["waiting_for"] == {"kind": "decision", "event": None, "until": None, "run_id": None}
    assert await ids(api_client, "status=held") == await ids(api_client, "waiting_for=decision") == [run_id]
    [listed] = (await api_client.get("/v1/runs?status=held")).json()["items"]
    assert listed["error"] == run["error"]
    step = (await ApiUser(api_client).steps(run_id))["charge"]
    assert (step["status"], step["error"]["provider_code"], step["decision"]) == ("held", "402", None)
    told = {"step_path": "charge", "decision": "retry", "inputs": {"url": f"{http_stub.url}/other"}}
    answer = await api_client.post(f"/v1/runs/{run_id}/decide", json=told)
    assert answer.status_code == 200
    assert answer.json()["status"] != "held"
    ended = await ApiUser(api_client).ended(run_id)
    assert (ended["status"], ended["output"], ended["error"]) == ("completed", True, None)
    answer = await api_client.get(f"/v1/runs/{run_id}/steps?attempts=true")
    [step] = answer.json()["items"]
    assert (step["status"], step["generation"]) == ("completed", 2)
    assert [(one["generation"], one["attempt"], one["error"]["provider_code"]) for one in step["attempts"]] == [
        (1, 1, "402")
    ]
    keys = [request.headers["Idempotency-Key"] for request in http_stub.requests]
    assert len(set(keys)) == 2, "a provider answers an old key with the old failure"


async def test_a_held_step_is_skipped_with_a_value(api_client: httpx.AsyncClient, http_stub: HttpStub) -> None:
    http_stub.answer("/charge", Answer(402))
    run_id = await a_held_run(api_client, failing(http_stub), output="{{ steps.charge.output }}")
    told = {"step_path": "charge", "decision": "skip", "output": {"by": "hand"}}
    await made(api_client, f"/v1/runs/{run_id}/decide", told)
    assert (await ApiUser(api_client).ended(run_id))["output"] == {"by": "hand"}
    step = (await ApiUser(api_client).steps(run_id))["charge"]
    assert (step["status"], step["decision"]["decision"]) == ("skipped", "skip")
    assert step["decision"]["by"] == "first key", "the key that asked"
    assert step["decision"]["at"]


async def test_a_held_step_is_failed(api_client: httpx.AsyncClient, http_stub: HttpStub) -> None:
    http_stub.answer("/charge", Answer(402))
    run_id = await a_held_run(api_client, failing(http_stub))
    await made(api_client, f"/v1/runs/{run_id}/decide", {"step_path": "charge", "decision": "fail"})
    assert (await ApiUser(api_client).ended(run_id))["error"]["path"] == "charge"
    assert (await ApiUser(api_client).steps(run_id))["charge"]["decision"]["decision"] == "fail"


async def test_a_decision_about_a_step_that_is_not_held_names_those_that_are(
    api_client: httpx.AsyncClient, http_stub: HttpStub
) -> None:
    http_stub.answer("/charge", Answer(402))
    run_id = await a_held_run(api_client, SET_ONE, failing(http_stub))
    skip = {"decision": "skip"}
    answer = await api_client.post(f"/v1/runs/{run_id}/decide", json={"step_path": "chrge", **skip})
    assert "held are: charge" in problem(answer, 404, "step_not_found")["detail"]
    answer = await api_client.post(f"/v1/runs/{run_id}/decide", json={"step_path": "one", **skip})
    detail = problem(answer, 409, "step_not_held")["detail"]
    assert "completed" in detail
    assert "held are: charge" in detail
    await made(api_client, f"/v1/runs/{run_id}/cancel")
    run_id = await a_waiting_run(api_client)
    answer = await api_client.post(f"/v1/runs/{run_id}/decide", json={"step_path": "paid", **skip})
    assert "no step of it is held" in problem(answer, 409, "step_not_held")["detail"]
    await made(api_client, f"/v1/runs/{run_id}/cancel")


async def test_inputs_are_for_actions(api_client: httpx.AsyncClient) -> None:
    broken = {"id": "sum", "type": "transform", "mapping": {"a": "{{ trigger.nothing }}"}, "on_error": "hold"}
    run_id = await a_held_run(api_client, broken)
    told = {"step_path": "sum", "decision": "retry", "inputs": {"a": 1}}
    answer = await api_client.post(f"/v1/runs/{run_id}/decide", json=told)
    assert run_id in problem(answer, 422, "invalid_decision")["detail"]
    await made(api_client, f"/v1/runs/{run_id}/cancel")


async def test_a_signal_is_an_event_for_one_run_alone(api_client: httpx.AsyncClient) -> None:
    workflow_id = await an_active_workflow(api_client, WAIT, output="{{ [steps.paid.output, steps.paid.event] }}")
    user = ApiUser(api_client)
    first, second = [(await made(api_client, f"/v1/workflows/{workflow_id}/runs"))["id"] for _ in range(2)]
    for run_id in (first, second):
        await user.waits(run_id, "paid")
    answer = await api_client.post(f"/v1/runs/{first}/signal", json={"data": {"total": 5}})
    assert answer.status_code == 200
    data, envelope = (await user.ended(first))["output"]
    assert data == {"total": 5}
    assert (envelope["type"], envelope["source"]) == ("shop.order.paid", f"/v1/runs/{first}/signal")
    assert (envelope["specversion"], bool(envelope["id"]), bool(envelope["time"])) == ("1.0", True, True)
    assert (await user.get(f"/v1/runs/{second}"))["status"] == "waiting"
    problem(await api_client.post(f"/v1/runs/{first}/signal", json={}), 409, "run_finished")
    await made(api_client, f"/v1/runs/{second}/cancel")


BRANCHES: JsonObject = {
    "id": "both",
    "type": "parallel",
    "branches": [
        {"name": "a", "steps": [WAIT]},
        {"name": "b", "steps": [{"id": "won", "type": "wait_for_event", "event": "crm.deal.*"}]},
    ],
}


async def test_a_signal_says_which_event_it_is_where_that_is_open(api_client: httpx.AsyncClient) -> None:
    run_id = await a_waiting_run(api_client, BRANCHES, at="both.paid")
    await ApiUser(api_client).waits(run_id, "both.won")
    path = f"/v1/runs/{run_id}/signal"
    detail = problem(await api_client.post(path, json={}), 409, "event_type_needed")["detail"]
    assert "both.paid (shop.order.paid)" in detail
    assert "both.won (crm.deal.*)" in detail
    problem(await api_client.post(path, json={"step_path": "both.won"}), 409, "event_type_needed")
    answer = await api_client.post(path, json={"step_path": "nowhere"})
    assert "both.paid" in problem(answer, 409, "run_not_waiting")["detail"]
    answer = await api_client.post(path, json={"step_path": "both.paid"})
    assert answer.status_code == 200
    answer = await api_client.post(path, json={"event": "crm.deal.won"})
    assert answer.status_code == 200
    assert (await ApiUser(api_client).ended(run_id))["status"] == "completed"


async def test_a_signal_that_fits_no_wait_says_what_is_waited_for(api_client: httpx.AsyncClient) -> None:
    match = {"field": "data.total", "operator": "greater_than", "value": 10}
    run_id = await a_waiting_run(api_client, {**WAIT, "match": match})
    path = f"/v1/runs/{run_id}/signal"
    for body in ({"event": "a.b"}, {"data": {"total": 5}}):
        answer = await api_client.post(path, json=body)
        assert "shop.order.paid" in problem(answer, 409, "event_does_not_match")["detail"]
    assert (await made(api_client, path, {"data": {"total": 11}}))["id"] == run_id
    assert (await ApiUser(api_client).ended(run_id))["status"] == "completed"


async def test_a_run_that_waits_for_no_event_takes_no_signal(
    api_client: httpx.AsyncClient, http_stub: HttpStub
) -> None:
    http_stub.answer("/charge", Answer(402))
    run_id = await a_held_run(api_client, failing(http_stub))
    for body in ({}, {"event": "a.b"}):
        problem(await api_client.post(f"/v1/runs/{run_id}/signal", json=body), 409, "run_not_waiting")
    await made(api_client, f"/v1/runs/{run_id}/cancel")


async def test_a_run_that_is_ending_is_left_to_it(api_client: httpx.AsyncClient) -> None:
    last = {**WAIT, "id": "last"}
    run = await made(
        api_client, f"/v1/workflows/{await an_active_workflow(api_client, SET_ONE, **{'finally': [last]})}/runs"
    )
    path = f"/v1/runs/{run['id']}"
    await ApiUser(api_client).waits(run["id"], "last")
    assert "completed" in problem(await api_client.post(f"{path}/pause"), 409, "run_ending")["detail"]
    await made(api_client, f"{path}/cancel")


async def test_a_run_that_goes_on_in_a_new_execution_meanwhile_takes_it_all_the_same(
    api_client: httpx.AsyncClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    rest = {"id": "rest", "type": "delay", "duration": "5ms"}
    poll = {"id": "poll", "type": "repeat", "while": "{{ vars.more }}", "max_iterations": 100_000, "steps": [rest]}
    waits = [{**WAIT, "id": f"wait{number}"} for number in range(8)]
    enough = {"id": "enough", "type": "set_variable", "variables": {"more": False}}
    branches = [{"name": "busy", "steps": [poll]}, {"name": "told", "steps": [*waits, enough]}]
    workflow_id = await an_active_workflow(
        api_client, {"id": "both", "type": "parallel", "branches": branches}, variables={"more": True}
    )
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs")
    path, user = f"/v1/runs/{run['id']}", ApiUser(api_client)
    for wait in waits:
        await user.waits(run["id"], f"both.{wait['id']}")
        for control, body in (("pause", None), ("signal", {"data": 1}), ("resume", None)):
            answer = await api_client.post(f"{path}/{control}", json=body)
            assert answer.status_code in (200, 202), answer.text
    assert (await user.ended(run["id"]))["status"] == "completed"
    executions = await chain(await platform.temporal.client(), names.workflow_id(run["id"]))
    assert len(executions) > len(waits), "new executions began all the time"


async def test_a_run_temporal_no_longer_has_says_so(api_client: httpx.AsyncClient, platform: Platform) -> None:
    run_id = await a_waiting_run(api_client)
    client = await platform.temporal.client()
    await client.get_workflow_handle(names.workflow_id(run_id)).terminate()
    answer = await api_client.post(f"/v1/runs/{run_id}/pause")
    assert answer.status_code == 409
    assert answer.json()["code"] in ("run_lost", "run_finished"), "upkeep may have seen it by now"
    assert "retry" in answer.json()["detail"]


async def test_while_no_worker_answers_nobody_waits_for_ever(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "UPDATE_SECONDS", 1.0)
    run_id = await a_run(platform, workspace.id)
    client = await platform.temporal.client()
    handle = await client.start_workflow(
        names.AUTOMATION_WORKFLOW, id=names.workflow_id(str(run_id)), task_queue=f"nobody-{uuid7()}"
    )
    for control, body in BODIES.items():
        answer = await api_client.post(f"/v1/runs/{run_id}/{control}", json=body)
        assert "may still take effect" in problem(answer, 503, "worker_unavailable")["detail"]
    await handle.terminate()


async def test_while_temporal_is_away_nothing_is_said_to_be_done(
    settings: Settings, platform: Platform, workspace: TestWorkspace
) -> None:
    run_id = await a_run(platform, workspace.id)
    down = settings.model_copy(update={"temporal_address": f"127.0.0.1:{free_port()}"})
    down.__dict__.pop("resolved_temporal_address", None)
    async with open_platform(down) as away, client_of(away, workspace) as client:
        for control, body in BODIES.items():
            answer = await client.post(f"/v1/runs/{run_id}/{control}", json=body)
            assert "may still take effect" in problem(answer, 503, "temporal_unavailable")["detail"]
