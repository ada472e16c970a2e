"""Every operation under `/v1` for every role, in its own workspace and with another's ids; all taken from the OpenAPI
document, so that a new operation cannot be left out: what is not told below how to call it fails here."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args
from uuid import UUID

import httpx
import pytest

from api.main import create_app
from api.permissions import PERMISSION_OF
from api.schemas.control import Control
from app.json import Json
from app.security.permissions import WORKSPACE_ROLES, Role, permissions_of
from app.services import platform_keys, workspaces
from app.services.children import start_child
from app.services.platform import Platform
from app.temporal.child_messages import StartChild
from tests.conftest import TestWorkspace
from tests.integration.api.calls import client_of
from tests.integration.api.operations import BODIES, a_key, a_steered_run, address, things
from tests.integration.services.building import a_run
from tests.support.operations import Operation, operations

NO_ONES = ("catalog_get_action", "catalog_get_event_type")
"""What has an address of its own and belongs to nobody."""
NEVER_EMPTY = {
    "api_keys_list_keys": "there is a key for each role",
    "audit_export": "a file",
    "catalog_list_actions": "the same for everybody",
    "catalog_list_event_types": "the same for everybody",
}
"""Lists of a new workspace that hold something, and why."""
ENDS = {"runs_stream": "a stream"}
"""GETs of one thing that answer with something else than JSON, and what that is."""
NOT_NOW = {"runs_redrive": "journal_gone"}
"""Codes of the 409s with which one's own things answer, which are as they are made here."""
LAST = ("runs_cancel", "workflows_pause", "workflows_archive", "connections_stop")
"""After these others would find nothing to do; deletions come after them, that of the workflow as the last."""


OPERATIONS = operations(create_app())
IN_ORDER = sorted(
    OPERATIONS,
    key=lambda one: (one.id == "workflows_delete", one.method == "DELETE" and one.id not in LAST, one.id in LAST),
)
ON_ONE_THING = [one for one in OPERATIONS if one.parameters and not one.of_platform and one.id not in NO_ONES]


@dataclass(frozen=True)
class Matrix:
    """A client, a workspace with a key for each role, and another one full of things with its own key."""

    client: httpx.AsyncClient
    mine: UUID
    keys: Mapping[Role, str]
    theirs: str
    ids: Mapping[str, str]

    async def call(self, operation: Operation, key: str | None, ids: Mapping[str, str], body: Json) -> httpx.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        sent = {} if operation.method in ("GET", "DELETE") else {"json": body}
        return await self.client.request(operation.method, address(operation, ids), headers=headers, **sent)


@pytest.fixture
async def matrix(
    api_app: Any,
    api_client: httpx.AsyncClient,
    platform: Platform,
    workspace: TestWorkspace,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Matrix]:
    monkeypatch.setitem(platform.settings.__dict__, "payload_encryption", "on")
    mine, _ = await workspaces.create_workspace(platform, "Mine")
    keys = {role: await a_key(platform, mine.workspace_id, role) for role in WORKSPACE_ROLES}
    _, keys[Role.PLATFORM] = await platform_keys.create(platform, "matrix")
    ids = await things(api_client, platform, workspace.id)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=api_app), base_url="http://holdfast.test", timeout=60
    ) as client:
        yield Matrix(client, mine.workspace_id, keys, workspace.api_key, ids)


async def own(matrix: Matrix, platform: Platform, role: Role) -> tuple[str, Mapping[str, str]]:
    """A key of this role and what it may be used on: things of a new workspace, or of the platform."""
    row, admin = await workspaces.create_workspace(platform, f"Own of {role}")
    if role is Role.PLATFORM:
        spare, _ = await platform_keys.create(platform, "spare")
        return matrix.keys[role], {"workspace_id": str(row.workspace_id), "key_id": str(spare.id)}
    async with client_of(platform, TestWorkspace(row.workspace_id, admin)) as client:
        ids = await things(client, platform, row.workspace_id)
        if "runs:write" in permissions_of(role):
            ids["steered_run_id"] = await a_steered_run(client)
        await client.patch("/v1/workspace", json={"settings": {"allow_drafts_beside_active": True}})
    kinds = {"action_id": "http.request", "event_type": "system.webhook.received"}
    return await a_key(platform, row.workspace_id, role), {**ids, **kinds}


@pytest.mark.usefixtures("worker")
async def test_a_role_may_what_its_permissions_say_and_nothing_else(matrix: Matrix, platform: Platform) -> None:
    """On things of its own, which are there and which it gets or changes: what refuses a role anywhere is seen."""
    wrong = []
    for role in Role:
        key, ids = await own(matrix, platform, role)
        for operation in IN_ORDER:
            answer = await matrix.call(operation, key, ids, BODIES.get(operation.id, {}))
            if operation.permission not in permissions_of(role):
                fine = answer.status_code == 403 and answer.json()["code"] == "not_permitted"
            elif operation.id in NOT_NOW:
                fine = answer.status_code == 409 and answer.json()["code"] == NOT_NOW[operation.id]
            else:
                fine = answer.is_success
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
        if operation.method == "GET" and operation.id not in ENDS:
            answer = await matrix.call(operation, matrix.theirs, matrix.ids, None)
            assert answer.status_code == 200, (operation.id, answer.text)


BODY_IDS = {"workflow_id": "workflow_id", "parent_run_id": "run_id"}
QUERY_IDS = {**BODY_IDS, "run_id": "run_id", "caused_by": "run_id", "target_id": "workflow_id"}
"""Which id each parameter of a query, or field of a body, takes that is one."""
ARGUMENTS: Mapping[str, Json] = {
    "decide": {"decision": "retry"},
    "approve": {"decision": "approve"},
    "signal": {"event": "app.thing.happened"},
}


async def test_a_filter_for_another_workspaces_thing_finds_nothing(matrix: Matrix) -> None:
    asked = [(one, name) for one in OPERATIONS for name in one.query if name.endswith("_id") or name in QUERY_IDS]
    assert len(asked) > 6
    for operation, name in asked:
        path, wanted = address(operation, {}), matrix.ids[QUERY_IDS[name]]
        # Else only open ones are shown, and the run of this one is over.
        more = {"status": "cancelled"} if operation.id == "approvals_list_approvals" else {}
        theirs, mine = [
            await matrix.client.get(path, params={name: wanted, **more}, headers={"Authorization": f"Bearer {key}"})
            for key in (matrix.theirs, matrix.keys[Role.ADMIN])
        ]
        assert (theirs.status_code, wanted in theirs.text) == (200, True), (operation.id, name)
        assert (mine.status_code, wanted in mine.text) == (200, False), (operation.id, name)
        assert "items" not in mine.text or mine.json()["items"] == [], (operation.id, name)


async def test_another_workspaces_id_in_a_body_does_nothing_there(matrix: Matrix) -> None:
    assert {name for one in OPERATIONS for name in one.body if name.endswith("_id")} == set(BODY_IDS)
    before = await everything_of_theirs(matrix)
    mine = {"Authorization": f"Bearer {matrix.keys[Role.ADMIN]}"}
    for control in get_args(Control):
        for name, id_ in BODY_IDS.items():
            body = {"control": control, "filter": {name: matrix.ids[id_]}, "arguments": ARGUMENTS.get(control, {})}
            answer = await matrix.client.post("/v1/runs/control", json=body, headers=mine)
            assert answer.json() == {"items": [], "next_cursor": None, "matched": 0}, (control, name)
    sent = {"id": "mine", "source": "/mine", "type": "app.thing.happened"}
    assert (await matrix.client.post("/v1/events", json=sent, headers=mine)).status_code == 202
    replay = {"workflow_id": matrix.ids["workflow_id"]}
    answer = await matrix.client.post("/v1/events/mine/replay", json=replay, headers=mine)
    assert answer.status_code == 404, answer.text
    assert await everything_of_theirs(matrix) == before


async def test_a_step_runs_no_workflow_of_another_workspace(matrix: Matrix, platform: Platform) -> None:
    """Whatever its expression yields; where it is plain before, nothing is published: see `test_api_children.py`."""
    before = await everything_of_theirs(matrix)
    parent = await a_run(platform, matrix.mine)
    for workflow in (matrix.ids["workflow_id"], "theirs"):
        asked = StartChild(
            workspace_id=str(matrix.mine), run_id=str(parent), path="one", key=f"{parent}/{workflow}", workflow=workflow
        )
        started = await start_child(platform, asked)
        assert (started.run_id, "there is no workflow" in str(started.refused)) == (None, True)
    assert await everything_of_theirs(matrix) == before


async def everything_of_theirs(matrix: Matrix) -> list[str]:
    """What their lists of runs, events and approvals hold, and their log."""
    signed = {"Authorization": f"Bearer {matrix.theirs}"}
    lists = ("/v1/runs", "/v1/events", "/v1/approvals", "/v1/audit-log")
    return [(await matrix.client.get(path, headers=signed)).text for path in lists]


def test_every_operation_is_in_the_table_of_permissions_and_no_other() -> None:
    assert {one.id for one in OPERATIONS} == set(PERMISSION_OF)
