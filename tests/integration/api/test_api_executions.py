"""A plan's executions a month, whatever would start one more run: what nobody hears of is kept, who asks is told."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.json import JsonObject
from app.services import plans, redriving, scheduled
from app.services.platform import Platform
from app.temporal.scheduled_messages import BeginScheduled
from tests.conftest import TestWorkspace
from tests.integration.api.calls import SET_ONE, an_active_workflow, is_, made, problem
from tests.integration.api.forming import SAID, a_form
from tests.support.hooks import a_hook, sent
from tests.support.providers import TWILIO, receiving
from tests.support.waiting import eventually

Send = Callable[[int], Awaitable[Any]]
"""Sends the one of this number; again the same number, again the same one."""

STOP: JsonObject = {"id": "stop", "type": "stop", "status": "failed", "reason": "to be done again"}
SMS = {"From": "+14155551212", "To": "+15017122661", "Body": "Hi", "SmsStatus": "received"}


@dataclass(frozen=True)
class Tenant:
    """A workspace, and what comes into it from outside."""

    platform: Platform
    workspace: TestWorkspace
    client: httpx.AsyncClient
    anybody: httpx.AsyncClient

    async def may_begin(self, executions: int | None) -> None:
        await plans.set_plan(self.platform, self.workspace.id, "own", {"executions": executions})

    async def used(self) -> int:
        found: int = (await self.client.get("/v1/usage")).json()["limits"]["executions"]["used"]
        return found

    async def runs(self) -> list[JsonObject]:
        """Oldest first."""
        found: list[JsonObject] = (await self.client.get("/v1/runs")).json()["items"]
        return found[::-1]

    async def there_are(self, number: int) -> list[JsonObject]:
        """The runs, once there are so many: what came in is answered before its run may have begun."""

        async def those() -> list[JsonObject] | None:
            found = await self.runs()
            return found if len(found) >= number else None

        found = await eventually(those, what=f"there are {number} runs")
        assert found is not None
        assert len(found) == number
        return found

    async def webhook(self) -> Send:
        hook = await a_hook(self.client, SET_ONE, idempotency_key="{{ body.order }}")

        async def deliver(number: int) -> None:
            assert (await sent(self.client, hook, {"order": f"o{number}"})).status_code == 202

        return deliver

    async def form(self) -> Send:
        form = await a_form(self.client)

        async def submit(number: int) -> None:
            await made(self.anybody, form["path"], {"fields": SAID}, headers={"Idempotency-Key": f"s{number}"})

        return submit

    async def message(self) -> Send:
        line = await receiving(self.client, TWILIO)
        await an_active_workflow(self.client, trigger={"type": "message", "channel": "sms", "connection": "line"})

        async def come_in(number: int) -> None:
            assert (await line.twilio({**SMS, "MessageSid": f"SM{number}"})).status_code == 200

        return come_in

    async def conversation(self) -> Send:
        line = await receiving(self.client, TWILIO)
        trigger = {"type": "message", "channel": "sms", "connection": "line", "conversation": True}
        await an_active_workflow(self.client, trigger=trigger)

        async def come_in(number: int) -> None:
            told = {**SMS, "MessageSid": f"SM{number}", "From": f"+1415555121{number}"}
            assert (await line.twilio(told)).status_code == 200

        return come_in

    async def schedule(self) -> Send:
        workflow_id = await an_active_workflow(self.client, trigger={"type": "schedule", "cron": "0 3 1 1 *"})
        [row] = (await self.client.get(f"/v1/schedules?workflow_id={workflow_id}")).json()["items"]

        async def come(year: int) -> None:
            begun = await scheduled.begin(
                self.platform,
                BeginScheduled(
                    workspace_id=str(self.workspace.id),
                    schedule_id=row["id"],
                    scheduled_for=f"203{year}-01-01T03:00:00Z",
                    waiting="nobody",
                ),
            )
            assert begun.run_id is not None, begun

        return come


@pytest.fixture
def tenant(
    platform: Platform, workspace: TestWorkspace, api_client: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> Tenant:
    return Tenant(platform, workspace, api_client, anybody)


@pytest.mark.parametrize("kind", ["webhook", "form", "message", "conversation", "schedule"])
async def test_what_nobody_hears_of_is_kept_and_begins_when_there_is_room(tenant: Tenant, kind: str) -> None:
    send: Send = await getattr(tenant, kind)()
    await tenant.may_begin(1)
    await send(1)
    [begun] = await tenant.there_are(1)
    for _ in range(2):
        await send(2)
    _, refused = await tenant.there_are(2)
    assert begun["status"] in ("pending", "running", "completed")
    assert refused["status"] == "cancelled"
    assert refused["error"]["type"] == "limit_reached"
    assert "1 executions a month" in refused["error"]["message"]
    assert begun["trigger"]["type"] == refused["trigger"]["type"] == kind.replace("conversation", "message")
    assert await tenant.used() == 1
    await tenant.may_begin(None)
    again = await made(tenant.client, f"/v1/runs/{refused['id']}/retry")
    assert (again["retry_of"], again["error"]) == (refused["id"], None)
    assert await tenant.used() == 2


async def test_a_sender_that_waits_for_the_run_is_told_that_none_began(tenant: Tenant) -> None:
    hook = await a_hook(tenant.client, SET_ONE, respond="when_finished", timeout="30s")
    await tenant.may_begin(0)
    told = problem(await sent(tenant.client, hook, {}), 409, "no_run_began")
    assert "limit of the workflow or the workspace" in told["detail"]
    [refused] = await tenant.runs()
    assert (refused["status"], refused["error"]["type"]) == ("cancelled", "limit_reached")


@pytest.mark.usefixtures("worker")
async def test_a_step_that_runs_a_workflow_fails_with_what_the_plan_allows(tenant: Tenant) -> None:
    inner = await an_active_workflow(tenant.client)
    step = {"id": "inner", "type": "run_workflow", "workflow": inner}
    outer = await an_active_workflow(tenant.client, step)
    await tenant.may_begin(1)
    run = await made(tenant.client, f"/v1/workflows/{outer}/runs")
    failed = await is_(tenant.client, run["id"], "failed")
    assert (failed["error"]["type"], failed["error"]["step_id"]) == ("child_not_started", "inner")
    assert "1 executions a month" in failed["error"]["message"]
    assert [run["id"] for run in await tenant.runs()] == [failed["id"]]
    assert await tenant.used() == 1


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("control", ["retry", "redrive"])
async def test_a_run_is_not_done_again_before_there_is_room(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, control: str
) -> None:
    monkeypatch.setattr(redriving, "SETTLE_SECONDS", 0.0)
    workflow_id = await an_active_workflow(tenant.client, SET_ONE, STOP)
    await tenant.may_begin(1)
    run = await made(tenant.client, f"/v1/workflows/{workflow_id}/runs")
    await is_(tenant.client, run["id"], "failed")
    path, key = f"/v1/runs/{run['id']}/{control}", {"Idempotency-Key": "again"}
    told = problem(await tenant.client.post(path, headers=key), 403, "plan_limit_reached")
    assert "1 executions a month" in told["detail"]
    assert (len(await tenant.runs()), await tenant.used()) == (1, 1)
    await tenant.may_begin(2)
    again = await made(tenant.client, path, headers=key)
    assert (again["retry_of"], again["redriven_from"]) == (run["id"], "stop" if control == "redrive" else None)
    assert (await made(tenant.client, path, headers=key))["id"] == again["id"]
    assert await tenant.used() == 2
