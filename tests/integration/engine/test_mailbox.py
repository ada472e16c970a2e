"""A mailbox that is looked into: each new mail once, from the mail server to a finished run."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from activities.http_client import HttpClient
from activities.messages import MessageDuty
from app.db.models import Connection, Event, Mailbox
from app.json import JsonObject
from app.services import connections, message_addresses, upkeep
from app.services.errors import Unavailable
from app.temporal.upkeep import Duty, Look
from tests.support.certificates import make_certificates
from tests.support.engine import Engine
from tests.support.imap_server import PASSWORD, USER, ImapServer, open_imap_server


def mail(number: int, *, sender: str = "Ada <ada@example.com>", id: str | None = None) -> bytes:
    head = f"From: {sender}\r\nSubject: Order {number}\r\nMessage-ID: {id or f'<{number}@example.com>'}\r\n"
    return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\nWhere is order {number}?\r\n".encode()


@pytest.fixture
async def server() -> AsyncIterator[ImapServer]:
    async with open_imap_server() as opened:
        yield opened


class Looking:
    """A mailbox of a workspace, and a worker that looks into it when told to."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._http = HttpClient(engine.platform.settings)
        self._duty = MessageDuty(engine.platform, self._http)

    def trust(self, authority: Path) -> None:
        self._http.__dict__["tls"] = ssl.create_default_context(cafile=authority)

    async def open(self, server: ImapServer, **config: Any) -> None:
        """A connection to the server, from which mails come in from now on."""
        whole = {"host": server.host, "port": server.port, "security": "none", **config}
        login = {"username": USER, "password": config.pop("password", PASSWORD)}
        whole.pop("password", None)
        platform, workspace_id = self.engine.platform, self.engine.workspace_id
        row = await connections.create(
            platform, workspace_id, kind="imap", name="support-mail", config=whole, credentials=login
        )
        await message_addresses.open_(platform, workspace_id, row.id)
        # The clock of the database may be a moment ahead of the one mails get their time from.
        await self.change(since=func.now() - timedelta(seconds=2))

    async def change(self, **values: Any) -> None:
        async with self.transaction() as session:
            await session.execute(update(Mailbox).values(**values))

    async def look(self) -> int:
        """Look into it as if it were due; answers how many mails were taken."""
        await self.change(due_at=func.now() - timedelta(seconds=1))
        return await self.tend()

    async def tend(self) -> int:
        """Do the duty as upkeep does."""
        report = await self._duty.tend([str(self.engine.workspace_id)])
        assert report.troubles == 0, report.trouble
        return report.messages_taken

    async def state(self) -> tuple[Mailbox, Connection]:
        async with self.transaction() as session:
            return (await session.scalars(select(Mailbox))).one(), (await session.scalars(select(Connection))).one()

    async def subjects(self) -> list[str]:
        """What the mails that were taken were about, in order."""
        async with self.transaction() as session:
            found = await session.scalars(select(Event).order_by(Event.received_at))
            return [event.data["email_subject"] for event in found]

    def transaction(self) -> Any:
        return self.engine.platform.database.transaction(self.engine.workspace_id)


@pytest.fixture
def looking(engine: Engine) -> Looking:
    return Looking(engine)


ON_MAIL: JsonObject = {
    "trigger": {"type": "message", "channel": "email", "connection": "support-mail"},
    "steps": [{"id": "a", "type": "transform", "mapping": {"b": 1}}],
    "output": "{{ trigger }}",
}


async def test_a_new_mail_starts_a_run_once(looking: Looking, server: ImapServer) -> None:
    await server.put(mail(1), date="01-Feb-2020 10:00:00 +0000")
    await looking.open(server)
    workflow_id = await looking.engine.publish(ON_MAIL)
    assert await looking.look() == 0
    await server.put(mail(2), mail(3))
    assert await looking.look() == 2
    assert await looking.look() == 0
    assert await looking.subjects() == ["Order 2", "Order 3"]
    assert await server.flags() == ["", "", ""]
    async with looking.transaction() as session:
        found = list(await session.scalars(select(Event).order_by(Event.received_at)))
    [run_id] = found[0].started
    done = await looking.engine.end(await looking.engine.row(run_of(run_id)))
    assert done.run.workflow_id == workflow_id
    assert (done.output["email_from"], done.output["email_body"]) == ("ada@example.com", "Where is order 2?")
    assert (found[0].subject, found[0].id) == ("ada@example.com", "<2@example.com>")
    box, connection = await looking.state()
    assert (box.failures, connection.status, connection.last_error) == (0, "active", None)
    assert box.due_at - box.polled_at == timedelta(minutes=1)


def run_of(run_id: str) -> Any:
    class Named:
        id = UUID(run_id)

    return Named()


async def test_mails_that_came_before_the_first_look_are_taken(looking: Looking, server: ImapServer) -> None:
    await server.put(mail(1), date="01-Feb-2020 10:00:00 +0000")
    await looking.open(server)
    await server.put(mail(2))
    assert await looking.look() == 1
    assert await looking.subjects() == ["Order 2"]


async def test_mails_are_marked_as_seen(looking: Looking, server: ImapServer) -> None:
    await server.put(mail(1), date="01-Feb-2020 10:00:00 +0000")
    await looking.open(server, after="seen")
    await server.put(mail(2))
    await looking.look()
    assert await server.flags() == ["", "\\Seen"]


async def test_mails_are_moved(looking: Looking, server: ImapServer) -> None:
    await server.make("Taken")
    await looking.open(server, after="move", move_to="Taken")
    await server.put(mail(1), mail(2))
    assert await looking.look() == 2
    assert (await server.flags(), len(await server.flags("Taken"))) == ([], 2)
    await server.put(mail(3))
    assert await looking.look() == 1


async def test_mails_are_taken_though_they_cannot_be_moved(looking: Looking, server: ImapServer) -> None:
    await looking.open(server, after="move", move_to="Nowhere")
    await server.put(mail(1))
    await looking.look()
    assert await looking.subjects() == ["Order 1"]
    box, connection = await looking.state()
    assert (box.failures, connection.status) == (1, "error")
    assert "refused" in (connection.last_error or "")
    await server.make("Nowhere")
    await server.put(mail(2))
    assert await looking.look() == 1
    assert (await server.flags(), len(await server.flags("Nowhere"))) == ([], 2)
    box, connection = await looking.state()
    assert (box.failures, connection.status) == (0, "active")


async def test_a_death_between_mail_and_place_takes_no_mail_twice(
    looking: Looking, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await looking.open(server)
    await looking.look()
    await server.put(mail(1), mail(2))
    with monkeypatch.context() as patch:

        async def die(*_: object, **__: object) -> bool:
            raise Unavailable("database_unavailable", "gone")

        patch.setattr("app.services.mailboxes.keep", die)
        with pytest.raises(Unavailable):
            await looking.look()
    assert await looking.subjects() == ["Order 1"]
    await looking.look()
    assert await looking.subjects() == ["Order 1", "Order 2"]


async def test_a_mailbox_numbered_anew_is_read_from_the_last_look(looking: Looking, server: ImapServer) -> None:
    await server.make("Support")
    await looking.open(server, mailbox="Support")
    await server.put(mail(1), mailbox="Support")
    await looking.look()
    await server.remake("Support")
    await server.put(mail(0), mailbox="Support", date="01-Feb-2020 10:00:00 +0000")
    await server.put(mail(1), mail(2), mailbox="Support")
    await looking.look()
    assert await looking.subjects() == ["Order 1", "Order 2"]


async def test_another_mailbox_of_the_connection_is_read_from_now_on(looking: Looking, server: ImapServer) -> None:
    await server.make("Other")
    await looking.open(server)
    await server.put(mail(1))
    await looking.look()
    await server.put(mail(2), mailbox="Other", date="01-Feb-2020 10:00:00 +0000")
    await server.put(mail(3), mailbox="Other")
    _, connection = await looking.state()
    engine = looking.engine
    change = {"config": {"mailbox": "Other"}}
    await connections.update(engine.platform, engine.workspace_id, connection.id, change)
    await looking.look()
    assert await looking.subjects() == ["Order 1", "Order 3"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"password": "wrong-one"}, "refused the user name or password"),
        ({"password": "wrong-onä"}, "refused the user name or password"),
        ({"mailbox": "Elsewhere"}, "refused"),
        ({"port": 1}, "nothing listens there"),
        ({"host": "169.254.169.254"}, "not allowed"),
        ({"security": "starttls"}, "refused"),
        ({"host": "nowhere.invalid"}, "cannot be found"),
    ],
    ids=str,
)
async def test_a_mailbox_that_cannot_be_looked_into_says_why_and_is_asked_less_often(
    looking: Looking, server: ImapServer, config: JsonObject, told: str
) -> None:
    await looking.open(server, **config)
    for failures in (1, 2):
        assert await looking.look() == 0
        box, connection = await looking.state()
        assert (box.failures, connection.status, box.polled_at) == (failures, "error", None)
        assert told in (connection.last_error or "")
        assert not any(part in (connection.last_error or "") for part in ("wrong-on", "ä", "xe4"))
    assert box.due_at > datetime.now(UTC) + timedelta(seconds=90)


async def test_a_mailbox_that_was_mended_is_looked_into_when_asked(looking: Looking, server: ImapServer) -> None:
    await looking.open(server, password="wrong-one")
    await looking.look()
    engine = looking.engine
    box, connection = await looking.state()
    assert box.due_at > datetime.now(UTC) + timedelta(seconds=30)
    login = {"credentials": {"username": USER, "password": PASSWORD}}
    await connections.update(engine.platform, engine.workspace_id, connection.id, login)
    await message_addresses.open_(engine.platform, engine.workspace_id, connection.id)
    assert (await looking.state())[0].due_at <= datetime.now(UTC)
    await looking.look()
    due_at = (await looking.state())[0].due_at
    await message_addresses.open_(engine.platform, engine.workspace_id, connection.id)
    assert (await looking.state())[0].due_at == due_at


async def sizes(looking: Looking) -> list[tuple[int, bool]]:
    async with looking.transaction() as session:
        found = await session.scalars(select(Event).order_by(Event.received_at))
        return [(event.data["attachments"][0]["size"], event.data["truncated"]) for event in found]


async def test_a_large_mail_is_fetched_in_pieces_for_as_long_as_there_is_time(
    looking: Looking, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.mailbox.PIECE_BYTES", 4096)
    await looking.open(server)
    head = b"From: a@b.example\r\nMessage-ID: <%d@x>\r\nContent-Type: a/b\r\n\r\n"
    await server.put(*(head % number + b"x" * 50_000 for number in (1, 2)))
    assert await looking.look() == 2
    monkeypatch.setattr("activities.mailbox.FETCH_SECONDS", 0)
    await server.put(head % 3 + b"x" * 50_000)
    assert await looking.look() == 1
    whole, another, part = await sizes(looking)
    assert whole == another == (50_000, False)
    assert part == (4096 - len(head % 3), True)


async def test_mailboxes_of_one_workspace_leave_room_for_the_others(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[int] = []

    async def claim(*_: object) -> list[Any]:
        return [object() for _ in range(8)]

    async def look(*_: object) -> tuple[int, bool]:
        under_way.append(under_way[-1] + 1 if under_way else 1)
        await asyncio.sleep(0.05)
        under_way.append(under_way[-1] - 1)
        return 0, False

    monkeypatch.setattr("app.services.mailboxes.claim", claim)
    monkeypatch.setattr(MessageDuty, "_look", look)
    await looking.tend()
    assert max(under_way) == 3


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_the_server_must_prove_who_it_is(looking: Looking, tmp_path: Path, security: str) -> None:
    own = make_certificates(tmp_path)
    contexts: dict[str, Any] = {"starttls": own.server} if security == "starttls" else {"tls": own.server}
    trusts = ssl.create_default_context(cafile=own.authority) if security == "tls" else None
    async with open_imap_server(**contexts, trusts=trusts) as server:
        await looking.open(server, security=security)
        await looking.look()
        _, connection = await looking.state()
        assert "certificate is not trusted" in (connection.last_error or "")
        looking.trust(own.authority)
        await server.put(mail(1))
        assert await looking.look() == 1
    _, connection = await looking.state()
    assert connection.last_error is None


async def talks(*lines: bytes) -> asyncio.Server:
    """A server that says these lines and then nothing, whatever it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(line)
            await reader.readline()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([b"* OK ready\r\n", b"* CAPABILITY {99999999999}\r\n"], "longer than"),
        ([b"* OK " + b"x" * 2_000_000 + b"\r\n"], "more than"),
        ([b"* OK ready\r\n"], "no answer in time"),
        ([b"hello\r\n"], "refused"),
        ([b"* BYE go away\r\n"], "refused"),
    ],
    ids=["literal", "line", "silence", "no IMAP", "bye"],
)
async def test_a_server_that_does_as_it_likes_is_left(
    looking: Looking, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], told: str
) -> None:
    monkeypatch.setattr("activities.messages.LOOK_SECONDS", 1.0)
    async with await talks(*lines) as server:
        host, port = server.sockets[0].getsockname()
        await looking.open(ImapServer(host, port))
        await looking.look()
    _, connection = await looking.state()
    assert told in (connection.last_error or "")


async def test_a_broken_mail_keeps_no_other_from_being_taken(looking: Looking, server: ImapServer) -> None:
    await looking.open(server)
    await server.put(b"\xff\xfe\x01 no mail at all", mail(2))
    assert await looking.look() == 2
    assert (await looking.subjects())[1] == "Order 2"


async def test_two_workers_take_a_mail_once(looking: Looking, server: ImapServer) -> None:
    await looking.open(server)
    await server.put(mail(1))
    other = MessageDuty(looking.engine.platform, HttpClient(looking.engine.platform.settings))
    await looking.look()
    await looking.change(due_at=func.now())
    reports = [await other.tend([str(looking.engine.workspace_id)]) for _ in range(2)]
    assert [report.messages_taken for report in reports] == [0, 0]
    assert await looking.subjects() == ["Order 1"]


async def test_upkeep_sees_a_mailbox_that_is_due(looking: Looking, server: ImapServer) -> None:
    await looking.open(server)
    workspace_id = looking.engine.workspace_id
    before = str(UUID(int=workspace_id.int - 1))
    await looking.change(due_at=func.now())
    found = await upkeep.look(looking.engine.platform, Look(after=before, limit=1))
    assert found.work[Duty.MESSAGES.value] == [str(workspace_id)]
    await looking.look()
    found = await upkeep.look(looking.engine.platform, Look(after=before, limit=1))
    assert Duty.MESSAGES.value not in found.work
