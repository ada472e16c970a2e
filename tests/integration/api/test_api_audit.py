"""The audit log over HTTP: what an entry says, finding entries, exporting them."""

import asyncio
import csv
import dataclasses
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import update

from api import staying
from app.db.models import ApiKey
from app.json import JsonObject
from app.services import audit_log
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.services.workspaces import create_api_key, create_workspace
from tests.conftest import DatabaseUrls, TestWorkspace
from tests.integration.api.calls import SET_ONE, a_workflow, client_of, made, paths, problem
from tests.support.approving import ask
from tests.support.hooks import a_hook
from tests.support.waiting import eventually

SMTP: JsonObject = {
    "kind": "smtp",
    "name": "mail",
    "config": {"host": "mail.example.com"},
    "credentials": {"username": "ada", "password": "planted-secret-1"},
}


async def entries(client: httpx.AsyncClient, **query: Any) -> list[JsonObject]:
    """The matching entries, newest first."""
    answer = await client.get("/v1/audit-log", params=query)
    assert answer.status_code == 200, answer.text
    found: list[JsonObject] = answer.json()["items"]
    return found


async def actions(client: httpx.AsyncClient, **query: Any) -> list[str]:
    return [entry["action"] for entry in await entries(client, **query)]


async def weakened(platform: Platform, workspace: TestWorkspace, role: str) -> str:
    """Another key of the workspace, with this role."""
    key = await create_api_key(platform, workspace.id, f"a {role}")
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(
            update(ApiKey).where(ApiKey.workspace_id == workspace.id, ApiKey.name == f"a {role}").values(role=role)
        )
    return key


async def test_an_entry_says_who_did_what_from_where_and_what_changed(
    api_client: httpx.AsyncClient, platform: Platform
) -> None:
    workflow_id = await a_workflow(api_client, SET_ONE, name="First")
    behind_proxy = dataclasses.replace(
        platform, settings=platform.settings.model_copy(update={"trusted_proxies": ("127.0.0.0/8",)})
    )
    async with client_of(behind_proxy, TestWorkspace(workflow_id, "")) as client:  # type: ignore[arg-type]
        client.headers["Authorization"] = api_client.headers["Authorization"]
        headers = {"X-Forwarded-For": "203.0.113.9, 127.0.0.5", "User-Agent": "curl/8 " + "x" * 1000}
        headers["X-Request-Id"] = "req-1"
        steps = [SET_ONE, {**SET_ONE, "id": "two"}]
        changes = {"name": "Second", "definition": {"steps": steps}, "description": "d" * 1000}
        assert (await client.patch(f"/v1/workflows/{workflow_id}", json=changes, headers=headers)).is_success
    changed, created = await entries(api_client)
    key_id = created["actor"]["id"]
    assert created["actor"] == {"kind": "key", "id": key_id, "name": "first key"}
    assert (created["before"], created["after"]["name"], created["after"]["status"]) == (None, "First", "draft")
    assert (changed["action"], changed["outcome"]) == ("workflow.update", "done")
    assert changed["target"] == {"type": "workflow", "id": workflow_id, "name": "Second"}
    assert (changed["address"], changed["request_id"]) == ("203.0.113.9", "req-1")
    assert (changed["user_agent"][:7], len(changed["user_agent"])) == ("curl/8 ", 500)
    before, after = changed["before"], changed["after"]
    assert set(before) == set(after) == {"name", "description", "draft"}, "what did not change is left out"
    assert (before["name"], after["name"]) == ("First", "Second")
    assert len(after["description"]) == 301
    assert (before["draft"]["steps"], after["draft"]["steps"]) == (1, 2)
    assert before["draft"]["digest"] != after["draft"]["digest"]
    published = await made(api_client, f"/v1/workflows/{workflow_id}/publish")
    [entry] = await entries(api_client, action="workflow.publish")
    assert entry["before"] == {"status": "draft", "active_version": None, "version": 0, "digest": None}
    assert entry["after"] == {"status": "active", "active_version": 1, "version": 1, "digest": published["digest"]}
    await api_client.delete(f"/v1/workflows/{workflow_id}")
    [entry] = await entries(api_client, action="workflow.delete")
    assert (entry["before"]["name"], entry["after"]) == ("Second", None)


async def test_no_secret_gets_into_the_log(api_client: httpx.AsyncClient, database_urls: DatabaseUrls) -> None:
    connection = await made(api_client, "/v1/connections", SMTP)
    path = f"/v1/connections/{connection['id']}"
    new = {"username": "ada", "password": "planted-secret-2"}
    assert (await api_client.patch(path, json={"credentials": new})).is_success
    hook = await a_hook(api_client, secret="whsec_cGxhbnRlZC1zZWNyZXQtMw==")
    rotated = await made(api_client, f"/v1/webhooks/{hook['id']}/rotate")
    await api_client.delete(path)
    deleted, _, _, _, _, changed, created = await entries(api_client)
    configured = {"configured": True, "fields": ["password", "username"]}
    assert created["after"]["credentials"] == configured
    assert changed["before"] == {"credentials": configured}
    assert changed["after"] == {"credentials": {**configured, "replaced": True}}
    assert deleted["before"]["credentials"] == configured
    with psycopg.connect(database_urls.owner) as owner:
        rows = owner.execute("SELECT audit_log::text FROM audit_log").fetchall()
    text = "".join(row[0] for row in rows)
    assert connection["id"] in text
    token = hook["path"].rpartition("/")[2]
    for secret in ("planted-secret", hook["secret"], rotated["secret"], token, api_client.headers["Authorization"][7:]):
        assert secret not in text


async def test_entries_are_found_by_actor_action_target_and_time(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    first = await a_workflow(api_client)
    connection = await made(api_client, "/v1/connections", {**SMTP, "credentials": {}})
    second_key = await create_api_key(platform, workspace.id, "second")
    async with client_of(platform, TestWorkspace(workspace.id, second_key)) as other:
        second = await a_workflow(other, SET_ONE)
        await made(other, f"/v1/workflows/{second}/publish")
    everything = await entries(api_client)
    assert [entry["action"] for entry in everything] == [
        "workflow.publish", "workflow.create", "connection.create", "workflow.create",
    ]  # fmt: skip
    newest, _, _, oldest = everything
    assert [entry["id"] for entry in await entries(api_client, actor=oldest["actor"]["id"])] == [
        everything[2]["id"],
        oldest["id"],
    ]
    assert await actions(api_client, actor="nobody") == []
    assert await actions(api_client, action="workflow.publish") == ["workflow.publish"]
    for wildcard in ("workflow.*", "workflow."):
        assert len(await actions(api_client, action=wildcard)) == 3
    assert await actions(api_client, action="run.*") == []
    assert await actions(api_client, target_type="connection") == ["connection.create"]
    assert await actions(api_client, target_id=first) == ["workflow.create"]
    assert await actions(api_client, target_id=connection["id"], target_type="workflow") == []
    assert await actions(api_client, actor=newest["actor"]["id"], action="workflow.create", target_id=second) == [
        "workflow.create"
    ]
    assert len(await actions(api_client, actor_kind="key", outcome="done")) == 4
    assert await actions(api_client, actor_kind="person") == []
    assert await actions(api_client, since=newest["at"], until="9999-01-01T00:00:00Z") != []
    assert await actions(api_client, since="9999-01-01T00:00:00Z") == []
    assert [entry["id"] for entry in await entries(api_client, until=newest["at"])] == [
        entry["id"] for entry in everything if entry["at"] < newest["at"]
    ]
    assert len(await actions(api_client, since=oldest["at"])) == 4


async def test_the_log_is_read_in_pages(api_client: httpx.AsyncClient) -> None:
    for number in range(5):
        await a_workflow(api_client, name=f"W{number}")
    whole = await entries(api_client)
    found: list[JsonObject] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        page = (await api_client.get("/v1/audit-log", params={"limit": 2, "action": "workflow.*", **more})).json()
        found, cursor = found + page["items"], page["next_cursor"]
    assert found == whole
    problem(await api_client.get("/v1/audit-log?cursor=x"), 422, "invalid_cursor")


async def test_filters_that_mean_nothing_are_refused(api_client: httpx.AsyncClient) -> None:
    for path in ("/v1/audit-log", "/v1/audit-log/export"):
        for wanted, hint in (
            ("workflow.publsh", "workflow.publish"),
            ("nothing.*", "there are: "),
            ("", "there are: "),
        ):
            answer = await api_client.get(path, params={"action": wanted})
            found = problem(answer, 422, "unknown_audit_action")
            assert paths(found) == ["query.action"]
            assert hint in found["errors"][0]["hint"]
        for name, value in (("actor_kind", "robot"), ("since", "yesterday"), ("outcome", "x"), ("who", "x")):
            problem(await api_client.get(path, params={name: value}), 422, "invalid_request")
    problem(await api_client.get("/v1/audit-log/export?format=xml"), 422, "invalid_request")


async def test_no_workspace_reads_anothers_log(api_client: httpx.AsyncClient, platform: Platform) -> None:
    workflow_id = await a_workflow(api_client)
    other, key = await create_workspace(platform, "Other")
    async with client_of(platform, TestWorkspace(other.workspace_id, key)) as stranger:
        assert await entries(stranger) == []
        assert await entries(stranger, target_id=workflow_id) == []
        assert (await stranger.get("/v1/audit-log/export?format=jsonl")).text == ""
    assert await actions(api_client) == ["workflow.create"]


async def test_only_administrators_read_the_log_and_refusals_are_in_it_once_a_minute(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    key = await weakened(platform, workspace, "viewer")
    async with client_of(platform, TestWorkspace(workspace.id, key)) as viewer:
        problem(await viewer.get("/v1/audit-log"), 403, "not_permitted")
        problem(await viewer.get("/v1/audit-log/export"), 403, "not_permitted")
        for _ in range(2):
            problem(await viewer.post("/v1/workflows", json={"name": "W"}), 403, "not_permitted")
    writing, reading = await entries(api_client, outcome="refused")
    assert {entry["action"] for entry in (reading, writing)} == {"permission.refuse"}
    assert reading["target"] == {"type": "permission", "id": "audit:read", "name": "audit_list_entries"}
    assert writing["target"] == {"type": "permission", "id": "workflows:write", "name": "workflows_create"}
    assert (writing["actor"]["name"], writing["address"]) == ("a viewer", "127.0.0.1")


async def test_a_refusal_stands_while_it_cannot_be_written_down(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await weakened(platform, workspace, "viewer")

    async def away(*_: object) -> None:
        raise Unavailable("database_unavailable", "The database cannot be reached.")

    async with client_of(platform, TestWorkspace(workspace.id, key)) as viewer:
        assert (await viewer.get("/v1/workflows")).is_success
        monkeypatch.setattr(platform.database, "run", away)
        problem(await viewer.post("/v1/workflows", json={"name": "W"}), 403, "not_permitted")


@pytest.mark.usefixtures("worker")
async def test_an_answer_by_link_says_whose_link_it_was(api_client: httpx.AsyncClient, anybody: Any) -> None:
    workflow_id = await a_workflow(api_client, ask(approvers=["ann@example.com"]))
    await made(api_client, f"/v1/workflows/{workflow_id}/publish")
    run = await made(api_client, f"/v1/workflows/{workflow_id}/runs")

    async def there() -> list[JsonObject]:
        found: list[JsonObject] = (await api_client.get(f"/v1/approvals?run_id={run['id']}")).json()["items"]
        return found

    [asked] = await eventually(there, what="the approval") or []
    page = urlsplit(asked["links"][0]["link"]).path
    answered = await anybody.post(page, data={"decision": "approve"}, headers={"User-Agent": "browser"})
    assert answered.status_code == 200
    [entry] = await entries(api_client, action="approval.answer")
    assert entry["actor"] == {"kind": "link", "id": "ann@example.com", "name": "ann@example.com"}
    assert entry["target"] == {"type": "approval", "id": asked["id"], "name": "Ship it?"}
    assert entry["after"] == {"decision": "approved", "by": "ann@example.com", "via": "link", "run_id": run["id"]}
    assert entry["user_agent"] == "browser"


NAMES = ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", 'Plain, "quoted"', "two\nlines", "Ünïcode ☃", "'quoted"]


async def test_an_export_has_every_entry_and_no_formula(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "EXPORTED_TOGETHER", 3)
    for name in NAMES:
        await a_workflow(api_client, name=name)
    await made(api_client, "/v1/connections", SMTP)
    listed = await entries(api_client)
    assert len(listed) == 9

    answer = await api_client.get("/v1/audit-log/export", params={"format": "jsonl", "action": "workflow.*"})
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-log-20')
    assert [json.loads(line) for line in answer.text.splitlines()] == listed[1:]

    answer = await api_client.get("/v1/audit-log/export")
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert answer.headers["content-disposition"].endswith('.csv"')
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert [row["id"] for row in rows] == [entry["id"] for entry in listed]
    for row, entry in zip(rows, listed, strict=True):
        name = entry["target"]["name"]
        assert row["target_name"] == (f"'{name}" if name[0] in "=+-@" else name)
        assert json.loads(row["after"]) == entry["after"]
        assert (row["before"], row["actor_name"], row["action"]) == ("", "first key", entry["action"])
        assert row["at"][:19] == entry["at"][:19]
    assert {cell[0] for row in rows for cell in row.values() if cell} & set("=+-@\t\r") == set()


async def test_an_export_breaks_off_with_the_key(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staying, "CHECK_SECONDS", 0)
    monkeypatch.setattr(audit_log, "EXPORTED_TOGETHER", 1)
    key = await made(api_client, "/v1/api-keys", {"name": "exports", "role": "admin"})
    for name in ("first", "second"):
        await a_workflow(api_client, name=name)
    export, sent = audit_log.export, []

    async def revoked_meanwhile(*given: Any) -> AsyncIterator[Any]:
        async for page in export(*given):
            yield page
            sent.append([entry.target_name for entry in page])
            await api_client.delete(f"/v1/api-keys/{key['id']}")

    monkeypatch.setattr(audit_log, "export", revoked_meanwhile)
    with pytest.raises(RuntimeError, match="response already started"):
        await api_client.get("/v1/audit-log/export", headers={"Authorization": f"Bearer {key['key']}"})
    assert sent == [["second"]]


async def test_an_export_ends_although_entries_are_added_meanwhile(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "EXPORTED_TOGETHER", 1)
    for number in range(3):
        await a_workflow(api_client, name=f"W{number}")
    await asyncio.sleep(0.002)  # ids count in milliseconds
    found: list[str | None] = []
    async for page in audit_log.export(platform, workspace.id, audit_log.AuditFilter()):
        found += [entry.target_name for entry in page]
        await a_workflow(api_client, name="later")
    assert found == ["W2", "W1", "W0"]


async def test_a_change_whose_entry_cannot_be_written_does_not_happen(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Jsonb:
        raise RuntimeError("no entry")

    monkeypatch.setattr("app.store.audit.Jsonb", broken)
    assert (await api_client.post("/v1/workflows", json={"name": "W"})).status_code == 500
    monkeypatch.undo()
    assert (await api_client.get("/v1/workflows")).json()["items"] == []
    assert await entries(api_client) == []
