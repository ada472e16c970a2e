"""Workspaces, members and platform keys over HTTP: who makes them, what they open, that somebody can always get in."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.security.permissions import Role, permissions_of
from app.services import members, platform_keys, workspaces
from app.services.actors import NO_WORKSPACE
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import problem

NOWHERE = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
async def administrator(api_app: Any, platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a platform key."""
    _, key = await platform_keys.create(platform, "administrator")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=api_app),
        base_url="http://holdfast.test",
        headers={"Authorization": f"Bearer {key}"},
    ) as client:
        yield client


async def every(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """The items of all pages."""
    page = (await client.get(path, params={"limit": 200})).json()
    found = page["items"]
    while page["next_cursor"]:
        page = (await client.get(path, params={"limit": 200, "cursor": page["next_cursor"]})).json()
        found += page["items"]
    return found


def with_key(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class TestWorkspaces:
    async def test_are_made_with_a_key_and_a_first_administrator(self, administrator, platform):
        body = {"name": " Client ", "admin": {"subject": "Ada@Example.com", "name": "Ada"}}
        made = await administrator.post("/v1/workspaces", json=body)
        assert made.status_code == 201
        assert (made.json()["name"], made.json()["state"]) == ("Client", "active")
        there = await administrator.get(made.headers["location"])
        assert there.json() == {name: value for name, value in made.json().items() if name != "api_key"}
        mine = await administrator.get("/v1/members", headers=with_key(made.json()["api_key"]))
        assert [(one["subject"], one["role"]) for one in mine.json()["items"]] == [("ada@example.com", "admin")]

    async def test_are_listed_a_page_at_a_time_by_state(self, administrator, workspace):
        await administrator.patch(f"/v1/workspaces/{workspace.id}", json={"state": "suspended"})
        seen, cursor = [], ""
        while cursor is not None:
            query = {"state": "suspended", "limit": 1} | ({"cursor": cursor} if cursor else {})
            page = (await administrator.get("/v1/workspaces", params=query)).json()
            seen += page["items"]
            cursor = page["next_cursor"]
        assert str(workspace.id) in [one["id"] for one in seen]
        assert {one["state"] for one in seen} == {"suspended"}
        everything = (await administrator.get("/v1/workspaces")).json()["items"]
        assert str(NO_WORKSPACE) not in [one["id"] for one in everything]

    async def test_can_be_renamed(self, administrator, api_client, workspace):
        renamed = await administrator.patch(f"/v1/workspaces/{workspace.id}", json={"name": "Other"})
        assert (renamed.status_code, renamed.json()["name"], renamed.json()["state"]) == (200, "Other", "active")
        assert (await api_client.get("/v1/workspace")).json()["name"] == "Other"
        problem(await administrator.patch(f"/v1/workspaces/{workspace.id}", json={"name": " "}), 422, "invalid_name")

    async def test_that_are_suspended_open_nothing_until_they_are_resumed(self, administrator, api_client, workspace):
        assert (await api_client.get("/v1/workspace")).status_code == 200
        await administrator.patch(f"/v1/workspaces/{workspace.id}", json={"state": "suspended"})
        problem(await api_client.get("/v1/workspace"), 403, "workspace_suspended")
        await administrator.patch(f"/v1/workspaces/{workspace.id}", json={"state": "active"})
        assert (await api_client.get("/v1/workspace")).status_code == 200

    async def test_that_are_not_there_are_not_found(self, administrator):
        for id_ in (NOWHERE, str(NO_WORKSPACE)):
            problem(await administrator.get(f"/v1/workspaces/{id_}"), 404, "workspace_not_found")
            problem(await administrator.patch(f"/v1/workspaces/{id_}", json={"name": "x"}), 404, "workspace_not_found")
            problem(await administrator.delete(f"/v1/workspaces/{id_}"), 404, "workspace_not_found")

    async def test_that_are_deleted_stop_at_once_and_do_not_come_back(self, administrator, api_client, workspace):
        assert (await api_client.get("/v1/workspace")).status_code == 200
        for _ in range(2):
            deleted = await administrator.delete(f"/v1/workspaces/{workspace.id}")
            assert (deleted.status_code, deleted.json()["state"]) == (202, "deleting")
        problem(await api_client.get("/v1/workspace"), 401, "workspace_deleted")
        again = await administrator.patch(f"/v1/workspaces/{workspace.id}", json={"state": "active"})
        problem(again, 409, "workspace_deleting")

    async def test_have_a_subject_that_is_one(self, administrator):
        body = {"name": "x", "admin": {"subject": "  "}}
        problem(await administrator.post("/v1/workspaces", json=body), 422, "invalid_subject")


class TestPlansOfWorkspaces:
    async def test_are_shown_and_set_and_count_at_once(self, administrator, api_client, workspace):
        path = f"/v1/workspaces/{workspace.id}"
        assert (await administrator.get(path)).json()["plan"] == "own"
        # So that the process knows the plan there is now.
        before = (await api_client.get("/v1/usage")).headers["ratelimit-policy"]
        body = {"plan": "free", "plan_overrides": {"workflows": 1, "rate_limit": "77/minute"}, "name": "Other"}
        changed = (await administrator.patch(path, json=body)).json()
        assert {name: changed[name] for name in body} == body
        usage = await api_client.get("/v1/usage")
        assert (usage.json()["plan"], usage.json()["limits"]["workflows"]["allowed"]) == ("free", 1)
        assert "77;w=60" in usage.headers["ratelimit-policy"].replace("q=", "")
        assert "77;w=60" not in before.replace("q=", "")
        # What is left out stays; the overrides that are given replace those there were.
        assert (await administrator.patch(path, json={"plan": "pro"})).json()["plan_overrides"] == body[
            "plan_overrides"
        ]
        only = (await administrator.patch(path, json={"plan_overrides": {"steps": None}})).json()
        assert (only["plan"], only["plan_overrides"]) == ("pro", {"steps": None})
        assert only in await every(administrator, "/v1/workspaces")

    async def test_are_in_the_workspaces_log_and_the_platforms(self, administrator, api_client, workspace):
        await administrator.patch(f"/v1/workspaces/{workspace.id}", json={"plan": "pro"})
        told = []
        for client in (api_client, administrator):
            [entry, *_] = (await client.get("/v1/audit-log", params={"action": "workspace.update"})).json()["items"]
            told.append((entry["target"]["id"], entry["actor"]["kind"], entry["before"], entry["after"]))
        assert told == [(str(workspace.id), "platform", {"plan": "own"}, {"plan": "pro"})] * 2

    async def test_are_given_to_a_workspace_that_is_made(self, administrator, platform):
        body = {"name": "Client", "plan": "free", "plan_overrides": {"webhooks": None}}
        made = (await administrator.post("/v1/workspaces", json=body)).json()
        usage = (await administrator.get("/v1/usage", headers=with_key(made["api_key"]))).json()
        assert (usage["plan"], usage["history_days"], usage["limits"]["webhooks"]["allowed"]) == ("free", 7, None)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"plan": "gold"}, "unknown_plan"),
            ({"plan": "free", "plan_overrides": {"stairs": 3}}, "invalid_overrides"),
        ],
    )
    async def test_that_are_none_change_nothing(self, administrator, workspace, body, code):
        path = f"/v1/workspaces/{workspace.id}"
        problem(await administrator.patch(path, json={**body, "name": "Other", "state": "suspended"}), 422, code)
        problem(await administrator.post("/v1/workspaces", json={**body, "name": "Client"}), 422, code)
        there = (await administrator.get(path)).json()
        assert (there["name"], there["state"], there["plan"], there["plan_overrides"]) == ("Test", "active", "own", {})

    async def test_are_not_for_the_workspace_to_set(self, api_client, workspace):
        for role in ("viewer", "admin"):
            key = (await api_client.post("/v1/api-keys", json={"name": role, "role": role})).json()["key"]
            path, body = f"/v1/workspaces/{workspace.id}", {"plan": "enterprise"}
            problem(await api_client.patch(path, json=body, headers=with_key(key)), 403, "not_permitted")
        assert not (await api_client.patch("/v1/workspace", json={"plan": "enterprise"})).is_success
        assert (await api_client.get("/v1/usage")).json()["plan"] == "own"

    async def test_of_one_that_is_gone_or_goes_are_not_set(self, administrator, workspace):
        body = {"plan": "pro"}
        problem(await administrator.patch(f"/v1/workspaces/{NOWHERE}", json=body), 404, "workspace_not_found")
        await administrator.delete(f"/v1/workspaces/{workspace.id}")
        problem(await administrator.patch(f"/v1/workspaces/{workspace.id}", json=body), 409, "workspace_deleting")


class TestMembers:
    async def test_are_added_changed_and_removed(self, api_client, workspace, platform):
        made = await api_client.post("/v1/members", json={"subject": "auth0|7", "role": "viewer", "name": "Bo"})
        assert (made.status_code, made.json()["invited_by"]) == (201, "first key")
        path = made.headers["location"]
        assert await members.role_of(platform, workspace.id, "auth0|7") is Role.VIEWER
        changed = await api_client.patch(path, json={"role": "editor", "email": "bo@example.com"})
        assert {"role": "editor", "email": "bo@example.com", "name": "Bo"}.items() <= changed.json().items()
        assert (await api_client.get(path)).json()["last_seen_at"] is not None
        viewers = await api_client.get("/v1/members", params={"role": "viewer"})
        assert viewers.json() == {"items": [], "next_cursor": None}
        assert (await api_client.delete(path)).status_code == 204
        assert await members.role_of(platform, workspace.id, "auth0|7") is None
        problem(await api_client.get(path), 404, "member_not_found")
        problem(await api_client.patch(path, json={}), 404, "member_not_found")
        problem(await api_client.delete(path), 404, "member_not_found")

    async def test_are_there_once(self, api_client):
        for subject, status in (("Me@Example.com", 201), ("me@example.com", 409)):
            answer = await api_client.post("/v1/members", json={"subject": subject, "role": "admin"})
            assert answer.status_code == status
        problem(answer, 409, "member_exists")

    async def test_never_are_the_platforms(self, api_client):
        answer = await api_client.post("/v1/members", json={"subject": "me", "role": "platform"})
        problem(answer, 422, "invalid_request")

    async def test_are_made_nothing_that_may_more_than_whoever_makes_them(self, api_client):
        body = {"name": "people", "role": "admin", "scopes": ["members:write", *sorted(permissions_of(Role.VIEWER))]}
        narrow = with_key((await api_client.post("/v1/api-keys", json=body)).json()["key"])
        made = await api_client.post("/v1/members", json={"subject": "me", "role": "viewer"}, headers=narrow)
        assert made.status_code == 201
        for role in ("operator", "admin"):
            answer = await api_client.post("/v1/members", json={"subject": "mine", "role": role}, headers=narrow)
            assert "runs:write" in problem(answer, 403, "beyond_own_permissions")["detail"]
            answer = await api_client.patch(made.headers["location"], json={"role": role}, headers=narrow)
            problem(answer, 403, "beyond_own_permissions")
        renamed = await api_client.patch(made.headers["location"], json={"name": "Me"}, headers=narrow)
        assert (renamed.json()["name"], renamed.json()["role"]) == ("Me", "viewer")

    async def test_of_several_workspaces_are_found_in_each(self, platform, workspace):
        other, _ = await workspaces.create_workspace(platform, "Other")
        subject = f"me@{workspace.id}.example"
        await members.add(platform, workspace.id, subject=subject, role=Role.ADMIN)
        await members.add(platform, other.workspace_id, subject=subject.upper(), role=Role.VIEWER)
        found = await members.workspaces_of(platform, subject)
        expected = [(workspace.id, "Test", "admin", False), (other.workspace_id, "Other", "viewer", False)]
        assert [(one.workspace_id, one.name, one.role, one.used) for one in found] == expected
        assert await members.workspaces_of(platform, "nobody@example.com") == []

    async def test_leave_somebody_who_can_get_in(self, api_client, platform, workspace):
        """As long as there is a key with the role admin, or another member who is one."""
        ada, bo = [await members.add(platform, workspace.id, subject=who, role=Role.ADMIN) for who in ("ada", "bo")]
        async with platform.database.transaction(workspace.id) as session:
            await (await session.connection()).exec_driver_sql("UPDATE api_keys SET expires_at = now() + '1 day'")
        assert (await api_client.patch(f"/v1/members/{ada.id}", json={"role": "viewer"})).status_code == 200
        problem(await api_client.patch(f"/v1/members/{bo.id}", json={"role": "editor"}), 409, "last_admin")
        problem(await api_client.delete(f"/v1/members/{bo.id}"), 409, "last_admin")
        assert (await api_client.delete(f"/v1/members/{ada.id}")).status_code == 204
        await workspaces.create_api_key(platform, workspace.id, "another")
        assert (await api_client.delete(f"/v1/members/{bo.id}")).status_code == 204


class TestPlatformKeys:
    async def test_are_made_listed_and_revoked(self, administrator, platform):
        made = await administrator.post("/v1/platform-keys", json={"name": "second"})
        assert (made.status_code, made.json()["created_by"]) == (201, "administrator")
        key = with_key(made.json()["api_key"])
        assert (await administrator.get("/v1/workspaces", headers=key)).status_code == 200
        listed, cursor = [], ""
        while cursor is not None:
            query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            page = (await administrator.get("/v1/platform-keys", params=query)).json()
            listed += page["items"]
            cursor = page["next_cursor"]
        assert made.json()["id"] in [one["id"] for one in listed]
        assert made.json()["api_key"] not in str(listed)
        for _ in range(2):
            assert (await administrator.delete(f"/v1/platform-keys/{made.json()['id']}")).status_code == 204
        problem(await administrator.get("/v1/workspaces", headers=key), 401, "invalid_api_key")
        problem(await administrator.delete(f"/v1/platform-keys/{NOWHERE}"), 404, "key_not_found")

    async def test_that_would_be_over_are_not_made(self, administrator):
        body = {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}
        problem(await administrator.post("/v1/platform-keys", json=body), 422, "invalid_expiry")

    async def test_leave_one_that_works(self, administrator, platform, workspace):
        async with platform.database.transaction(NO_WORKSPACE) as session:
            await (await session.connection()).exec_driver_sql(
                "UPDATE api_keys SET revoked_at = now() WHERE name <> 'administrator'"
            )
        keys = [
            one
            for one in (await administrator.get("/v1/platform-keys?limit=200")).json()["items"]
            if not one["revoked_at"]
        ]
        for one in keys[:-1]:
            await administrator.delete(f"/v1/platform-keys/{one['id']}")
        problem(await administrator.delete(f"/v1/platform-keys/{keys[-1]['id']}"), 409, "last_platform_key")


async def test_the_administrators_key_opens_no_workspace(administrator: httpx.AsyncClient) -> None:
    problem(await administrator.get("/v1/workflows"), 403, "not_permitted")


async def test_a_workspaces_key_makes_no_workspace(api_client: httpx.AsyncClient, workspace: TestWorkspace) -> None:
    problem(await api_client.post("/v1/workspaces", json={"name": "mine"}), 403, "not_permitted")
    problem(await api_client.get(f"/v1/workspaces/{workspace.id}"), 403, "not_permitted")
