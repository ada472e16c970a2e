"""Webhooks that answer with what their run says: when it ended, or by its `respond` step, within a time."""

from datetime import timedelta

import httpx
import pytest

from app.json import JsonObject
from app.services import dispatching, events, handing_over
from app.services.errors import Unavailable
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import WAIT, is_, problem
from tests.support.hooks import a_hook, deliveries, sent

pytestmark = pytest.mark.usefixtures("worker")

RESPOND: JsonObject = {
    "id": "answer", "type": "respond", "status": 201, "headers": {"X-Order": "{{ trigger.body.order }}"},
    "body": {"order": "{{ trigger.body.order }}"},
}  # fmt: skip


async def test_a_run_that_ended_answers_with_its_output(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, respond="when_finished")
    answer = await sent(api_client, hook, {"n": 1})
    assert (answer.status_code, answer.json()["body"]) == (200, {"n": 1})
    run = await is_(api_client, answer.headers["holdfast-run"], "completed")
    [delivery] = await deliveries(api_client, hook)
    assert (delivery["run_ids"], delivery["answer_status"], delivery["status"]) == ([run["id"]], 200, "accepted")


async def test_a_respond_step_answers_and_a_repeat_gets_the_same(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, RESPOND, WAIT, respond="by_step", idempotency_key="{{ body.order }}")
    first, second = [await sent(api_client, hook, {"order": 7}) for _ in range(2)]
    for answer in (first, second):
        assert (answer.status_code, answer.json(), answer.headers["x-order"]) == (201, {"order": 7}, "7")
    assert first.headers["holdfast-run"] == second.headers["holdfast-run"]
    found = await deliveries(api_client, hook)
    assert [(one["status"], one["answer_status"]) for one in found] == [("duplicate", 201), ("accepted", 201)]


async def test_a_run_that_takes_too_long_is_named_and_goes_on(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, WAIT, RESPOND, respond="by_step", timeout="1s")
    answer = await sent(api_client, hook, {})
    found = problem(answer, 504, "answer_timed_out")
    run_id = answer.headers["holdfast-run"]
    assert run_id in found["detail"]
    assert (await is_(api_client, run_id, "waiting"))["trigger"]["type"] == "webhook"


async def test_a_run_that_fails_says_no_more_than_that(api_client: httpx.AsyncClient) -> None:
    stop = {"id": "end", "type": "stop", "status": "failed", "reason": "the password is 1234"}
    hook = await a_hook(api_client, stop, respond="when_finished")
    answer = await sent(api_client, hook, {})
    problem(answer, 500, "run_not_completed")
    assert "1234" not in answer.text


async def test_a_delivery_whose_run_a_limit_refuses_is_kept_and_says_so(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, WAIT, respond="when_finished", timeout="1s")
    workflow = f"/v1/workflows/{hook['workflow_id']}"
    await api_client.post(f"{workflow}/pause")
    draft = (await api_client.get(workflow)).json()["draft"]
    limited = {**draft, "settings": {"concurrency": {"limit": 1, "excess": "reject"}}}
    assert (await api_client.patch(workflow, json={"definition": limited})).status_code == 200
    assert (await api_client.post(f"{workflow}/publish")).is_success
    problem(await sent(api_client, hook, {}), 504, "answer_timed_out")
    problem(await sent(api_client, hook, {}), 409, "no_run_began")
    assert [one["status"] for one in await deliveries(api_client, hook)] == ["accepted"] * 2


async def test_a_delivery_whose_run_cannot_begin_yet_is_not_told_that_none_will(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("database_unavailable", "away")

    hook = await a_hook(api_client, respond="when_finished", timeout="1s")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(dispatching, "look", away)
        found = problem(await sent(api_client, hook, {}), 504, "answer_timed_out")
    assert "begins later" in found["detail"]
    assert await events.dispatch_pending(platform, workspace.id, 10, older_than=timedelta(0)) == 1
    assert len((await deliveries(api_client, hook))[0]["run_ids"]) == 1


async def test_a_version_published_meanwhile_counts_for_the_next_delivery(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.receiving.LOOK_AGAIN_SECONDS", 0.0)
    hook = await a_hook(api_client, respond="when_finished")
    assert (await sent(api_client, hook, {})).status_code == 200
    workflow = f"/v1/workflows/{hook['workflow_id']}"
    await api_client.post(f"{workflow}/pause")
    draft = (await api_client.get(workflow)).json()["draft"]
    changed = {**draft, "output": "second", "trigger": {**draft["trigger"], "signature": "none"}}
    assert (await api_client.patch(workflow, json={"definition": changed})).status_code == 200
    assert (await api_client.post(f"{workflow}/publish")).is_success
    assert (await api_client.post(hook["path"], content="{}")).json() == "second"


async def test_an_address_whose_trigger_is_gone_says_so(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client)
    workflow = f"/v1/workflows/{hook['workflow_id']}"
    await api_client.post(f"{workflow}/pause")
    draft = (await api_client.get(workflow)).json()["draft"]
    await api_client.patch(workflow, json={"definition": {**draft, "trigger": {"type": "manual"}}})
    assert (await api_client.post(f"{workflow}/publish")).is_success
    problem(await sent(api_client, hook, {}), 409, "webhook_without_trigger")
    assert (await api_client.get(f"/v1/webhooks/{hook['id']}")).json()["status"] == "inactive"


async def test_an_event_that_was_kept_and_not_dispatched_is_done_by_upkeep(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "MOST_WAITING", 0)
    hook = await a_hook(api_client)
    answer = await sent(api_client, hook, {})
    assert (answer.status_code, "run_id" in answer.json()) == (202, False)
    assert (await deliveries(api_client, hook))[0]["run_ids"] == []
    assert await events.dispatch_pending(platform, workspace.id, 10, older_than=timedelta(0)) == 1
    assert len((await deliveries(api_client, hook))[0]["run_ids"]) == 1
