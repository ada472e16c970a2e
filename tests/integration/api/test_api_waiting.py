"""Runs found by what they wait for, and steps shown while they pause between attempts or are held."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.json import JsonObject
from app.services import watching
from tests.integration.api.calls import WAIT, an_active_workflow, failing, made
from tests.integration.api.test_api_stream import watched
from tests.support.api_user import ApiUser
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")


async def ids(client: httpx.AsyncClient, query: str) -> list[str]:
    return [item["id"] for item in (await client.get(f"/v1/runs?{query}")).json()["items"]]


async def test_a_run_is_found_by_each_event_its_branches_wait_for(api_client: httpx.AsyncClient) -> None:
    user = ApiUser(api_client)
    waits = [
        {"name": "a", "steps": [WAIT]},
        {"name": "b", "steps": [{"id": "won", "type": "wait_for_event", "event": "crm.deal.won"}]},
        {"name": "c", "steps": [{"id": "any", "type": "wait_for_event", "event": "support.*"}]},
    ]
    workflow_id = await an_active_workflow(api_client, {"id": "all", "type": "parallel", "branches": waits})
    run = (await made(api_client, f"/v1/workflows/{workflow_id}/runs"))["id"]
    for path in ("all.paid", "all.won", "all.any"):
        await user.waits(run, path)
    other = (await made(api_client, f"/v1/workflows/{await an_active_workflow(api_client, WAIT)}/runs"))["id"]
    await user.waits(other, "paid")
    assert await ids(api_client, "waiting_for=event") == [other, run]
    assert await ids(api_client, "waiting_for=shop.order.paid") == [other, run]
    for event in ("crm.deal.won", "support.*", "support.ticket.opened"):
        assert await ids(api_client, f"waiting_for={event}") == [run]
    for event in ("crm.deal.*", "crm.deal.lost", "delay"):
        assert await ids(api_client, f"waiting_for={event}") == []
    assert await ids(api_client, "status=waiting&waiting_for=shop.order.paid&limit=1") == [other]
    await made(api_client, f"/v1/runs/{other}/cancel")
    await made(api_client, f"/v1/runs/{run}/cancel")
    assert await ids(api_client, "waiting_for=shop.order.paid") == [], "who has ended waits for nothing"


async def test_a_run_is_found_by_the_moment_it_waits_for(api_client: httpx.AsyncClient) -> None:
    pause = {"id": "pause", "type": "delay", "duration": "1h"}
    run = await made(api_client, f"/v1/workflows/{await an_active_workflow(api_client, pause)}/runs")
    await ApiUser(api_client).waits(run["id"], "pause")
    assert await ids(api_client, "waiting_for=delay") == [run["id"]]
    assert await ids(api_client, "waiting_for=event") == []
    await made(api_client, f"/v1/runs/{run['id']}/cancel")


async def a_run_between_attempts(client: httpx.AsyncClient, stub: HttpStub, dispatch: str) -> str:
    """A run whose call was made twice and is not due again for an hour."""
    stub.answer("/charge", Answer(503), Answer(429, headers={"Retry-After": "3600"}))
    retry = {"max_attempts": 3, "initial_interval": "50ms", "max_interval": "2h", "jitter": 0}
    step = failing(stub, retry=retry, on_error="fail")
    workflow_id = await an_active_workflow(client, step, settings={"dispatch": dispatch})
    return str((await made(client, f"/v1/workflows/{workflow_id}/runs"))["id"])


@pytest.mark.parametrize("dispatch", ["local_first", "scheduled"])
async def test_all_failed_attempts_are_shown_while_the_step_is_still_retrying(
    api_client: httpx.AsyncClient, http_stub: HttpStub, dispatch: str
) -> None:
    run_id = await a_run_between_attempts(api_client, http_stub, dispatch)

    async def twice() -> JsonObject | None:
        found = (await api_client.get(f"/v1/runs/{run_id}/steps?attempts=true")).json()["items"]
        return found[0] if found and len(found[0]["attempts"]) == 2 and found[0]["wait"] else None

    found = await eventually(twice, what="two failed attempts, and a pause")
    assert found is not None
    assert (found["status"], found["attempt"], found["error"]["provider_code"]) == ("running", 2, "429")
    assert [(one["attempt"], one["error"]["provider_code"]) for one in found["attempts"]] == [(1, "503"), (2, "429")]
    assert (found["wait"]["kind"], found["wait"]["until"]) == ("retry", found["attempts"][1]["next_attempt_at"])
    until = datetime.fromisoformat(found["wait"]["until"])
    assert timedelta(minutes=50) < until - datetime.now(UTC) < timedelta(minutes=70)
    await made(api_client, f"/v1/runs/{run_id}/cancel")


@pytest.mark.parametrize("dispatch", ["local_first", "scheduled"])
async def test_a_step_that_pauses_between_attempts_is_told_once(
    api_client: httpx.AsyncClient, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, dispatch: str
) -> None:
    monkeypatch.setattr(watching, "SHORTEST_PAUSE", 0.02)
    monkeypatch.setattr(watching, "LONGEST_PAUSE", 0.02)
    run_id = await a_run_between_attempts(api_client, http_stub, dispatch)
    looks = 0
    real = watching.timeline_of

    async def looked(*arguments: Any) -> Any:
        nonlocal looks
        looks += len(http_stub.requests) == 2
        return await real(*arguments)

    monkeypatch.setattr(watching, "timeline_of", looked)
    watcher = asyncio.create_task(watched(api_client, run_id))
    await eventually(lambda: looks > 10, what="ten looks at the pause")
    await made(api_client, f"/v1/runs/{run_id}/cancel")
    steps = [data for name, data in await asyncio.wait_for(watcher, 20) if name == "step"]
    told = [(data["status"], data["attempt"], (data["error"] or {}).get("provider_code")) for data in steps]
    assert ("running", 2, "429") in told
    # A look may come between the failure of an attempt and the pause after it.
    whole = [(*one, bool(data["wait"])) for one, data in zip(told, steps, strict=True)]
    assert len(whole) == len(set(whole)), "nothing is told twice"
    pauses = [data["wait"]["kind"] for data in steps if data["error"] and data["attempt"] == 2 and data["wait"]]
    assert pauses == ["retry"]
