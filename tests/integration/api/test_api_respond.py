"""`Prefer: wait` and a run that answers itself: at once, with its own status and body, and the same to a repeat."""

import asyncio

import httpx
import pytest

from app.json import Json, JsonObject
from tests.integration.api.calls import WAIT, an_active_workflow, is_

pytestmark = pytest.mark.usefixtures("worker")

WAIT_30 = {"Prefer": "wait=30"}


def answer(**fields: Json) -> JsonObject:
    return {"id": "answer", "type": "respond", **fields}


async def test_a_caller_that_waits_gets_the_runs_own_answer_while_the_run_goes_on(
    api_client: httpx.AsyncClient,
) -> None:
    headers: Json = {"X-Order": "{{ trigger.order }}", "Location": "/orders/7"}
    step = answer(status=201, headers=headers, body={"order": "{{ trigger.order }}"})
    path = f"/v1/workflows/{await an_active_workflow(api_client, step, WAIT)}/runs"
    keyed = {**WAIT_30, "Idempotency-Key": "one"}
    clock = asyncio.get_running_loop()
    began = clock.time()
    got = await api_client.post(path, json={"input": {"order": 7}}, headers=keyed)
    assert clock.time() - began < 10
    assert (got.status_code, got.json()) == (201, {"order": 7})
    assert (got.headers["x-order"], got.headers["location"]) == ("7", "/orders/7")
    assert (got.headers["content-type"], got.headers["preference-applied"]) == ("application/json", "wait=30")
    run = await is_(api_client, got.headers["holdfast-run"], "waiting")
    assert (run["response"]["status"], run["response"]["path"], run["output"]) == (201, "answer", None)
    again = await api_client.post(path, json={"input": {"order": 7}}, headers=keyed)
    assert (again.status_code, again.content) == (201, got.content)
    assert again.headers["holdfast-run"] == run["id"]
    unwaited = await api_client.post(path, json={"input": {"order": 7}}, headers={"Idempotency-Key": "one"})
    assert (unwaited.status_code, unwaited.json()["id"]) == (202, run["id"])


@pytest.mark.parametrize(
    ("fields", "status", "type_", "content"),
    [
        ({"body": "plain"}, 200, "text/plain; charset=utf-8", b"plain"),
        ({"body": "<p>", "headers": {"Content-Type": "text/html"}}, 200, "text/html", b"<p>"),
        ({"body": [1, None, "é"]}, 200, "application/json", '[1,null,"é"]'.encode()),
        ({"status": 204}, 204, None, b""),
        ({"status": 503, "body": {"error": "busy"}}, 503, "application/json", b'{"error":"busy"}'),
    ],
)
async def test_a_body_is_sent_as_what_it_is(
    api_client: httpx.AsyncClient, fields: JsonObject, status: int, type_: str | None, content: bytes
) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client, answer(**fields))}/runs"
    got = await api_client.post(path, headers=WAIT_30)
    assert (got.status_code, got.headers.get("content-type"), got.content) == (status, type_, content)
    assert got.headers["location"] == f"/v1/runs/{got.headers['holdfast-run']}"


async def test_a_run_that_ends_without_an_answer_is_answered_as_ever(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client, answer(when='{{ false }}'), output=4)}/runs"
    got = await api_client.post(path, headers=WAIT_30)
    assert (got.status_code, got.json()["output"], got.json()["response"]) == (200, 4, None)
    assert "holdfast-run" not in got.headers


async def test_a_run_that_answers_too_late_is_answered_as_under_way(api_client: httpx.AsyncClient) -> None:
    path = f"/v1/workflows/{await an_active_workflow(api_client, WAIT, answer())}/runs"
    got = await api_client.post(path, headers={"Prefer": "wait=1"})
    assert (got.status_code, got.json()["response"]) == (202, None)
