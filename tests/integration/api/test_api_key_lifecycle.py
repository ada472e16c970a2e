"""Keys over the API: made with at most what their maker may, shown once, changed, rotated, revoked, over in time."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from api import staying
from app.db.models import ApiKey
from app.json import Json, JsonObject
from app.security import api_keys as key_text
from app.security.permissions import Role, permissions_of
from app.services import administering
from app.services.api_keys import LONGEST_GRACE_SECONDS, SCOPES
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from tests.conftest import TestWorkspace
from tests.integration.api.calls import WAIT, an_active_workflow, made, paths, problem
from tests.support.waiting import eventually

KEYS = "/v1/api-keys"


def signed(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def a_key(client: httpx.AsyncClient, role: str = "admin", **more: Json) -> JsonObject:
    return await made(client, KEYS, {"name": f"a {role}", "role": role, **more})


async def me(client: httpx.AsyncClient, key: str) -> httpx.Response:
    return await client.get("/v1/me", headers=signed(key))


async def test_a_key_is_shown_once_and_says_who_it_is(
    api_client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform
) -> None:
    answer = await api_client.post(KEYS, json={"name": "  deploy ", "role": "editor"})
    key = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{KEYS}/{key['id']}"
    assert answer.headers["cache-control"] == "no-store"
    text = key.pop("key")
    assert text.startswith(key["prefix"])
    assert key["name"] == "deploy"
    assert key["created_by"] == "first key"
    assert (key["role"], key["scopes"], key["status"]) == ("editor", None, "active")
    assert (await api_client.get(f"{KEYS}/{key['id']}")).json() == key
    listed = (await api_client.get(KEYS)).json()["items"]
    assert [item["name"] for item in listed] == ["deploy", "first key"]
    assert text not in str(listed)
    async with platform.database.transaction(workspace.id) as session:
        rows = (await session.scalars(select(ApiKey))).all()
    assert not any(text.rpartition("_")[2] in str(value) for row in rows for value in vars(row).values())
    who = (await me(api_client, text)).json()
    assert who.pop("permissions") == [each for each in SCOPES if each in permissions_of(Role.EDITOR)]
    assert who == {
        "kind": "key",
        "name": "deploy",
        "key_id": key["id"],
        "subject": None,
        "email": None,
        "workspace": {"id": str(workspace.id), "name": "Test"},
        "role": "editor",
        "scopes": None,
        "expires_at": None,
    }


async def test_scopes_narrow_what_a_key_may(api_client: httpx.AsyncClient) -> None:
    key = (await a_key(api_client, "editor", scopes=["workflows:read", "me:read"]))["key"]
    assert (await api_client.get("/v1/workflows", headers=signed(key))).status_code == 200
    assert (await me(api_client, key)).json()["permissions"] == ["me:read", "workflows:read"]
    refused = problem(await api_client.get("/v1/runs", headers=signed(key)), 403, "not_permitted")
    assert "runs:read" in refused["detail"]
    problem(await api_client.post("/v1/workflows", json={"name": "x"}, headers=signed(key)), 403, "not_permitted")


PAST = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()


@pytest.mark.parametrize(
    ("fields", "path", "hint"),
    [
        ({"role": "owner"}, "role", ""),
        ({"role": "platform"}, "role", ""),
        ({"name": " "}, "name", ""),
        ({"name": "x" * 201}, "name", ""),
        ({"scopes": []}, "scopes", "leave it out"),
        ({"scopes": ["runs:red"] * 100}, "scopes", "each once"),
        ({"scopes": ["runs:red"]}, "scopes[0]", "did you mean 'runs:read'?; known: me:read, "),
        ({"scopes": ["runs:read", "platform:write"]}, "scopes[1]", "known: me:read, "),
        ({"role": "viewer", "scopes": ["runs:write"]}, "scopes[0]", "operator does"),
        ({"expires_at": PAST}, "expires_at", "moment to come"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at", ""),
        ({"expires_at": 4_000_000_000}, "expires_at", ""),
        ({"prefix": "x"}, "prefix", ""),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused_by_its_place(
    api_client: httpx.AsyncClient, fields: JsonObject, path: str, hint: str
) -> None:
    answer = await api_client.post(KEYS, json={"name": "x", "role": "editor", **fields})
    found = problem(answer, 422, answer.json()["code"])
    assert found["code"] in ("invalid_request", "invalid_key")
    assert paths(found) == [path]
    assert hint in found["errors"][0]["hint"]
    mine = (await api_client.get("/v1/me")).json()["key_id"]
    problem(await api_client.patch(f"{KEYS}/{mine}", json=fields), 422, found["code"])
    assert len((await api_client.get(KEYS)).json()["items"]) == 1


async def test_nobody_hands_out_more_than_they_have(api_client: httpx.AsyncClient) -> None:
    admin = await a_key(api_client)
    narrow = (await a_key(api_client, scopes=["keys:read", "keys:write", "runs:read"]))["key"]
    as_narrow = {"headers": signed(narrow)}
    for fields in (
        {"role": "admin"},
        {"role": "viewer"},
        {"role": "admin", "scopes": ["runs:read", "runs:write"]},
    ):
        answer = await api_client.post(KEYS, json={"name": "x", **fields}, **as_narrow)
        problem(answer, 403, "beyond_own_permissions")
    assert (
        await api_client.post(KEYS, json={"name": "x", "role": "viewer", "scopes": ["runs:read"]}, **as_narrow)
    ).is_success
    other = f"{KEYS}/{admin['id']}"
    problem(await api_client.post(f"{other}/rotate", **as_narrow), 403, "beyond_own_permissions")
    problem(await api_client.patch(other, json={"name": "y"}, **as_narrow), 403, "beyond_own_permissions")
    less = await a_key(api_client, "viewer", scopes=["runs:read"])
    wider = await api_client.patch(f"{KEYS}/{less['id']}", json={"scopes": None}, **as_narrow)
    problem(wider, 403, "beyond_own_permissions")
    assert (await api_client.get(f"{KEYS}/{less['id']}")).json()["scopes"] == ["runs:read"]
    editor = (await a_key(api_client, "editor"))["key"]
    problem(await api_client.get(KEYS, headers=signed(editor)), 403, "not_permitted")


async def test_what_is_changed_holds_for_the_next_call(api_client: httpx.AsyncClient) -> None:
    key = await a_key(api_client, "editor")
    assert (await me(api_client, key["key"])).json()["role"] == "editor"
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    changes = {"name": "less", "role": "viewer", "scopes": ["me:read"], "expires_at": soon}
    changed = (await api_client.patch(f"{KEYS}/{key['id']}", json=changes)).json()
    assert (changed["name"], changed["role"], changed["scopes"]) == ("less", "viewer", ["me:read"])
    who = (await me(api_client, key["key"])).json()
    assert (who["name"], who["permissions"]) == ("less", ["me:read"])
    assert datetime.fromisoformat(who["expires_at"]) == datetime.fromisoformat(soon)
    problem(await api_client.patch(f"{KEYS}/{key['id']}", json={"role": "editor", "scopes": ["x"]}), 422, "invalid_key")
    assert (await me(api_client, key["key"])).json()["role"] == "viewer"


async def test_a_rotated_key_has_a_new_text_at_once_and_the_old_one_for_as_long_as_was_said(
    api_client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform
) -> None:
    first = await a_key(api_client, "viewer")
    path = f"{KEYS}/{first['id']}/rotate"
    assert (await me(api_client, first["key"])).is_success
    second = await made(api_client, path)
    assert (second["id"], second["previous_until"]) == (first["id"], None)
    problem(await me(api_client, first["key"]), 401, "invalid_api_key")
    third = await made(api_client, path, {"grace_seconds": 3600})
    assert third["previous_until"] is not None
    old = (await me(api_client, second["key"])).json()
    assert (await me(api_client, third["key"])).json()["expires_at"] is None
    assert datetime.fromisoformat(old["expires_at"]) == datetime.fromisoformat(third["previous_until"])
    async with platform.database.transaction(workspace.id) as session:
        over = func.now() - timedelta(seconds=1)
        await session.execute(update(ApiKey).where(ApiKey.previous_hash.is_not(None)).values(previous_until=over))
    platform.actors.clear()
    problem(await me(api_client, second["key"]), 401, "invalid_api_key")
    assert (await me(api_client, third["key"])).is_success
    for seconds in (-1, LONGEST_GRACE_SECONDS + 1, "1h"):
        problem(await api_client.post(path, json={"grace_seconds": seconds}), 422, "invalid_request")


async def test_a_revoked_key_is_over_at_once_and_for_good(api_client: httpx.AsyncClient) -> None:
    key = await a_key(api_client, "viewer")
    rotated = await made(api_client, f"{KEYS}/{key['id']}/rotate", {"grace_seconds": 60})
    for text in (key["key"], rotated["key"]):
        assert (await me(api_client, text)).is_success
    for _ in range(2):
        assert (await api_client.delete(f"{KEYS}/{key['id']}")).status_code == 204
    for text in (key["key"], rotated["key"]):
        refused = await me(api_client, text)
        problem(refused, 401, "invalid_api_key")
        assert refused.headers["www-authenticate"] == 'Bearer realm="holdfast", error="invalid_token"'
    assert (await api_client.get(f"{KEYS}/{key['id']}")).json()["status"] == "revoked"
    problem(await api_client.post(f"{KEYS}/{key['id']}/rotate"), 409, "key_revoked")
    problem(await api_client.patch(f"{KEYS}/{key['id']}", json={"name": "again"}), 409, "key_revoked")
    names = {
        status: [item["name"] for item in (await api_client.get(KEYS, params={"status": status})).json()["items"]]
        for status in ("active", "expired", "revoked")
    }
    assert names == {"active": ["first key"], "expired": [], "revoked": ["a viewer"]}


async def test_the_last_way_in_is_not_closed(api_client: httpx.AsyncClient) -> None:
    mine = f"{KEYS}/{(await api_client.get('/v1/me')).json()['key_id']}"
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await a_key(api_client, expires_at=soon)
    await a_key(api_client, scopes=["keys:write"])
    problem(await api_client.delete(mine), 409, "last_admin")
    for less in ({"role": "editor"}, {"scopes": ["keys:write"]}, {"expires_at": soon}):
        problem(await api_client.patch(mine, json=less), 409, "last_admin")
    assert (await api_client.patch(mine, json={"name": "mine"})).is_success
    other = await a_key(api_client)
    assert (await api_client.delete(mine)).status_code == 204
    assert (await me(api_client, other["key"])).json()["name"] == "a admin"


async def test_two_admins_who_revoke_each_other_at_once_do_not_both_succeed(api_client: httpx.AsyncClient) -> None:
    mine = (await api_client.get("/v1/me")).json()["key_id"]
    other = await a_key(api_client)
    answers = await asyncio.gather(
        api_client.delete(f"{KEYS}/{other['id']}"),
        api_client.delete(f"{KEYS}/{mine}", headers=signed(other["key"])),
    )
    assert sorted(answer.status_code for answer in answers) in ([204, 409], [204, 401])


async def test_a_key_that_has_expired_is_refused_though_it_was_just_seen(
    api_client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform
) -> None:
    key = await a_key(api_client, "viewer", expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    parsed = key_text.read(key["key"])
    assert parsed is not None
    assert (await me(api_client, key["key"])).is_success
    known = platform.actors.get(parsed.hash)
    assert known is not None
    over = datetime.now(UTC) - timedelta(seconds=1)
    platform.actors.put(parsed.hash, replace(known, expires_at=over))
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(ApiKey).where(ApiKey.hash == parsed.hash).values(expires_at=over))
    problem(await me(api_client, key["key"]), 401, "invalid_api_key")
    assert (await api_client.get(f"{KEYS}/{key['id']}")).json()["status"] == "expired"
    problem(await api_client.post(f"{KEYS}/{key['id']}/rotate"), 409, "key_expired")
    assert (await api_client.patch(f"{KEYS}/{key['id']}", json={"expires_at": None})).is_success
    assert (await me(api_client, key["key"])).is_success


async def test_a_wrong_key_is_asked_for_in_the_database_once(
    api_client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = key_text.generate(workspace.id)
    problem(await me(api_client, wrong), 401, "invalid_api_key")

    def no_query(*_: object) -> None:
        raise AssertionError("the database is asked again")

    monkeypatch.setattr(type(platform.database), "transaction", no_query)
    problem(await me(api_client, wrong), 401, "invalid_api_key")


async def test_keys_of_another_workspace_are_not_there(api_client: httpx.AsyncClient, platform: Platform) -> None:
    mine = (await api_client.get("/v1/me")).json()["key_id"]
    other, key = await create_workspace(platform, "Other")
    for method, path in (
        ("GET", mine), ("PATCH", mine), ("DELETE", mine), ("POST", f"{mine}/rotate")
    ):  # fmt: skip
        answer = await api_client.request(method, f"{KEYS}/{path}", json={}, headers=signed(key))
        problem(answer, 404, "key_not_found")
    named = {"Holdfast-Workspace": str(other.workspace_id)}
    problem(await api_client.get("/v1/me", headers=named), 403, "other_workspace")
    assert (await api_client.get("/v1/me", headers=signed(key) | named)).is_success
    found = problem(await api_client.get("/v1/me", headers={"Holdfast-Workspace": "mine"}), 422, "invalid_request")
    assert paths(found) == ["header.Holdfast-Workspace"]


async def two_runs(client: httpx.AsyncClient, workflow_id: str) -> bool:
    return len((await client.get("/v1/runs", params={"workflow_id": workflow_id})).json()["items"]) == 2


@pytest.mark.usefixtures("worker")
async def test_a_stream_and_a_wait_end_with_the_key(
    real_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staying, "CHECK_SECONDS", 0.05)
    workflow_id = await an_active_workflow(real_client, WAIT)
    key = await a_key(real_client, "operator")
    started = f"/v1/workflows/{workflow_id}/runs"
    run = await made(real_client, started)
    waiting = asyncio.create_task(
        real_client.post(started, headers=signed(key["key"]) | {"Prefer": "wait=60"}),
    )
    async with real_client.stream("GET", f"/v1/runs/{run['id']}/stream", headers=signed(key["key"])) as stream:
        lines = stream.aiter_lines()
        assert await anext(lines)
        await eventually(partial(two_runs, real_client, workflow_id), what="the run that is waited for")
        assert (await real_client.delete(f"{KEYS}/{key['id']}")).status_code == 204
        rest: list[Any] = [line async for line in lines]
    assert "event: done" not in rest
    problem(await waiting, 401, "invalid_api_key")


async def test_a_stream_ends_with_the_workspace(
    real_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staying, "CHECK_SECONDS", 0.05)
    run = await made(real_client, f"/v1/workflows/{await an_active_workflow(real_client, WAIT)}/runs")
    async with asyncio.timeout(20), real_client.stream("GET", f"/v1/runs/{run['id']}/stream") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines)
        await administering.change(platform, workspace.id, state="suspended")
        rest: list[Any] = [line async for line in lines]
    assert "event: done" not in rest
