"""`holdfast api-keys`: keys over HTTP."""

from app.cli.exits import ExitCode
from tests.conftest import TestWorkspace
from tests.integration.cli.conftest import Cli


async def test_a_key_is_made_rotated_and_revoked(cli: Cli, workspace: TestWorkspace) -> None:
    scopes = ("--scope", "runs:read", "--scope", "me:read")
    made = await cli("api-keys", "create", "deploy", "--role", "operator", *scopes)
    rotated = (await cli("api-keys", "rotate", "deploy", "--grace-seconds", "60", "--json")).json()
    shown = await cli("api-keys", "rotate", rotated["id"], "--grace-seconds", "60")
    listed = await cli("api-keys", "list")
    revoked = await cli("api-keys", "revoke", "deploy")
    assert "API key  hf_" in made.out
    assert "not shown again" in made.err
    assert rotated["key"].startswith(rotated["prefix"])
    assert "works until" in shown.out
    assert "runs:read, me:read" in listed.out
    assert "first key" in listed.out
    assert revoked.code == ExitCode.OK
    again = (await cli("api-keys", "list", "--status", "revoked", "--json")).json()
    assert [item["id"] for item in again] == [rotated["id"]]


async def test_what_cannot_be_done_is_said(cli: Cli) -> None:
    assert (await cli("api-keys", "revoke", "nobody")).code == ExitCode.NOT_FOUND
    last = await cli("api-keys", "revoke", "first key")
    assert last.code == ExitCode.REFUSED
    assert "another admin key" in last.err
    for _ in range(2):
        await cli("api-keys", "create", "twin")
    assert (await cli("api-keys", "rotate", "twin")).code == ExitCode.USAGE
    assert (await cli("api-keys", "create", "x", "--role", "owner")).code == ExitCode.REFUSED
