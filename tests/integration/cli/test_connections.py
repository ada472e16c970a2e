"""`holdfast connections`: what is there, and letting messages come in."""

from sqlalchemy import update

from app.cli.exits import ExitCode
from app.db.models import Mailbox
from app.services import connections, workflows
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.cli.conftest import Cli
from tests.support.authorization_server import AuthorizationServer
from tests.support.http_stub import Answer, HttpStub
from tests.support.providers import TWILIO


async def test_messages_are_let_in_and_out(cli: Cli, platform: Platform, workspace: TestWorkspace) -> None:
    await connections.create(platform, workspace.id, **TWILIO)
    login = {"username": "u", "password": "p"}
    box = {"kind": "imap", "name": "mail", "config": {"host": "imap.example.com"}, "credentials": login}
    await connections.create(platform, workspace.id, **box)

    listed = await cli("connections", "list", "--kind", "twilio")
    opened = await cli("connections", "inbound", "line")
    rotated = (await cli("connections", "inbound", "line", "--rotate", "--json")).json()
    mailbox = await cli("connections", "inbound", "mail")
    off = await cli("connections", "inbound", "line", "--off")

    assert "line" in listed.out
    assert "mail" not in listed.out
    assert "/messages/msg_" in opened.out
    assert rotated["address"] not in opened.out
    assert "mail is looked into for email" in mailbox.out
    assert "failed" not in mailbox.out
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(Mailbox).values(failures=3))
    assert "The last 3 looks failed" in (await cli("connections", "inbound", "mail")).out
    assert off.code == ExitCode.OK
    assert (await cli("connections", "inbound", "line", "--off")).code == ExitCode.NOT_FOUND


async def test_what_makes_no_sense_is_said(cli: Cli) -> None:
    assert (await cli("connections", "inbound", "no-such")).code == ExitCode.NOT_FOUND
    assert (await cli("connections", "inbound", "x", "--off", "--rotate")).code == ExitCode.USAGE


async def test_a_connection_is_tried_and_its_users_are_listed(
    cli: Cli, platform: Platform, workspace: TestWorkspace, http_stub: HttpStub
) -> None:
    http_stub.answer("/me", Answer(json={"id": 1}), Answer(401))
    config = {"base_url": http_stub.url, "test_path": "/me"}
    await connections.create(platform, workspace.id, kind="http", name="api", config=config)
    step = {"id": "get", "type": "action", "action": "http.request", "connection": "api", "inputs": {"url": "/"}}

    works = await cli("connections", "test", "api")
    fails = await cli("connections", "test", "api")
    unused = await cli("connections", "usage", "api")
    await workflows.create(platform, workspace.id, name="Ask it", definition={"steps": [step]})
    used = await cli("connections", "usage", "api")

    assert (works.code, "api works: GET /me answered 200" in works.out) == (ExitCode.OK, True)
    assert (fails.code, "401" in fails.err, "Enter the credentials anew" in fails.err) == (ExitCode.REFUSED, True, True)
    assert "api" in (await cli("connections", "list", "--status", "error")).out
    assert (unused.code, unused.out) == (ExitCode.OK, "")
    assert all(word in used.out for word in ("ask-it", "draft", "steps[0]"))
    assert (await cli("connections", "test", "no-such")).code == ExitCode.NOT_FOUND


async def test_somebody_gets_a_link_to_authorize_a_connection(
    cli: Cli, platform: Platform, workspace: TestWorkspace, http_stub: HttpStub
) -> None:
    await connections.create(platform, workspace.id, **AuthorizationServer(http_stub).connection())
    shown = await cli("connections", "authorize", "crm")
    assert "/oauth/begin/ticket_" in shown.out
    await connections.create(platform, workspace.id, **TWILIO)
    assert (await cli("connections", "authorize", "line")).code == ExitCode.REFUSED
