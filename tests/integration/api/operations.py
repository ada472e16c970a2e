"""What tests need to call every operation: a workspace that has one of everything, the ids of these by the names that
addresses have for them, and a body that fits."""

from collections.abc import Mapping
from uuid import UUID

import httpx
from uuid_utils.compat import uuid7

from app.db.models import ApiKey, Approval, Delivery
from app.json import Json, JsonObject
from app.security import api_keys
from app.security.permissions import Role
from app.services import payload_keys
from app.services.platform import Platform
from tests.integration.api.calls import WAIT, an_active_workflow, made
from tests.integration.services.building import a_run, an_event
from tests.support.approving import ask
from tests.support.operations import NOWHERE, Operation
from tests.support.payload_keys import retired_for
from tests.support.providers import TWILIO
from tests.support.waiting import eventually

STEP: Json = {"id": "one", "type": "set_variable", "variables": {"total": 1}}
DEFINITION: Json = {
    "triggers": [
        {"type": "manual", "input_schema": {"type": "object"}},
        {"type": "schedule", "every": "1d"},
        {"type": "webhook"},
    ],
    "steps": [STEP],
}
STEERED: JsonObject = {
    "type": "parallel",
    "id": "all",
    "branches": [
        {"name": "wait", "steps": [{**WAIT, "timeout": "1d"}]},
        {"name": "ask", "steps": [ask()]},
        {
            "name": "fail",
            "steps": [
                {
                    "id": "fetch",
                    "type": "action",
                    "action": "http.request",
                    "inputs": {"url": "http://10.0.0.1/"},
                    "on_error": "hold",
                }
            ],
        },
    ],
}
"""Waits for an event, asks somebody, and holds a step whose call is refused before it is sent: all at once."""
HTTP: Json = {"kind": "http", "name": "C", "config": {"base_url": "http://127.0.0.1:9"}}
OAUTH: Json = {
    "kind": "oauth2",
    "name": "crm",
    "config": {
        "base_url": "https://crm.example.com",
        "grant": "authorization_code",
        "authorization_url": "https://crm.example.com/authorize",
        "token_url": "https://crm.example.com/token",
        "client_id": "holdfast",
    },
    "credentials": {"client_secret": "secret"},
}

BODIES: Mapping[str, Json] = {
    "workflows_create": {"name": "New"},
    "workflows_apply": {"definition": {"name": "Applied", "steps": [STEP]}},
    "runs_control_all": {"control": "resume", "filter": {"all": True}},
    "events_send": {"type": "app.thing.happened", "source": "/new", "data": {}},
    "schedules_preview": {"trigger": {"every": "1d"}},
    "connections_create": {**HTTP, "name": "new"},
    "workspace_change": {"settings": {}},
    "members_add": {"subject": "new", "role": "viewer"},
    "api_keys_create": {"name": "new", "role": "viewer"},
    "variables_create": {"name": "new", "value": "x"},
    "workspaces_create": {"name": "New"},
    "workspaces_change": {"name": "Named"},
    "platform_keys_create": {"name": "new"},
    "workflows_change": {"name": "Mine"},
    "workflows_validate": {},
    "workflows_publish": {},
    "actions_add": {**STEP, "id": "two"},
    "actions_reorder": {"order": ["two", "one"]},
    "actions_replace": STEP,
    "runs_start": {"input": {}},
    "runs_cancel": {},
    "runs_pause": {},
    "runs_resume": {},
    "runs_decide": {"step_path": "all.fetch", "decision": "skip"},
    "runs_signal": {"event": WAIT["event"]},
    "runs_retry": {},
    "runs_redrive": {},
    "approvals_approve": {"decision": "approve"},
    "events_replay": {},
    "webhooks_create": {},
    "webhooks_change": {"name": "Mine"},
    "webhooks_rotate": {},
    "webhooks_replay": {},
    "schedules_trigger_now": {},
    "schedules_backfill": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
    "schedules_pause": {},
    "schedules_resume": {},
    "connections_change": {"name": "Mine"},
    "members_change": {"role": "viewer"},
    "api_keys_change": {"name": "Mine"},
    "variables_change": {"description": "Mine"},
}
"""A body that fits, for each operation that takes one and needs something in it."""


OF_ITS_OWN: Mapping[str, Mapping[str, str]] = {
    "workflows_delete": {"workflow_id": "spare_workflow_id"},
    "runs_cancel": {"run_id": "steered_run_id"},
    "runs_pause": {"run_id": "steered_run_id"},
    "runs_resume": {"run_id": "steered_run_id"},
    "runs_decide": {"run_id": "steered_run_id"},
    "runs_signal": {"run_id": "steered_run_id"},
    "approvals_approve": {"run_id": "steered_run_id"},
    "runs_redrive": {"run_id": "child_run_id"},
    "connections_authorize": {"connection_id": "oauth_id"},
    "connections_show": {"connection_id": "line_id"},
    "connections_stop": {"connection_id": "line_id"},
    "connections_rotate": {"connection_id": "line_id"},
    "connections_receive": {"connection_id": "line_id"},
    "payload_keys_delete": {"key_id": "payload_key_id"},
}
"""Operations that are for another one of the things than the name in their address would find, and which."""
QUERIES = {"payload_keys_delete": "?end_runs=true"}
"""What an address has behind it."""


def address(operation: Operation, ids: Mapping[str, str]) -> str:
    """Of the operation on these things; what has no id is nowhere."""
    of = OF_ITS_OWN.get(operation.id, {})
    return operation.at({name: ids.get(of.get(name, name), NOWHERE) for name in operation.parameters}) + QUERIES.get(
        operation.id, ""
    )


async def a_key(platform: Platform, workspace_id: UUID, role: Role) -> str:
    """A key of the workspace, of this role."""
    key = api_keys.generate(workspace_id)
    read = api_keys.read(key)
    assert read is not None
    row = ApiKey(workspace_id=workspace_id, id=uuid7(), name=role, prefix=read.prefix, hash=read.hash, role=role)
    async with platform.database.transaction(workspace_id) as session:
        session.add(row)
    return key


async def things(client: httpx.AsyncClient, platform: Platform, workspace_id: UUID) -> dict[str, str]:
    """One of everything that has an address, made with the workspace's own client; ids by the names that addresses
    have for them, and by those of `OF_ITS_OWN`."""
    workflow = await made(client, "/v1/workflows", {"name": "Theirs", "definition": DEFINITION})
    await made(client, f"/v1/workflows/{workflow['id']}/publish")
    hook = await made(client, f"/v1/workflows/{workflow['id']}/webhooks", {})
    connection, line, oauth = [await made(client, "/v1/connections", body) for body in (HTTP, TWILIO, OAUTH)]
    await made(client, f"/v1/connections/{line['id']}/inbound")
    member = await made(client, "/v1/members", {"subject": "them", "role": "viewer"})
    key = await made(client, "/v1/api-keys", {"name": "theirs", "role": "viewer"})
    payload_key = await payload_keys.create(platform, workspace_id, created_by="them")
    await payload_keys.create(platform, workspace_id, created_by="them")
    await retired_for(platform, workspace_id)
    variable = await made(client, "/v1/variables", {"name": "their_variable", "value": "x"})
    ran = {"workflow_id": UUID(workflow["id"]), "status": "failed", "workflow_name": "W"}
    run_id = await a_run(platform, workspace_id, **ran)
    child_id = await a_run(platform, workspace_id, **ran, parent_run_id=run_id, parent_path="one")
    event = await an_event(platform, workspace_id, "app.thing.happened", {}, caused_by={"run_id": str(run_id)})
    own = {"workspace_id": workspace_id, "id": uuid7()}
    async with platform.database.transaction(workspace_id) as session:
        session.add(Delivery(**own, webhook_id=hook["id"], method="POST", status="accepted", body=b"{}"))
        asked = {"path": "one", "generation": 1, "attempt": 1, "title": "T", "message": "M", "approvers": []}
        session.add(Approval(**own, run_id=run_id, **asked))
    spare = await made(client, "/v1/workflows", {"name": "Spare"})
    return {
        "workflow_id": workflow["id"],
        "spare_workflow_id": spare["id"],
        "number": "1",
        "step_id": "one",
        "run_id": str(run_id),
        "child_run_id": str(child_id),
        "approval_id": str(own["id"]),
        "event_id": event.id,
        "webhook_id": hook["id"],
        "delivery_id": str(own["id"]),
        "schedule_id": await first(client, "/v1/schedules"),
        "connection_id": connection["id"],
        "line_id": line["id"],
        "oauth_id": oauth["id"],
        "member_id": member["id"],
        "key_id": key["id"],
        "payload_key_id": str(payload_key.id),
        "name": variable["name"],
    }


async def first(client: httpx.AsyncClient, path: str) -> str:
    """The id of the first item of a list."""
    items = (await client.get(path)).json()["items"]
    return str(items[0]["id"])


async def a_steered_run(client: httpx.AsyncClient) -> str:
    """A run that waits, asks and is held; it needs a worker."""
    workflow_id = await an_active_workflow(client, STEERED, {"id": "later", "type": "delay", "duration": "1d"})
    run = await made(client, f"/v1/workflows/{workflow_id}/runs")

    async def all_there() -> bool:
        steps = (await client.get(f"/v1/runs/{run['id']}/steps")).json()["items"]
        return {"waiting", "held"} <= {step["status"] for step in steps if step["path"] != "all"} and len(steps) == 4

    await eventually(all_there, what="the run stands")
    return str(run["id"])
