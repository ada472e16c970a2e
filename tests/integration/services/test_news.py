"""News of runs go from one process to another, and those that get lost cost a moment and no answer."""

import asyncio
from contextlib import suppress
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from app.db.engine import Database
from app.services import answering
from app.services import news as news_module
from app.services.errors import Unavailable
from app.services.news import MOST_TOGETHER, News
from app.store import runs as store
from tests.integration.services.building import a_run
from tests.support.waiting import eventually


async def heard(news: News) -> None:
    """Until the process hears what is told."""
    with news.awaited(uuid7()):
        await eventually(lambda: news.heard)


async def test_what_one_process_tells_another_hears(three):
    here, there, _ = (platform.news for platform in three)
    await heard(there)
    run_ids = [uuid7() for _ in range(MOST_TOGETHER + 3)]
    with there.awaited(run_ids[0]) as first, there.awaited(run_ids[-1]) as last, there.awaited(uuid7()) as other:
        for run_id in run_ids:
            here.tell(run_id)
        async with asyncio.timeout(10):
            await asyncio.gather(first.wait(), last.wait())
        assert not other.is_set()
    # Who begins to wait a moment later has missed nothing.
    with there.awaited(run_ids[1]) as late:
        assert late.is_set()


async def test_who_waits_from_before_news_are_heard_looks_when_they_are(platform):
    fresh = News(platform.database)
    try:
        with fresh.awaited(uuid7()) as news:
            async with asyncio.timeout(10):
                await news.wait()
            assert fresh.heard
    finally:
        await fresh.close()


async def test_a_connection_that_breaks_is_made_again(platform, database_urls):
    news = News(platform.database)
    try:
        await heard(news)
        async with await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True) as owner:
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'"
            )
        await eventually(lambda: not news.heard, every=0.001)
        await heard(news)
        run_id = uuid7()
        with news.awaited(run_id) as told:
            platform.news.tell(run_id)
            async with asyncio.timeout(10):
                await told.wait()
    finally:
        await news.close()


async def test_an_end_nobody_told_of_is_seen_all_the_same(platform, workspace, monkeypatch):
    monkeypatch.setattr(answering, "NEWS_PAUSE", 0.05)
    await heard(platform.news)
    run_id = await a_run(platform, workspace.id)
    waiting = asyncio.create_task(answering.wait_for_answer(platform, await row(platform, workspace.id, run_id), 30))
    async with platform.database.transaction(workspace.id) as session:
        await store.end(session, workspace.id, run_id, status="failed", error=None)
    assert (await waiting).status == "failed"


async def test_without_a_database_nothing_is_told_and_nothing_breaks(platform):
    class Away(Database):
        async def notify(self, channel: str, message: str) -> None:
            raise Unavailable("database_unavailable", "it is away")

    news = News(Away(platform.settings))
    news.tell(uuid7())
    await news.close()


async def row(platform, workspace_id: UUID, run_id: UUID):
    async with platform.database.transaction(workspace_id) as session:
        return await store.find(session, workspace_id, run_id)


async def test_it_closes_though_a_message_came_as_it_was_told_to(platform, monkeypatch):
    monkeypatch.setattr(news_module, "CLOSE_SECONDS", 0.01)
    fresh, forgotten = News(platform.database), asyncio.Event()

    async def listen() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        forgotten.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(fresh, "_listen", listen)
    with fresh.awaited(uuid7()):
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await fresh.close()
    assert forgotten.is_set()
