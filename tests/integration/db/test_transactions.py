"""A transaction belongs to one workspace, ends whole or not at all, and says when the database is away."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from app.db.engine import Database, DatabaseUnavailable
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
        await database.ping()
    await database.close()


async def test_transactions_say_so_too_when_it_goes_away_in_the_middle(database, database_urls, mine):
    async def interrupted() -> None:
        async with database.transaction(mine) as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            async with await psycopg.AsyncConnection.connect(database_urls.owner) as owner:
                await owner.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            await session.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        await interrupted()


def test_transactions_need_an_address():
    with pytest.raises(ValueError, match="HOLDFAST_DATABASE_URL"):
        Database(Settings(database_url=None))
    with pytest.raises(ValueError, match="PostgreSQL is the only database"):
        Database(Settings(database_url="mysql://a/b"))
