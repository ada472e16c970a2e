"""Every operation under `/v1` for every role, in its own workspace and with another's ids; all taken from the OpenAPI
document, so that a new operation cannot be left out: what is not told below how to call it fails here."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from uuid_utils.compat import uuid7

from api.main import create_app
from api.permissions import PERMISSION_OF
from app.db.models import ApiKey, Approval, Delivery
from app.json import Json
from app.security import api_keys
from app.security.permissions import WORKSPACE_ROLES, Role, permissions_of
from app.services import platform_keys, workspaces
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import made
from tests.integration.services.building import a_run, an_event
from tests.support.operations import Operation, operations

STEP: Json = {"id": "one", "type": "set_variable", "variables": {"total": 1}}
DEFINITION: Json = {
    "triggers": [{"type": "manual"}, {"type": "schedule", "every": "1d"}, {"type": "webhook"}],
    "steps": [STEP],
}

BODIES: Mapping[str, Json] = {
    "workflows_change": {"name": "Mine"},
    "workflows_validate": {},
    "workflows_publish": {},
    "actions_add": {"type": "stop"},
    "actions_reorder": {"order": ["one"]},
    "actions_replace": STEP,
    "runs_start": {},
    "runs_cancel": {},
    "runs_pause": {},
    "runs_resume": {},
    "runs_decide": {"step_path": "one", "decision": "retry"},
    "runs_signal": {"event": "app.thing.happened"},
    "runs_retry": {},
    "runs_redrive": {},
    "approvals_approve": {"decision": "approve"},
    "events_replay": {},
    "webhooks_create": {},
    "webhooks_change": {"enabled": False},
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
"""A body that fits, for each operation on one thing that takes a body."""

NO_ONES = ("catalog_get_action", "catalog_get_event_type")
"""What has an address of its own and belongs to nobody."""
NEVER_EMPTY = {
    "api_keys_list_keys": "there is a key for each role",
    "audit_export": "a file",
    "catalog_list_actions": "the same for everybody",
    "catalog_list_event_types": "the same for everybody",
}
"""Lists of a new workspace that hold something, and why."""
ANSWERED_OTHERWISE = {
    "runs_stream": "a stream",
    "runs_input_of": "the workflow takes any input",
    "connections_show": "no messages come in over this connection",
}
"""GETs of one thing of one's own that answer with something else than 200 and JSON here."""


OPERATIONS = operations(create_app())
ON_ONE_THING = [one for one in OPERATIONS if one.parameters and not one.of_platform and one.id not in NO_ONES]


@dataclass(frozen=True)
class Matrix:
    """A client, a key for each role, and another workspace full of things with its own key."""

    client: httpx.AsyncClient
    keys: Mapping[Role, str]
    theirs: str
    ids: Mapping[str, str]

    async def call(self, operation: Operation, key: str | None, ids: Mapping[str, str], body: Json) -> httpx.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        sent = {} if operation.method in ("GET", "DELETE") else {"json": body}
        return await self.client.request(operation.method, operation.at(ids), headers=headers, **sent)


@pytest.fixture
async def matrix(
    api_app: Any, api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> AsyncIterator[Matrix]:
    mine, _ = await workspaces.create_workspace(platform, "Mine")
    keys = {role: await a_key(platform, mine, role) for role in WORKSPACE_ROLES}
    _, keys[Role.PLATFORM] = await platform_keys.create(platform, "matrix")
    ids = await things(api_client, platform, workspace)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=api_app), base_url="http://holdfast.test", timeout=60
    ) as client:
        yield Matrix(client, keys, workspace.api_key, ids)


async def a_key(platform: Platform, workspace: Any, role: Role) -> str:
    key = api_keys.generate(workspace.workspace_id)
    read = api_keys.read(key)
    assert read is not None
    row = ApiKey(
        workspace_id=workspace.workspace_id, id=uuid7(), name=role, prefix=read.prefix, hash=read.hash, role=role
    )
    async with platform.database.transaction(workspace.workspace_id) as session:
        session.add(row)
    return key


async def things(client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace) -> dict[str, str]:
    """One of everything that has an address, in this workspace; the ids by the names that addresses have for them."""
    workflow = await made(client, "/v1/workflows", {"name": "Theirs", "definition": DEFINITION})
    await made(client, f"/v1/workflows/{workflow['id']}/publish")
    hook = await made(client, f"/v1/workflows/{workflow['id']}/webhooks", {})
    to_them = {"kind": "http", "name": "C", "config": {"base_url": "https://api.example.com"}}
    connection = await made(client, "/v1/connections", to_them)
    member = await made(client, "/v1/members", {"subject": "them", "role": "viewer"})
    key = await made(client, "/v1/api-keys", {"name": "theirs", "role": "viewer"})
    variable = await made(client, "/v1/variables", {"name": "their_variable", "value": "x"})
    run_id = await a_run(platform, workspace.id, workflow_id=workflow["id"], status="completed", workflow_name="W")
    await an_event(platform, workspace.id, "app.thing.happened", {})
    own = {"workspace_id": workspace.id, "id": uuid7()}
    async with platform.database.transaction(workspace.id) as session:
        session.add(Delivery(**own, webhook_id=hook["id"], method="POST", status="accepted"))
        asked = {"path": "one", "generation": 1, "attempt": 1, "title": "T", "message": "M", "approvers": []}
        session.add(Approval(**own, run_id=run_id, **asked))
    return {
        "workflow_id": workflow["id"],
        "number": "1",
        "step_id": "one",
        "run_id": str(run_id),
        "approval_id": str(own["id"]),
        "event_id": await first(client, "/v1/events"),
        "webhook_id": hook["id"],
        "delivery_id": str(own["id"]),
        "schedule_id": await first(client, "/v1/schedules"),
        "connection_id": connection["id"],
        "member_id": member["id"],
        "key_id": key["id"],
        "name": variable["name"],
    }


async def first(client: httpx.AsyncClient, path: str) -> str:
    items = (await client.get(path)).json()["items"]
    return str(items[0]["id"])


async def test_a_role_may_what_its_permissions_say_and_nothing_else(matrix: Matrix) -> None:
    """Nothing is changed by it: the things asked for are not there, and the bodies say nothing."""
    wrong = []
    for operation in OPERATIONS:
        for role, key in matrix.keys.items():
            answer = await matrix.call(operation, key, {}, {})
            if operation.permission in permissions_of(role):
                fine = answer.status_code not in (401, 403) and answer.status_code < 500
            else:
                fine = answer.status_code == 403 and answer.json()["code"] == "not_permitted"
            if not fine:
                wrong.append((operation.id, role, answer.status_code, answer.text))
    assert wrong == []


async def test_without_a_key_there_is_nothing_to_see(matrix: Matrix) -> None:
    answers = [(one.id, await matrix.call(one, None, matrix.ids, {})) for one in OPERATIONS]
    assert [(id_, answer.text) for id_, answer in answers if answer.status_code != 401] == []


async def test_another_workspaces_things_are_not_there_whatever_the_role(matrix: Matrix) -> None:
    told = {name for operation in ON_ONE_THING for name in operation.parameters}
    assert told <= set(matrix.ids), "say in `things` how one of these is made"
    wrong = []
    for operation in ON_ONE_THING:
        for role in WORKSPACE_ROLES:
            body = BODIES.get(operation.id, {})
            answer = await matrix.call(operation, matrix.keys[role], matrix.ids, body)
            expected = 404 if operation.permission in permissions_of(role) else 403
            if answer.status_code != expected:
                wrong.append((operation.id, role, answer.status_code, answer.text))
    assert wrong == []


async def test_lists_of_a_new_workspace_are_empty_whatever_others_have(matrix: Matrix) -> None:
    lists = [one for one in OPERATIONS if one.method == "GET" and not one.parameters and not one.of_platform]
    for operation in lists:
        answer = await matrix.call(operation, matrix.keys[Role.ADMIN], {}, None)
        assert answer.status_code == 200, (operation.id, answer.text)
        assert not any(id_ in answer.text for id_ in matrix.ids.values() if len(id_) > 5), operation.id
        if operation.id not in NEVER_EMPTY and isinstance(answer.json(), dict) and "items" in answer.json():
            assert answer.json()["items"] == [], operation.id


async def test_the_same_things_are_there_in_their_own_workspace(matrix: Matrix) -> None:
    """Else that they are not for others would say nothing."""
    for operation in ON_ONE_THING:
        if operation.method == "GET" and operation.id not in ANSWERED_OTHERWISE:
            answer = await matrix.call(operation, matrix.theirs, matrix.ids, None)
            assert answer.status_code == 200, (operation.id, answer.text)


def test_every_operation_is_in_the_table_of_permissions_and_no_other() -> None:
    assert {one.id for one in OPERATIONS} == set(PERMISSION_OF)
