"""Every operation that changes something leaves its entry in the audit log: called one by one."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.auditing import LEAVES
from app.json import Json, JsonObject
from app.services.platform import Platform
from app.services.platform_keys import create as create_platform_key
from tests.conftest import TestWorkspace
from tests.integration.api.calls import (
    SET_ONE,
    WAIT,
    a_workflow,
    an_active_workflow,
    client_of,
    failing,
    is_,
    made,
    problem,
)
from tests.integration.api.operations import OAUTH
from tests.support.api_user import ApiUser
from tests.support.approving import ask
from tests.support.hooks import a_hook, deliveries, sent
from tests.support.http_stub import Answer, HttpStub
from tests.support.payload_keys import retired_for
from tests.support.providers import TWILIO
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")


class Acts:
    """Calls the API and holds what each call leaves in the log against what the table promises."""

    def __init__(self, client: httpx.AsyncClient, kind: str = "key", name: str = "first key") -> None:
        self.client = client
        self.actor = (kind, name)
        self.user = ApiUser(client)
        self.done: set[str] = set()

    async def entries(self) -> list[JsonObject]:
        """The log, newest first."""
        found: list[JsonObject] = (await self.client.get("/v1/audit-log?limit=200")).json()["items"]
        return found

    async def do(self, operation: str, method: str, path: str, body: Json = None, **options: Any) -> Any:
        """The call's answer; it must leave entries of the operation's actions, under its request's id, and no other."""
        before = {entry["id"] for entry in await self.entries()}
        answer = await self.client.request(method, path, json=body, **options)
        assert answer.is_success, (operation, answer.text)
        left = [entry for entry in await self.entries() if entry["id"] not in before]
        assert left, operation
        assert {entry["action"] for entry in left} <= set(LEAVES[operation]), operation
        for entry in left:
            assert entry["request_id"] == answer.headers["x-request-id"]
            assert entry["action"].partition(".")[0] == entry["target"]["type"]
            assert entry["target"]["id"], operation
            assert entry["target"]["name"], operation
            assert (entry["actor"]["kind"], entry["actor"]["name"]) == self.actor
            assert (entry["outcome"], entry["address"]) == ("done", "127.0.0.1")
        self.done.add(operation)
        return answer.json() if answer.content else None


async def workflows(acts: Acts) -> None:
    created = await acts.do("workflows_create", "POST", "/v1/workflows", {"name": "A", "definition": {"steps": []}})
    path = f"/v1/workflows/{created['id']}"
    await acts.do("workflows_change", "PATCH", path, {"name": "B"})
    await acts.do("actions_add", "POST", f"{path}/actions", SET_ONE)
    await acts.do("actions_add", "POST", f"{path}/actions", {**SET_ONE, "id": "two"})
    await acts.do("actions_replace", "PUT", f"{path}/actions/two", {**SET_ONE, "id": "two", "name": "Two"})
    await acts.do("actions_reorder", "POST", f"{path}/actions/reorder", {"order": ["two", "one"]})
    await acts.do("workflows_publish", "POST", f"{path}/publish")
    await acts.do("workflows_pause", "POST", f"{path}/pause")
    await acts.do("actions_delete", "DELETE", f"{path}/actions/two")
    await acts.do("versions_restore", "POST", f"{path}/versions/1/restore")
    await acts.do("workflows_activate", "POST", f"{path}/activate")
    await acts.do("workflows_archive", "POST", f"{path}/archive")
    await acts.do("workflows_duplicate", "POST", f"{path}/duplicate")
    await acts.do("workflows_delete", "DELETE", path)
    await acts.do("workflows_apply", "POST", "/v1/workflows/apply", {"definition": {"name": "C", "steps": [SET_ONE]}})
    await acts.do("workspace_change", "PATCH", "/v1/workspace", {"settings": {"max_steps": 20}})


async def connections(acts: Acts) -> None:
    path = f"/v1/connections/{(await acts.do('connections_create', 'POST', '/v1/connections', TWILIO))['id']}"
    await acts.do("connections_change", "PATCH", path, {"description": "The line"})
    await acts.do("connections_receive", "POST", f"{path}/inbound")
    await acts.do("connections_rotate", "POST", f"{path}/inbound/rotate")
    await acts.do("connections_stop", "DELETE", f"{path}/inbound")
    await acts.do("connections_delete", "DELETE", path)


PLANTED = {**OAUTH, "credentials": {"client_secret": "planted-secret"}}


async def access(acts: Acts) -> None:
    connection = await made(acts.client, "/v1/connections", PLANTED)
    await acts.do("connections_authorize", "POST", f"/v1/connections/{connection['id']}/authorize")
    variable = {"name": "token", "value": "planted-secret", "is_secret": True}
    await acts.do("variables_create", "POST", "/v1/variables", variable)
    await acts.do("variables_change", "PATCH", "/v1/variables/token", {"value": "planted-secret-2"})
    await acts.do("variables_delete", "DELETE", "/v1/variables/token")
    member = await acts.do("members_add", "POST", "/v1/members", {"subject": "ada@example.com", "role": "viewer"})
    await acts.do("members_change", "PATCH", f"/v1/members/{member['id']}", {"role": "editor"})
    await acts.do("members_remove", "DELETE", f"/v1/members/{member['id']}")
    key = await acts.do("api_keys_create", "POST", "/v1/api-keys", {"name": "new", "role": "viewer"})
    path = f"/v1/api-keys/{key['id']}"
    await acts.do("api_keys_change", "PATCH", path, {"role": "operator"})
    again = await acts.do("api_keys_rotate", "POST", f"{path}/rotate")
    await acts.do("api_keys_revoke", "DELETE", path)
    told = str(await acts.entries())
    assert "planted-secret" not in told
    assert key["key"] not in told
    assert again["key"] not in told


async def payload_keys(acts: Acts, platform: Platform, workspace: TestWorkspace) -> None:
    key = await acts.do("payload_keys_create", "POST", "/v1/workspace/payload-keys")
    path = f"/v1/workspace/payload-keys/{key['id']}"
    problem(await acts.client.delete(path), 409, "payload_key_retiring")
    assert (await acts.entries())[0]["action"] == "payload_key.retire"
    await retired_for(platform, workspace.id)
    await acts.do("payload_keys_delete", "DELETE", path)


async def administration(acts: Acts) -> None:
    workspace = await acts.do("workspaces_create", "POST", "/v1/workspaces", {"name": "Client"})
    path = f"/v1/workspaces/{workspace['id']}"
    await acts.do("workspaces_change", "PATCH", path, {"state": "suspended"})
    await acts.do("workspaces_change", "PATCH", path, {"state": "active"})
    theirs = {"Authorization": f"Bearer {workspace['api_key']}"}
    listed = (await acts.client.get("/v1/audit-log", headers=theirs)).json()["items"]
    assert [entry["action"] for entry in listed] == ["workspace.update", "workspace.update", "workspace.create"]
    assert {entry["actor"]["kind"] for entry in listed} == {"platform"}
    await acts.do("workspaces_delete", "DELETE", path)
    key = await acts.do("platform_keys_create", "POST", "/v1/platform-keys", {"name": "second"})
    await acts.do("platform_keys_revoke", "DELETE", f"/v1/platform-keys/{key['id']}")


async def webhooks(acts: Acts) -> None:
    hook = await a_hook(acts.client)
    made_ = await acts.do("webhooks_create", "POST", f"/v1/workflows/{hook['workflow_id']}/webhooks", {"name": "Shop"})
    await sent(acts.client, hook, {"n": 1})
    [delivery] = await deliveries(acts.client, hook)
    await acts.do("webhooks_replay", "POST", f"/v1/deliveries/{delivery['id']}/replay")
    path = f"/v1/webhooks/{made_['id']}"
    await acts.do("webhooks_change", "PATCH", path, {"enabled": False})
    await acts.do("webhooks_rotate", "POST", f"{path}/rotate")
    await acts.do("webhooks_delete", "DELETE", path)


async def events(acts: Acts) -> None:
    await made(acts.client, "/v1/events", {"type": "shop.paid", "id": "e1", "source": "/shop"})
    await acts.do("events_replay", "POST", "/v1/events/e1/replay")


async def schedules(acts: Acts) -> None:
    trigger = {"type": "schedule", "cron": "0 9 * * *"}
    workflow_id = await an_active_workflow(acts.client, SET_ONE, trigger=trigger)
    [schedule] = (await acts.client.get(f"/v1/workflows/{workflow_id}/schedules")).json()["items"]
    path = f"/v1/schedules/{schedule['id']}"
    await acts.do("schedules_pause", "POST", f"{path}/pause", {"reason": "the shop moves"})
    await acts.do("schedules_resume", "POST", f"{path}/resume")
    await acts.do("schedules_trigger_now", "POST", f"{path}/trigger-now")
    now = datetime.now(UTC)
    period = {"from": (now - timedelta(days=2)).isoformat(), "to": now.isoformat()}
    await acts.do("schedules_backfill", "POST", f"{path}/backfill", period)


async def runs(acts: Acts, stub: HttpStub) -> None:
    waiting = f"/v1/workflows/{await an_active_workflow(acts.client, WAIT)}/runs"
    run = await acts.do("runs_start", "POST", waiting)
    await acts.user.waits(run["id"], "paid")
    await acts.do("runs_pause", "POST", f"/v1/runs/{run['id']}/pause")
    await acts.do("runs_resume", "POST", f"/v1/runs/{run['id']}/resume")
    await acts.do("runs_signal", "POST", f"/v1/runs/{run['id']}/signal", {"data": {"n": 1}})
    run = await acts.do("runs_start", "POST", waiting)
    await acts.user.waits(run["id"], "paid")
    await acts.do("runs_control_all", "POST", "/v1/runs/control", {"control": "pause", "filter": {"status": "waiting"}})
    await acts.do("runs_cancel", "POST", f"/v1/runs/{run['id']}/cancel")
    await is_(acts.client, run["id"], "cancelled")
    again = await acts.do("runs_retry", "POST", f"/v1/runs/{run['id']}/retry")
    await made(acts.client, f"/v1/runs/{again['id']}/cancel")
    again = await acts.do("runs_redrive", "POST", f"/v1/runs/{run['id']}/redrive")
    await made(acts.client, f"/v1/runs/{again['id']}/cancel")

    stub.answer("/charge", Answer(402))
    run = await made(acts.client, f"/v1/workflows/{await an_active_workflow(acts.client, failing(stub))}/runs")
    await is_(acts.client, run["id"], "held")
    decision = {"step_path": "charge", "decision": "skip"}
    await acts.do("runs_decide", "POST", f"/v1/runs/{run['id']}/decide", decision)

    run = await made(acts.client, f"/v1/workflows/{await an_active_workflow(acts.client, ask())}/runs", {"input": {}})
    await eventually(lambda: _asked(acts, run["id"]), what="the approval")
    await is_(acts.client, run["id"], "waiting")
    await acts.do("approvals_approve", "POST", f"/v1/runs/{run['id']}/approve", {"decision": "approve"})


async def _asked(acts: Acts, run_id: str) -> bool:
    return bool((await acts.client.get(f"/v1/approvals?run_id={run_id}")).json()["items"])


async def test_every_operation_that_changes_something_leaves_its_entry(
    api_client: httpx.AsyncClient, http_stub: HttpStub, platform: Platform, workspace: TestWorkspace
) -> None:
    acts = Acts(api_client)
    await workflows(acts)
    await connections(acts)
    await webhooks(acts)
    await events(acts)
    await schedules(acts)
    await runs(acts, http_stub)
    await access(acts)
    encrypting = platform.settings.model_copy(update={"payload_encryption": "on"})
    async with client_of(dataclasses.replace(platform, settings=encrypting), workspace) as client:
        payload = Acts(client)
        await payload_keys(payload, platform, workspace)
    _, key = await create_platform_key(platform, "administrator")
    async with client_of(platform, TestWorkspace(workspace.id, key)) as client:
        platforms = Acts(client, "platform", "administrator")
        await administration(platforms)
    assert acts.done | payload.done | platforms.done == set(LEAVES)


async def test_what_changes_nothing_leaves_nothing(api_client: httpx.AsyncClient) -> None:
    acts = Acts(api_client)
    workflow_id = await an_active_workflow(api_client)
    path = f"/v1/workflows/{workflow_id}"
    run = await made(api_client, f"{path}/runs", headers={"Prefer": "wait=30", "Idempotency-Key": "k"})
    await made(api_client, "/v1/events", {"type": "shop.paid", "id": "e1", "source": "/shop"})
    await made(api_client, "/v1/events/e1/replay", headers={"Idempotency-Key": "k"})
    before = await acts.entries()
    for method, where, body in (
        ("PATCH", path, {}),
        ("PATCH", path, {"name": "Test"}),
        ("POST", f"{path}/publish", None),
        ("POST", f"{path}/activate", None),
        ("PATCH", "/v1/workspace", {"settings": {}}),
        ("POST", f"{path}/runs", None),
        ("POST", "/v1/events/e1/replay", None),
        ("POST", "/v1/events", {"type": "shop.paid", "id": "e2", "source": "/shop"}),
        ("POST", f"{path}/validate", {}),
        ("GET", path, None),
    ):
        answer = await api_client.request(method, where, json=body, headers={"Idempotency-Key": "k"})
        assert answer.is_success, (where, answer.text)
    for where, status in ((f"/v1/runs/{run['id']}/cancel", 409), (f"/v1/runs/{run['id']}/retry", 409)):
        assert (await api_client.post(where)).status_code == status
    assert await acts.entries() == before


async def test_what_fails_leaves_no_entry(api_client: httpx.AsyncClient) -> None:
    acts = Acts(api_client)
    one, two = await a_workflow(api_client, name="One"), await a_workflow(api_client, name="Two")
    slug = (await api_client.get(f"/v1/workflows/{two}")).json()["slug"]
    connection = {"kind": "smtp", "name": "m", "config": {"host": "h"}}
    await made(api_client, "/v1/connections", connection)
    before = await acts.entries()
    assert (await api_client.patch(f"/v1/workflows/{one}", json={"slug": slug})).status_code == 409
    assert (await api_client.post("/v1/connections", json=connection)).status_code == 409
    assert (await api_client.post(f"/v1/workflows/{one}/activate")).status_code == 409
    assert await acts.entries() == before
