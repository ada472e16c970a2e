"""`holdfast workspaces`, `members` and platform keys, as the platform's administrator and as a workspace's."""

from pathlib import Path
from uuid import uuid4

import pytest

from app.cli.exits import ExitCode
from app.services import platform_keys
from app.services.platform import Platform
from tests.conftest import DatabaseUrls, TestWorkspace
from tests.integration.cli.conftest import Cli
from tests.support.cli import holdfast


@pytest.fixture
async def administrator(cli: Cli, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Cli:
    _, key = await platform_keys.create(platform, "command line")
    monkeypatch.setenv("HOLDFAST_PLATFORM_KEY", key)
    return cli


async def test_a_workspace_is_made_renamed_suspended_resumed_and_deleted(
    administrator: Cli, workspace: TestWorkspace
) -> None:
    name = f"Client {workspace.id}"
    made = (await administrator("workspaces", "create", name, "--admin", "ada@example.com", "--json")).json()
    assert made["api_key"].startswith("hf_")
    assert made["id"] in (await administrator("workspaces", "list", "--state", "active", "--limit", "100000")).out
    suspended = await administrator("workspaces", "suspend", name)
    renamed = await administrator("workspaces", "rename", name, f"{name}, before", "--json")
    resumed = await administrator("workspaces", "resume", made["id"])
    assert "suspended" in suspended.out
    assert (renamed.json()["name"], renamed.json()["state"]) == (f"{name}, before", "suspended")
    assert "active" in resumed.out
    kept = await administrator("workspaces", "delete", made["id"], stdin="n\n")
    assert (kept.code, kept.err.strip().endswith("nothing was deleted")) == (ExitCode.REFUSED, True)
    deleted = await administrator("workspaces", "delete", made["id"], "--yes", "--json")
    assert deleted.json()["state"] == "deleting"
    nobody = await administrator("workspaces", "suspend", name)
    assert (nobody.code, "holdfast workspaces list" in nobody.err) == (ExitCode.NOT_FOUND, True)


async def test_a_workspace_is_given_a_plan(administrator: Cli, workspace: TestWorkspace) -> None:
    made = (await administrator("workspaces", "create", f"Client {workspace.id}", "--plan", "free", "--json")).json()
    assert (made["plan"], made["plan_overrides"]) == ("free", {})
    given = ("--override", "workflows=40", "--override", "steps=null")
    changed = await administrator("workspaces", "set-plan", made["id"], "pro", *given)
    assert changed.out.strip().endswith("has the plan pro, but steps null, workflows 40")
    kept = (await administrator("workspaces", "set-plan", made["id"], "free", "--json")).json()
    assert (kept["plan"], kept["plan_overrides"]) == ("free", {"workflows": 40, "steps": None})
    plain = await administrator("workspaces", "set-plan", made["id"], "pro", "--no-overrides")
    assert plain.out.strip().endswith("has the plan pro")
    both = await administrator("workspaces", "set-plan", made["id"], "pro", "--no-overrides", *given)
    assert both.code == ExitCode.USAGE
    unknown = await administrator("workspaces", "set-plan", made["id"], "gold")
    assert (unknown.code, "there is no plan 'gold'" in unknown.err) == (ExitCode.REFUSED, True)


async def test_members_are_added_given_roles_and_removed(cli: Cli) -> None:
    assert "no members" in (await cli("members", "list")).err
    added = await cli("members", "add", "Bo@Example.com", "viewer", "--name", "Bo")
    changed = (await cli("members", "set-role", "bo@example.com", "editor", "--json")).json()
    listed = await cli("members", "list", "--role", "editor")
    removed = await cli("members", "remove", "bo@example.com")
    assert added.out.strip() == "bo@example.com is viewer"
    assert (changed["role"], changed["name"]) == ("editor", "Bo")
    assert "bo@example.com" in listed.out
    assert removed.out.strip() == "bo@example.com is no member any more"
    assert (await cli("members", "remove", "bo@example.com")).code == ExitCode.NOT_FOUND
    subject = str(uuid4())  # as some issuers name people
    await cli("members", "add", subject, "viewer")
    assert (await cli("members", "set-role", subject, "operator")).out.strip() == f"{subject} is operator"
    assert (await cli("members", "remove", str(uuid4()))).code == ExitCode.NOT_FOUND


async def test_platform_keys_are_made_at_the_database_listed_and_revoked(
    administrator: Cli, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    there = {"HOLDFAST_DATABASE_URL": database_urls.app, "HOLDFAST_DATA_DIR": str(tmp_path)}
    made = await holdfast("keys", "create-platform-key", "--name", "second", "--json", environment=there)
    assert made.code == 0, made.err
    assert made.json()["platform_key"].startswith("hf_")
    answer = await administrator("keys", "list-platform-keys", "--json")
    assert answer.code == 0, answer.err
    listed = answer.json()
    assert "command line" in (await administrator("keys", "list-platform-keys")).out
    [second] = [key for key in listed if key["prefix"] in made.json()["platform_key"]]
    revoked = await administrator("keys", "revoke-platform-key", second["id"])
    assert revoked.out.strip() == f"{second['id']} opens nothing any more"


async def test_without_a_platform_key_the_way_to_one_is_said(cli: Cli) -> None:
    refused = await cli("workspaces", "list")
    assert refused.code == ExitCode.NOT_ALLOWED
    assert "HOLDFAST_PLATFORM_KEY" in refused.err
