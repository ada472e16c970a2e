"""Does a connection work, who would miss it, and what its status says."""

import asyncio
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, update

from activities.probes.places import OF_A_WORKSPACE
from app.db.models import ApiKey, Run
from app.json import JsonObject
from app.services import connections, workspaces
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import a_workflow, made, paths, problem
from tests.integration.services.building import a_run
from tests.support.authorization_server import AuthorizationServer
from tests.support.http_stub import Answer, HttpStub
from tests.support.imap_server import PASSWORD, USER, open_imap_server
from tests.support.providers import TWILIO
from tests.support.smtp_catcher import open_smtp_catcher


async def tried(api_client: httpx.AsyncClient, body: JsonObject) -> tuple[JsonObject, JsonObject]:
    """The test of a new connection, and the connection after it."""
    made_ = await made(api_client, "/v1/connections", body)
    result = await made(api_client, f"/v1/connections/{made_['id']}/test")
    return result, (await api_client.get(f"/v1/connections/{made_['id']}")).json()


def smtp(port: int, **credentials: str) -> JsonObject:
    config = {"host": "127.0.0.1", "port": port, "security": "none"}
    return {"kind": "smtp", "name": f"mail-{len(credentials)}", "config": config, "credentials": credentials or None}


async def test_a_mail_server_is_logged_into(api_client: httpx.AsyncClient) -> None:
    async with open_smtp_catcher(credentials=("shop", "right")) as catcher:
        works, active = await tried(api_client, smtp(catcher.port, username="shop", password="right"))
        wrong = smtp(catcher.port, username="shop", password="hunter2") | {"name": "wrong"}
        fails, broken = await tried(api_client, wrong)
        assert catcher.mails == []
    assert (works["ok"], active["status"], active["last_error"]) == (True, "active", None)
    assert (fails["ok"], broken["status"]) == (False, "error")
    assert "refused the user name or password" in fails["message"]
    assert "app password" in fails["hint"]
    assert broken["last_error"] is not None
    assert broken["status_changed_at"] > broken["created_at"]
    assert "hunter2" not in str(fails) + str(broken)


async def test_what_a_server_says_is_told_without_secrets_and_as_text(api_client: httpx.AsyncClient) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 aHVudGVyMg== hunter2 \x00\xff" + b"x" * 5000 + b"\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        result, after = await tried(api_client, smtp(port, username="shop", password="hunter2"))
    assert (result["ok"], after["status"]) == (False, "error")
    assert "answered 554 ***" in result["message"]
    assert not any(secret in result["message"] for secret in ("hunter2", "aHVudGVy"))
    assert result["message"].isprintable()
    assert len(result["message"]) <= 1000
    assert after["last_error"].lower() == result["message"].lower()


async def test_a_mailbox_is_opened_and_left_as_it_is(api_client: httpx.AsyncClient) -> None:
    async with open_imap_server() as server:
        await server.put(b"Subject: one\r\n\r\nText\r\n")
        config = {"host": server.host, "port": server.port, "security": "none", "after": "seen"}
        box = {"kind": "imap", "name": "box", "config": config, "credentials": {"username": USER, "password": PASSWORD}}
        works, _ = await tried(api_client, box)
        wrong = {**box, "name": "wrong", "credentials": {"username": USER, "password": "hunter2"}}
        fails, _ = await tried(api_client, wrong)
        missing = {**box, "name": "missing", "config": {**config, "mailbox": "Nowhere"}}
        nowhere, _ = await tried(api_client, missing)
        assert "Seen" not in str(await server.flags())
    assert (works["ok"], works["message"].endswith("opened the mailbox INBOX")) == (True, True)
    assert (fails["ok"], "refused the user name or password" in fails["message"]) == (False, True)
    assert (nowhere["ok"], "refused" in nowhere["message"]) == (False, True)


@pytest.mark.parametrize(
    ("answer", "config", "ok", "said", "hint"),
    [
        (Answer(json={"id": 1}), {"test_path": "/me"}, True, "GET /me answered 200", ""),
        (Answer(401), {"test_path": "/me"}, False, "401", "credentials"),
        (Answer(404), {"test_path": "/me"}, False, "404", "config"),
        (Answer(302, headers={"Location": "/login"}), {"test_path": "/me"}, False, "302", "config"),
        (Answer(500, body="the-token"), {"test_path": "/me"}, False, "500", "later"),
        (Answer(404), {}, True, "not known", "test_path"),
        (Answer(405), {}, True, "not known", "test_path"),
        (Answer(403), {}, False, "403", "credentials"),
        (Answer(503), {}, False, "503", "later"),
        (Answer(drop=True), {}, False, "connection", "host and port"),
    ],
)
async def test_an_api_is_asked_for_something(
    api_client: httpx.AsyncClient,
    http_stub: HttpStub,
    answer: Answer,
    config: JsonObject,
    ok: bool,
    said: str,
    hint: str,
) -> None:
    http_stub.otherwise(answer)
    body = {"kind": "http", "name": "api", "config": {"base_url": f"{http_stub.url}/v2", **config}}
    result, after = await tried(api_client, body | {"credentials": {"type": "bearer", "token": "the-token"}})
    assert (result["ok"], said in result["message"].lower() or said in result["message"]) == (ok, True), result
    assert hint in result["hint"]
    assert after["status"] == ("active" if ok else "error")
    asked = http_stub.requests[-1]
    assert (asked.method, asked.path) == (("GET", "/v2/me") if config else ("HEAD", "/v2"))
    assert asked.headers["Authorization"] == "Bearer the-token"
    assert "the-token" not in str(result)


async def test_a_test_that_cannot_try_the_credentials_takes_nothing_out_of_error(
    api_client: httpx.AsyncClient, http_stub: HttpStub, platform: Platform, workspace: TestWorkspace
) -> None:
    server = AuthorizationServer(http_stub)
    api = {"kind": "http", "name": "api", "config": {"base_url": http_stub.url}}
    token = {"type": "bearer", "token": "the-token"}
    # Each with what a test of it says and leaves: only of the last one does it tell all there is to tell.
    kinds = [
        (api | {"credentials": token}, "not known", "test_path", ("error", "refused")),
        (server.connection("crm", "client_credentials"), "access token", "test_path", ("error", "refused")),
        (api | {"name": "open"}, "answers", "", ("active", None)),
    ]
    for body, said, hint, left in kinds:
        row, path = await made(api_client, "/v1/connections", body), "/v1/connections"
        await made(api_client, f"{path}/{row['id']}/test")
        await connections.note_use(platform, workspace.id, body["name"], error="refused")
        result = await made(api_client, f"{path}/{row['id']}/test")
        after = (await api_client.get(f"{path}/{row['id']}")).json()
        assert (result["ok"], said in result["message"], hint in result["hint"]) == (True, True, True), result
        assert (after["status"], after["last_error"]) == left


async def test_a_test_calls_no_private_address(api_client: httpx.AsyncClient) -> None:
    private = {"kind": "http", "name": "private", "config": {"base_url": "http://10.0.0.1/"}}
    metadata = {"kind": "smtp", "name": "metadata", "config": {"host": "169.254.169.254", "port": 25}}
    token = {"base_url": "https://x.test", "token_url": "https://10.0.0.1/token", "client_id": "c"}
    oauth = {"kind": "oauth2", "name": "oauth", "config": {**token, "grant": "client_credentials"}}
    for body in (private, metadata, oauth):
        result, _ = await tried(api_client, body)
        assert (result["ok"], "not allowed" in result["message"]) == (False, True), result
        assert "HOLDFAST_EGRESS_ALLOW" in result["hint"]


async def test_a_test_ends_in_time_whatever_the_other_side_does(
    api_client: httpx.AsyncClient, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.connection_tests.TEST_SECONDS", 0.2)
    http_stub.otherwise(Answer(hang=True))
    body = {"kind": "http", "name": "slow", "config": {"base_url": http_stub.url}}
    result, after = await tried(api_client, body)
    assert (result["ok"], "no answer" in result["message"].lower(), after["status"]) == (False, True, "error")


async def test_a_workspace_has_only_so_many_tests_under_way(api_client: httpx.AsyncClient) -> None:
    asked, answer = asyncio.Semaphore(0), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.release()
        await answer.wait()
        writer.close()

    async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
        config = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]}
        body = {"kind": "imap", "name": "box", "config": config, "credentials": {"username": USER, "password": "x"}}
        path = f"/v1/connections/{(await made(api_client, '/v1/connections', body))['id']}/test"
        under_way = [asyncio.ensure_future(api_client.post(path)) for _ in range(OF_A_WORKSPACE)]
        for _ in under_way:
            await asked.acquire()
        refused = await api_client.post(path)
        problem(refused, 429, "too_many_tests")
        assert int(refused.headers["Retry-After"]) > 0
        answer.set()
        assert [one.json()["ok"] for one in await asyncio.gather(*under_way)] == [False] * OF_A_WORKSPACE
        assert (await made(api_client, path))["ok"] is False


async def test_a_client_that_is_refused_is_told_as_such(api_client: httpx.AsyncClient, http_stub: HttpStub) -> None:
    server = AuthorizationServer(http_stub)
    works, active = await tried(api_client, server.connection("own", "client_credentials", test_path="/me"))
    assert (works["ok"], active["status"]) == (True, "active")
    server.revoke_access()
    again = await made(api_client, f"/v1/connections/{active['id']}/test")
    assert (again["ok"], server.granted) == (True, ["client_credentials"] * 2)
    body = server.connection("wrong", "client_credentials") | {"credentials": {"client_secret": "nobody-knows"}}
    fails, broken = await tried(api_client, body)
    assert (fails["ok"], broken["status"]) == (False, "error")
    assert "invalid_client" in fails["message"]
    assert "client_secret" in fails["hint"]


async def test_what_cannot_be_asked_about_says_so_and_stays_as_it_was(api_client: httpx.AsyncClient) -> None:
    hook = {"kind": "webhook", "name": "hook", "credentials": {"secret": "whsec_" + "A" * 32}}
    result, after = await tried(api_client, hook)
    assert (result["ok"], "no server" in result["message"], after["status"]) == (True, True, "active")
    missing = await api_client.post("/v1/connections/018f3c2e-7b1a-7c3d-9e4f-0a1b2c3d4e5f/test")
    problem(missing, 404, "connection_not_found")


async def test_connections_are_listed_by_status_and_one_that_is_changed_is_judged_anew(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    login = {"username": "u", "password": "p"}
    row = await made(api_client, "/v1/connections", smtp(25, **login))
    await made(api_client, "/v1/connections", smtp(26, **login) | {"name": "other"})
    await connections.note_use(platform, workspace.id, row["name"], error="login refused")
    broken = (await api_client.get("/v1/connections?status=error")).json()["items"]
    assert [(item["name"], item["last_error"]) for item in broken] == [(row["name"], "login refused")]
    problem(await api_client.get("/v1/connections?status=failing"), 422, "invalid_request")
    renamed = await api_client.patch(f"/v1/connections/{row['id']}", json={"description": "d"})
    assert renamed.json()["status"] == "error"
    changed = (await api_client.patch(f"/v1/connections/{row['id']}", json={"credentials": login})).json()
    assert (changed["status"], changed["last_error"]) == ("active", None)


HALF: JsonObject = {"id": "half", "type": "action", "action": "email.send", "connection": "main"}


@pytest.fixture
async def main(api_client: httpx.AsyncClient) -> str:
    """The path of a connection to a mail server."""
    return f"/v1/connections/{(await made(api_client, '/v1/connections', smtp(25) | {'name': 'main'}))['id']}"


async def test_who_names_a_connection_keeps_it_from_being_deleted(api_client: httpx.AsyncClient, main: str) -> None:
    send = {"id": "send", "name": "Send it", "type": "action", "action": "email.send", "connection": "main"}
    send["inputs"] = {"to": "a@example.com", "subject": "s", "text": "t"}
    around = {"id": "each", "type": "loop", "items": [1], "steps": [send]}
    in_data = {"id": "set", "type": "set_variable", "variables": {"connection": "main"}}
    workflow_id = await a_workflow(api_client, around, name="Mails", trigger={"type": "manual"})
    await a_workflow(api_client, in_data, name="Only data")
    await made(api_client, f"/v1/workflows/{workflow_id}/publish")

    found = (await api_client.get(f"{main}/usage")).json()
    kept = problem(await api_client.delete(main), 409, "connection_in_use")

    step = {"path": "steps[0].steps[0]", "step_id": "send", "step_name": "Send it"}
    shown = [(each["slug"], each["version"], each["steps"]) for each in found["workflows"]]
    assert shown == [("mails", 1, [step]), ("mails", None, [step])]
    assert (found["in_use"], found["inbound"]) == (True, None)
    assert paths(kept) == ["workflows.mails.versions[1]", "workflows.mails.draft"]
    await made(api_client, f"/v1/workflows/{workflow_id}/archive")
    assert (await api_client.get(f"{main}/usage")).json() == {"in_use": False, "workflows": [], "inbound": None}
    assert (await api_client.delete(main)).status_code == 204


async def test_an_older_version_counts_while_runs_use_it(
    api_client: httpx.AsyncClient, main: str, platform: Platform, workspace: TestWorkspace
) -> None:
    inputs = {"to": "a@example.com", "subject": "s", "text": "t"}
    other = {"id": "set", "type": "set_variable", "variables": {"a": 1}}
    workflow_id = await a_workflow(api_client, {**HALF, "inputs": inputs}, name="Mails")
    await made(api_client, f"/v1/workflows/{workflow_id}/publish")
    await made(api_client, f"/v1/workflows/{workflow_id}/pause")
    draft = {"definition": {"name": "Mails", "steps": [other]}}
    changed = await api_client.patch(f"/v1/workflows/{workflow_id}", json=draft)
    assert changed.status_code == 200, changed.text
    await made(api_client, f"/v1/workflows/{workflow_id}/publish")
    assert not (await api_client.get(f"{main}/usage")).json()["in_use"]

    for version in (1, 2):
        await a_run(platform, workspace.id, workflow_id=UUID(workflow_id), version=version, status="waiting")
    [found] = (await api_client.get(f"{main}/usage")).json()["workflows"]
    assert (found["version"], found["under_way"], found["steps"][0]["path"]) == (1, True, "steps[0]")
    kept = problem(await api_client.delete(main), 409, "connection_in_use")
    assert paths(kept) == ["workflows.mails.versions[1]"]
    assert "runs of version 1" in kept["errors"][0]["hint"]
    # An archived workflow starts no more runs; those under way go on.
    await made(api_client, f"/v1/workflows/{workflow_id}/archive")
    problem(await api_client.delete(main), 409, "connection_in_use")

    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(Run).values(status="completed", finished_at=func.now()))
    assert (await api_client.delete(main)).status_code == 204


async def test_a_connection_keeps_the_name_that_workflows_know(api_client: httpx.AsyncClient, main: str) -> None:
    assert (await api_client.patch(main, json={"name": "first"})).status_code == 200
    assert (await api_client.patch(main, json={"name": "main"})).status_code == 200
    workflow_id = await a_workflow(api_client, HALF, name="Half done")
    kept = problem(await api_client.patch(main, json={"name": "other"}), 409, "connection_in_use")
    assert paths(kept) == ["workflows.half-done.draft"]
    assert "'main'" in kept["detail"]
    same = await api_client.patch(main, json={"name": "main", "description": "Ours"})
    assert (same.status_code, same.json()["description"]) == (200, "Ours")
    await made(api_client, f"/v1/workflows/{workflow_id}/archive")
    assert (await api_client.patch(main, json={"name": "other"})).json()["name"] == "other"


async def test_messages_come_in_under_any_name(api_client: httpx.AsyncClient) -> None:
    line = f"/v1/connections/{(await made(api_client, '/v1/connections', TWILIO))['id']}"
    await made(api_client, f"{line}/inbound")
    assert (await api_client.patch(line, json={"name": "other-line"})).status_code == 200


async def test_a_draft_alone_counts_and_an_administrator_deletes_all_the_same(
    api_client: httpx.AsyncClient, main: str, platform: Platform, workspace: TestWorkspace
) -> None:
    await a_workflow(api_client, HALF, name="Half done")
    assert paths(problem(await api_client.delete(main), 409, "connection_in_use")) == ["workflows.half-done.draft"]
    key = await workspaces.create_api_key(platform, workspace.id, "editor")
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(ApiKey).where(ApiKey.name == "editor").values(role="editor"))
    editor = {"Authorization": f"Bearer {key}"}
    problem(await api_client.delete(main, headers=editor), 409, "connection_in_use")
    problem(await api_client.delete(f"{main}?force=true", headers=editor), 403, "not_permitted")
    assert (await api_client.delete(f"{main}?force=true")).status_code == 204


async def test_messages_that_come_in_keep_a_connection(api_client: httpx.AsyncClient) -> None:
    line = f"/v1/connections/{(await made(api_client, '/v1/connections', TWILIO))['id']}"
    await made(api_client, f"{line}/inbound")
    assert (await api_client.get(f"{line}/usage")).json()["inbound"] == "address"
    assert paths(problem(await api_client.delete(line), 409, "connection_in_use")) == ["inbound"]
    await api_client.delete(f"{line}/inbound")
    assert (await api_client.delete(line)).status_code == 204
