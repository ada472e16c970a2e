"""Outcomes that are kept together: each is there for good or its own `keep` says why not."""

import asyncio
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.db.models import Step
from app.json import JsonObject
from app.services import records
from app.services.commits import BUSY_RUNS, MOST_TOGETHER, Commits
from app.services.errors import Unavailable
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.services.building import a_batch, a_run


class Counting:
    """The database, and how many rows each transaction kept."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self.sizes: list[int] = []
        self.away = False

    async def run(self, workspace_id, statement):
        if self.away:
            raise Unavailable("database_unavailable", "the database cannot be reached")
        rows = await self._database.run(workspace_id, statement)
        self.sizes.append(len(statement.parameters["rows"].obj))
        return rows


@pytest.fixture
def database(platform) -> Counting:
    return Counting(platform)


@pytest.fixture
def commits(database) -> Commits:
    """Of a process whose clock stands still: what was kept is lately for ever."""
    return Commits(database, clock=lambda: 0.0)


def a_row(path: str = "fetch", **changes: object) -> JsonObject:
    row = {"path": path, "step_id": "fetch", "name": "Fetch", "type": "action", "action": "http.request"}
    return {**row, "status": "completed", "effect_key": path, "attempt": 1, "generation": 1, "output": 1, **changes}


async def paths(platform: Platform, workspace: TestWorkspace, run_id: UUID) -> set[str]:
    async with platform.database.transaction(workspace.id) as session:
        return set(await session.scalars(select(Step.path).where(Step.run_id == run_id)))


async def test_one_run_alone_does_not_wait_for_others(platform, workspace, database, commits):
    run_id = await a_run(platform, workspace.id)
    for number in range(3):
        await commits.keep(workspace.id, run_id, a_row(str(number)))
    assert database.sizes == [1, 1, 1]
    assert await paths(platform, workspace, run_id) == {"0", "1", "2"}


async def test_what_comes_during_a_transaction_goes_with_the_next(platform, workspace, database, commits):
    run_id = await a_run(platform, workspace.id)
    await asyncio.gather(
        *(commits.keep(workspace.id, run_id, a_row(str(number))) for number in range(MOST_TOGETHER + 5))
    )
    assert database.sizes[0] == MOST_TOGETHER or sum(database.sizes[:2]) > MOST_TOGETHER
    assert sum(database.sizes) == MOST_TOGETHER + 5
    assert len(await paths(platform, workspace, run_id)) == MOST_TOGETHER + 5


async def test_a_busy_process_waits_for_runs_to_join(platform, workspace, database, commits):
    run_ids = [await a_run(platform, workspace.id) for _ in range(BUSY_RUNS)]
    for run_id in run_ids:
        await commits.keep(workspace.id, run_id, a_row("before"))
    database.sizes.clear()
    first = asyncio.create_task(commits.keep(workspace.id, run_ids[0], a_row()))
    for _ in range(5):
        await asyncio.sleep(0)  # until it waits for the others, or would be on its way
    await asyncio.gather(first, *(commits.keep(workspace.id, run_id, a_row()) for run_id in run_ids[1:]))
    assert database.sizes == [BUSY_RUNS]


async def test_each_is_told_whether_its_own_run_has_ended(platform, workspace, commits):
    under_way, over = await a_run(platform, workspace.id), await a_run(platform, workspace.id)
    await records.record_batch(platform, a_batch(workspace.id, over, status="failed"))
    told = await asyncio.gather(*(commits.keep(workspace.id, run_id, a_row()) for run_id in (under_way, over)))
    assert told == [False, True]


async def test_two_outcomes_of_one_step_are_kept_one_after_the_other(platform, workspace, database, commits):
    run_id = await a_run(platform, workspace.id)
    rows = [a_row(effect_key="first", output="first"), a_row(effect_key="second", output="second")]
    await asyncio.gather(*(commits.keep(workspace.id, run_id, row) for row in rows))
    assert database.sizes == [1, 1]


async def test_one_that_cannot_be_kept_takes_none_with_it(platform, workspace, commits):
    run_id = await a_run(platform, workspace.id)
    told = await asyncio.gather(
        commits.keep(workspace.id, run_id, a_row("good")),
        commits.keep(workspace.id, uuid7(), a_row("gone")),
        commits.keep(workspace.id, run_id, a_row("bad", attempt="many")),
        return_exceptions=True,
    )
    assert told[0] is False
    assert isinstance(told[1], psycopg.errors.ForeignKeyViolation)
    assert isinstance(told[2], psycopg.errors.InvalidTextRepresentation)
    assert await paths(platform, workspace, run_id) == {"good"}


async def test_each_is_told_that_the_database_is_away_and_may_come_again(platform, workspace, database, commits):
    run_id = await a_run(platform, workspace.id)
    database.away = True
    told = await asyncio.gather(
        *(commits.keep(workspace.id, run_id, a_row(path)) for path in ("a", "b")), return_exceptions=True
    )
    assert [type(each) for each in told] == [Unavailable, Unavailable]
    database.away = False
    assert await commits.keep(workspace.id, run_id, a_row("a")) is False
    assert await paths(platform, workspace, run_id) == {"a"}


async def test_one_that_waits_no_longer_is_kept_and_the_others_are_told(platform, workspace, commits):
    run_id = await a_run(platform, workspace.id)
    keeping = [asyncio.create_task(commits.keep(workspace.id, run_id, a_row(path))) for path in ("a", "b")]
    await asyncio.sleep(0)
    keeping[0].cancel()
    assert await keeping[1] is False
    assert await paths(platform, workspace, run_id) == {"a", "b"}


async def test_workspaces_are_kept_apart(platform, workspace, commits):
    run_id = await a_run(platform, workspace.id)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        await commits.keep(uuid7(), run_id, a_row())
    assert await paths(platform, workspace, run_id) == set()
