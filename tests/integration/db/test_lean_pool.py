"""The connections of `Database.run`: few, kept, and none ever lent that is closed or in a state nobody knows."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import uvloop
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from app.db import engine
from app.db.engine import Database, DatabaseUnavailable, Statement
from app.db.migrate import migrate
from app.embedded.postgres import EmbeddedPostgres
from app.settings import Settings
from tests.conftest import DatabaseUrls

SIZE = 3
PID = Statement("SELECT pg_backend_pid()", {})
LOCK = Statement("SELECT pg_advisory_xact_lock(4711)::text, pg_backend_pid()", {})
NOWHERE = UUID(int=0)

Owner = psycopg.AsyncConnection[tuple[Any, ...]]


@pytest.fixture
async def database(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(engine, "POOL_SIZE", SIZE)
    database = Database(Settings(database_url=database_urls.app))
    yield database
    await database.close()


@pytest.fixture
async def impatient(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """One connection, and no waiting for it."""
    monkeypatch.setattr(engine, "POOL_SIZE", 1)
    monkeypatch.setattr(engine, "POOL_TIMEOUT_SECONDS", 0.02)
    database = Database(Settings(database_url=database_urls.app))
    yield database
    await database.close()


@pytest.fixture
async def owner(database_urls: DatabaseUrls) -> AsyncIterator[Owner]:
    async with await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True) as connection:
        yield connection


async def pid_of(database: Database) -> int:
    (((pid,),),) = await database.run(NOWHERE, PID)
    return int(pid)


async def pids_of(database: Database, calls: int) -> set[int]:
    return set(await asyncio.gather(*(pid_of(database) for _ in range(calls))))


async def until(owner: Owner, condition: str, *parameters: Any) -> None:
    """Ask until it is so; the test's own time limit ends what never becomes so."""
    while not await (await owner.execute(f"SELECT 1 WHERE {condition}", parameters)).fetchone():
        pass


async def until_gone(owner: Owner, *pids: int) -> None:
    await until(owner, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY(%s))", list(pids))


@asynccontextmanager
async def held_up(owner: Owner, database: Database, calls: int = 1) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Calls of `run` that are in the middle of their query until the block ends."""
    await owner.execute("SELECT pg_advisory_lock(4711)")
    tasks = [asyncio.create_task(database.run(NOWHERE, LOCK)) for _ in range(calls)]
    try:
        waiting = "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted) = %s"
        await until(owner, waiting, calls)
        yield tasks
    finally:
        await owner.execute("SELECT pg_advisory_unlock(4711)")
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_lean_connections_are_prepared_as_all_are(database):
    names = ("TimeZone", "statement_timeout", "idle_in_transaction_session_timeout", "application_name")
    shown = await database.run(NOWHERE, *(Statement("SELECT current_setting(%(name)s)", {"name": n}) for n in names))
    assert shown == [[("UTC",)], [("30s",)], [("1min",)], [("holdfast",)]]


async def test_lean_connections_write_json_as_all_do(database):
    kept = Statement("SELECT %(value)s", {"value": Jsonb({"a": "\x00", "b": 1e20})})
    assert await database.run(NOWHERE, kept) == [[({"a": "\N{REPLACEMENT CHARACTER}", "b": 100000000000000000000},)]]


async def test_lean_connections_are_kept_and_the_one_used_last_is_lent_first(database):
    assert len(await pids_of(database, SIZE)) == SIZE
    last = await pid_of(database)
    assert [await pid_of(database) for _ in range(5)] == [last] * 5


async def test_lean_connections_are_never_more_than_allowed_and_every_caller_gets_one(database):
    async def answered(number: int) -> tuple[int, int]:
        echo = Statement("SELECT pg_backend_pid(), %(number)s::int, pg_sleep(0.001)::text", {"number": number})
        (((pid, same, _),),) = await database.run(NOWHERE, echo)
        return pid, same

    answers = await asyncio.gather(*map(answered, range(60)))
    assert [number for _, number in answers] == list(range(60))
    assert len({pid for pid, _ in answers}) == SIZE


async def test_lean_connections_all_in_use_are_waited_for_a_while_and_no_longer(impatient, owner):
    async with held_up(owner, impatient) as (call,):
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable, match="All database connections are in use"):
                await impatient.run(NOWHERE, PID)
    (((_, pid),),) = call.result()
    assert await pid_of(impatient) == pid


async def test_lean_connections_are_not_lost_to_callers_cancelled_while_they_wait(database, owner):
    async with held_up(owner, database, SIZE):
        waiting = [asyncio.create_task(pid_of(database)) for _ in range(2 * SIZE)]
        await asyncio.wait(waiting, timeout=0)
        for task in waiting[::2]:
            task.cancel()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in done] == [asyncio.CancelledError, int] * SIZE
    assert len(await pids_of(database, 20)) <= SIZE


async def test_lean_connections_are_closed_when_a_caller_is_cancelled_in_the_middle_of_its_query(impatient, owner):
    before = await pid_of(impatient)
    async with held_up(owner, impatient) as (call,):
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await pid_of(impatient) != before
    await until_gone(owner, before)


async def test_lean_connections_are_closed_when_a_statement_fails(impatient, owner):
    before = await pid_of(impatient)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await impatient.run(NOWHERE, Statement("SELECT 1 / 0", {}), PID)
    assert await pid_of(impatient) != before
    await until_gone(owner, before)


async def test_lean_connections_are_not_kept_with_a_transaction_open(impatient, owner):
    before = await pid_of(impatient)
    await impatient.run(NOWHERE, Statement("BEGIN", {}))
    assert await pid_of(impatient) != before
    await until_gone(owner, before)


async def test_lean_connections_that_the_server_closed_while_idle_are_not_lent(database, owner):
    before = await pids_of(database, SIZE)
    for pid in before:
        await owner.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    after = await pids_of(database, 10)
    assert len(after) == SIZE
    assert not after & before


async def test_lean_connections_that_cannot_be_made_leave_their_place_to_the_next(monkeypatch):
    monkeypatch.setattr(engine, "POOL_SIZE", 1)
    monkeypatch.setattr(engine, "POOL_TIMEOUT_SECONDS", 0.02)
    database = Database(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            await database.run(NOWHERE, PID)
    await database.close()


async def test_lean_connections_are_all_closed_with_the_database_those_in_use_when_they_come_back(database, owner):
    idle = await pids_of(database, SIZE)
    async with held_up(owner, database) as (call,):
        await database.close()
        (((left,),),) = await database.run(NOWHERE, PID)
        assert left not in idle
    (((_, in_use),),) = call.result()
    assert in_use in idle
    await until_gone(owner, *idle)
    assert await pid_of(database) == left


async def test_lean_connections_are_made_anew_after_the_server_was_restarted():
    folder = Path(tempfile.mkdtemp(prefix="holdfast-tests-"))
    server = EmbeddedPostgres(folder, durable=False)
    try:
        await server.start()
        await asyncio.to_thread(migrate, server.owner_url, server.app_url)
        database = Database(Settings(database_url=server.app_url))
        await pids_of(database, 5)
        await server.stop()
        for _ in range(engine.POOL_SIZE + 1):
            with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
                await database.run(NOWHERE, PID)
        await server.start()
        assert len(await pids_of(database, 40)) <= engine.POOL_SIZE
        await database.close()
    finally:
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("run_loop", [asyncio.run, uvloop.run])
async def test_lean_connections_belong_to_the_loop_that_uses_them(database, run_loop: Callable[..., Any]):
    async def used() -> set[int]:
        try:
            return await pids_of(database, 20)
        finally:
            await database.close()

    assert 1 <= len(await asyncio.to_thread(run_loop, used())) <= SIZE


async def test_lean_connections_show_no_workspace_to_the_next_caller(impatient):
    setting = Statement("SELECT current_setting('holdfast.workspace_id')", {})
    for workspace in (uuid7(), uuid7()):
        assert await impatient.run(workspace, setting) == [[(str(workspace),)]]
