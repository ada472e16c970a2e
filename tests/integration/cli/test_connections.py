"""`holdfast connections`: what is there, and letting messages come in."""

from sqlalchemy import update

from app.cli.exits import ExitCode
from app.db.models import Mailbox
from app.services import connections
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.cli.conftest import Cli
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
