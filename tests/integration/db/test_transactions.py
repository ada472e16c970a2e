"""A transaction belongs to one workspace, ends whole or not at all, and says when the database is away."""

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from app.db.engine import LIVENESS, Database, DatabaseUnavailable, Statement
from app.db.models import Workspace
from app.settings import Settings
from tests.conftest import DatabaseUrls


@pytest.fixture
async def mine() -> UUID:
    return uuid7()


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database(Settings(database_url=database_urls.app))
    yield database
    await database.close()


async def test_transactions_name_their_workspace_until_they_end_and_no_longer(database, mine):
    setting = text("SELECT current_setting('holdfast.workspace_id', true)")
    async with database.transaction(mine) as session:
        assert await session.scalar(setting) == str(mine)
    assert await database.scalar("SELECT NULLIF(current_setting('holdfast.workspace_id', true), '')") is None


async def test_transactions_that_run_at_once_never_mix_their_workspaces(database):
    async def seen(workspace: UUID) -> UUID:
        async with database.transaction(workspace) as session:
            await session.execute(text("SELECT pg_sleep(0.01)"))
            return UUID(await session.scalar(text("SELECT current_setting('holdfast.workspace_id')")))

    workspaces = [uuid7() for _ in range(60)]
    assert await asyncio.gather(*map(seen, workspaces)) == workspaces


async def test_transactions_are_undone_when_the_block_raises(database, mine):
    async def interrupted() -> None:
        async with database.transaction(mine) as session:
            session.add(Workspace(workspace_id=mine, name="x"))
            await session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await interrupted()
    async with database.transaction(mine) as session:
        assert await session.scalar(text("SELECT count(*) FROM workspaces")) == 0


async def test_transactions_give_times_in_utc(database, mine):
    async with database.transaction(mine) as session:
        assert (await session.scalar(text("SELECT now()"))).utcoffset().total_seconds() == 0


async def test_transactions_find_a_connection_the_server_closed_meanwhile(database, database_urls, mine):
    async with database.transaction(mine) as session:
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as owner:
        await owner.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    async with database.transaction(mine) as session:
        assert await session.scalar(text("SELECT 1")) == 1


async def test_transactions_say_that_the_database_is_away(mine):
    database = Database(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        async with database.transaction(mine):
            pass
    with pytest.raises(DatabaseUnavailable):
        await database.scalar("SELECT 1")
    await database.close()


async def test_transactions_say_so_too_when_it_goes_away_in_the_middle(database, database_urls, mine):
    async def interrupted() -> None:
        async with database.transaction(mine) as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            async with await psycopg.AsyncConnection.connect(database_urls.owner) as owner:
                await owner.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            await session.execute(text("SELECT 1"))

    suicide = Statement("SELECT pg_terminate_backend(pg_backend_pid())", {})
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await interrupted()
        with pytest.raises(DatabaseUnavailable):
            await database.run(mine, suicide, COUNT)
        assert await database.run(mine, COUNT) == [[(0,)]]


COUNT = Statement("SELECT count(*) FROM workspaces", {})


def insertion(workspace: UUID) -> Statement:
    return Statement(
        "INSERT INTO workspaces (workspace_id, name) VALUES (%(id)s, 'x') RETURNING name", {"id": workspace}
    )


async def test_transactions_in_one_round_trip_answer_each_statement(database, mine):
    assert await database.run(mine, insertion(mine), COUNT) == [[("x",)], [(1,)]]
    assert await database.run(uuid7(), COUNT) == [[(0,)]]


async def test_transactions_in_one_round_trip_happen_whole_or_not_at_all(database, mine):
    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.run(mine, insertion(mine), insertion(mine))
    assert await database.run(mine, COUNT) == [[(0,)]]


async def test_transactions_in_one_round_trip_keep_to_their_workspace(database, mine):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        await database.run(mine, insertion(uuid7()))


async def test_transactions_in_one_round_trip_leave_no_workspace_behind(database, mine):
    await database.run(mine, COUNT)
    assert await database.scalar("SELECT NULLIF(current_setting('holdfast.workspace_id', true), '')") is None
    assert await database.scalar("SELECT count(*) FROM workspaces") == 0


async def test_transactions_in_one_round_trip_say_that_the_database_is_away(mine):
    database = Database(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        await database.run(mine, COUNT)
    await database.close()


async def test_transactions_that_are_cancelled_leave_the_pool_as_it_was(database, mine):
    pause = Statement("SELECT pg_sleep(0.05)", {})

    async def in_a_session() -> None:
        async with database.transaction(mine) as session:
            await session.execute(text("SELECT pg_sleep(0.05)"))

    for delay in (0, 0.001, 0.005, 0.02):
        for _ in range(8):
            tasks = [asyncio.create_task(database.run(mine, pause, COUNT)), asyncio.create_task(in_a_session())]
            await asyncio.wait(tasks, timeout=delay)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert await database.run(mine, insertion(mine), COUNT) == [[("x",)], [(1,)]]
    assert await asyncio.gather(*(database.run(mine, COUNT) for _ in range(40))) == [[[(1,)]]] * 40


def test_transactions_need_an_address():
    with pytest.raises(ValueError, match="HOLDFAST_DATABASE_URL"):
        Database(Settings(database_url=None))
    with pytest.raises(ValueError, match="PostgreSQL is the only database"):
        Database(Settings(database_url="mysql://a/b"))


async def test_every_connection_notices_soon_that_the_server_is_silent(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    made = psycopg.AsyncConnection.connect

    async def noted(*positional: object, **named: object) -> object:
        asked.append(named)
        return await made(*positional, **named)

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", noted)
    database = Database(Settings(database_url=f"{database_urls.app}{_more(database_urls.app)}keepalives_idle=7"))
    await database.run(uuid7(), Statement("SELECT 1", {}))
    await database.scalar("SELECT 1")
    async with database.listening("nothing"):
        pass
    await database.close()
    assert len(asked) == 3, "one of each pool, and one that listens"
    for named in asked:
        found = {name: int(named[name]) for name in LIVENESS}
        assert found == {**LIVENESS, "keepalives_idle": 7}, "what the URL says goes before"


def test_the_kernel_is_told_so_for_a_server_at_the_end_of_a_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = {name: str(value) for name, value in LIVENESS.items()}
        host, port = server.getsockname()
        url = psycopg.conninfo.make_conninfo("", host=host, port=port, **told)
        connection = psycopg.pq.PGconn.connect_start(url.encode())
        while connection.connect_poll() == psycopg.pq.PollingStatus.WRITING:
            select.select([], [connection.socket], [])
        with socket.socket(fileno=os.dup(connection.socket)) as ours:
            idle = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            unanswered = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        connection.finish()
    assert (idle, unanswered) == (LIVENESS["keepalives_idle"], LIVENESS["tcp_user_timeout"])


def _more(url: str) -> str:
    return "&" if "?" in url else "?"
