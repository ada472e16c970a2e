"""Retry and redrive over HTTP: the new run, and why there is none."""

import httpx
import pytest

from app.json import JsonObject
from tests.integration.api.calls import SET_ONE, WAIT, an_active_workflow, failing, is_, made, paths, problem
from tests.support.api_user import ApiUser
from tests.support.http_stub import Answer, HttpStub

pytestmark = pytest.mark.usefixtures("worker")

NOWHERE = "01890000-0000-7000-8000-000000000000"


async def a_failed_run(client: httpx.AsyncClient, stub: HttpStub) -> JsonObject:
    """A run that did one call and failed at the next, which would end well now."""
    stub.answer("/charge", Answer(402), Answer(200, json={"paid": True}))
    first = {**failing(stub, "reserve"), "on_error": "fail"}
    second = {**failing(stub, "charge"), "on_error": "fail"}
    workflow_id = await an_active_workflow(client, first, second, output="{{ trigger.n }}")
    run = await made(client, f"/v1/workflows/{workflow_id}/runs", {"input": {"n": 7}})
    return await is_(client, run["id"], "failed")


@pytest.mark.parametrize(("control", "calls"), [("retry", 2), ("redrive", 1)])
async def test_a_failed_run_is_done_again_as_a_new_one(
    api_client: httpx.AsyncClient, http_stub: HttpStub, control: str, calls: int
) -> None:
    failed = await a_failed_run(api_client, http_stub)
    answer = await api_client.post(f"/v1/runs/{failed['id']}/{control}", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 202
    run = answer.json()
    assert answer.headers["location"] == f"/v1/runs/{run['id']}"
    assert (run["retry_of"], run["attempt"], run["version"]) == (failed["id"], 2, 1)
    assert run["redriven_from"] == ("charge" if control == "redrive" else None)
    ended = await ApiUser(api_client).ended(run["id"])
    assert (ended["status"], ended["output"]) == ("completed", 7)
    assert len(http_stub.asked("/reserve")) == calls, "what is done is not done again by a redrive"
    assert len(http_stub.asked("/charge")) == 2
    again = await api_client.post(f"/v1/runs/{failed['id']}/{control}", headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["id"]) == (202, run["id"])


async def test_a_redrive_begins_where_it_is_told(api_client: httpx.AsyncClient, http_stub: HttpStub) -> None:
    failed = await a_failed_run(api_client, http_stub)
    body = {"from_step": "reserve", "version": 1}
    run = await made(api_client, f"/v1/runs/{failed['id']}/redrive", body)
    assert run["redriven_from"] == "reserve"
    assert (await ApiUser(api_client).ended(run["id"]))["status"] == "completed"
    assert len(http_stub.asked("/reserve")) == 2


@pytest.mark.parametrize("control", ["retry", "redrive"])
async def test_what_cannot_be_done_again_says_why(api_client: httpx.AsyncClient, control: str) -> None:
    problem(await api_client.post(f"/v1/runs/{NOWHERE}/{control}"), 404, "run_not_found")
    workflow_id = await an_active_workflow(api_client, SET_ONE)
    done = await made(api_client, f"/v1/workflows/{workflow_id}/runs", headers={"Prefer": "wait=30"})
    problem(await api_client.post(f"/v1/runs/{done['id']}/{control}"), 409, "run_completed")
    run = await made(api_client, f"/v1/workflows/{await an_active_workflow(api_client, WAIT)}/runs")
    problem(await api_client.post(f"/v1/runs/{run['id']}/{control}"), 409, "run_under_way")
    await made(api_client, f"/v1/runs/{run['id']}/cancel")


async def test_a_step_nobody_knows_is_none_to_begin_with(api_client: httpx.AsyncClient, http_stub: HttpStub) -> None:
    failed = await a_failed_run(api_client, http_stub)
    answer = await api_client.post(f"/v1/runs/{failed['id']}/redrive", json={"from_step": "chrge"})
    assert paths(problem(answer, 422, "unknown_step")) == ["from_step"]
    problem(await api_client.post(f"/v1/runs/{failed['id']}/redrive", json={"version": 9}), 404, "version_not_found")


@pytest.mark.parametrize(
    ("control", "body", "path"),
    [
        ("retry", {"version": 1}, "version"),
        ("redrive", {"from": "a"}, "from"),
        ("redrive", {"from_step": 3}, "from_step"),
        ("redrive", {"version": 0}, "version"),
        ("redrive", {"version": "1"}, "version"),
    ],
)
async def test_a_body_that_is_none_does_nothing_again(
    api_client: httpx.AsyncClient, control: str, body: JsonObject, path: str
) -> None:
    answer = await api_client.post(f"/v1/runs/{NOWHERE}/{control}", json=body)
    assert paths(problem(answer, 422, "invalid_request")) == [path]
