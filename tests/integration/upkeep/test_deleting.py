"""A deleted workspace leaves nothing behind, in the database or in Temporal, and nothing can be written for it."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.exc import IntegrityError
from temporalio.client import Client
from temporalio.worker import Worker

from app.services import administering, deleting, runs, upkeep, workspaces
from app.services.errors import Forbidden, NotFound, Unauthenticated
from app.services.platform import Platform
from app.temporal import erasing, names, run_schedules
from app.temporal.upkeep import Duty, Look
from tests.conftest import DatabaseUrls
from tests.integration.services.building import a_run
from tests.support.engine import Engine
from tests.support.rows import TABLES, insert, rows_of
from tests.support.waiting import eventually

DAILY = {"triggers": [{"type": "manual"}, {"type": "schedule", "every": "1d"}]}
LONG = {**DAILY, "steps": [{"id": "long", "type": "delay", "duration": "30d"}]}
SHORT = {"steps": [{"id": "one", "type": "set_variable", "variables": {"total": 1}}]}


async def counts(urls: DatabaseUrls, workspace_id: UUID) -> dict[str, int]:
    """How many rows each table has of the workspace, as the tables' owner sees it."""
    found = {}
    async with await psycopg.AsyncConnection.connect(urls.owner) as owner:
        for table in TABLES:
            count = sql.SQL("SELECT count(*) FROM {} WHERE workspace_id = {}")
            row = await (await owner.execute(count.format(sql.Identifier(table.name), workspace_id))).fetchone()
            assert row is not None
            found[table.name] = row[0]
    return found


async def listed(client: Client, workspace_id: UUID) -> set[str]:
    under_way, closed = await erasing.executions_of(client, workspace_id, 100)
    return {workflow_id for workflow_id, _ in under_way + closed}


async def test_a_deleted_workspace_leaves_nothing_behind(
    platform: Platform, database_urls: DatabaseUrls, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, key = await workspaces.create_workspace(platform, "Busy")
    workspace_id = row.workspace_id
    engine, client = Engine(platform, workspace_id), await platform.temporal.client()
    under_way, over = await engine.start(LONG), (await engine.run(SHORT)).run
    ids = {names.workflow_id(str(run.id)) for run in (under_way, over)}
    await eventually(lambda: _is(listed(client, workspace_id), ids), what="both are listed")
    await _fill(database_urls, workspace_id)
    assert all((await counts(database_urls, workspace_id)).values())
    schedules = await _schedules(platform, workspace_id)

    erased: list[erasing.Execution] = []
    erase = erasing.erase

    async def note(client: Client, executions: Iterable[erasing.Execution]) -> None:
        erased.extend(executions)
        await erase(client, executions)

    told: list[str] = []
    tell = run_schedules.delete

    async def note_schedule(client: Client, schedule_id: str) -> None:
        told.append(schedule_id)
        await tell(client, schedule_id)

    monkeypatch.setattr(erasing, "erase", note)
    monkeypatch.setattr(run_schedules, "delete", note_schedule)
    await administering.delete(platform, workspace_id)
    monkeypatch.setattr(deleting, "ROWS_TOGETHER", 1)
    monkeypatch.setattr(deleting, "STATEMENTS", 5)
    monkeypatch.setattr(deleting, "TOGETHER", 1)
    monkeypatch.setattr(deleting, "BATCHES", 1)
    # Another process may take it for usable yet, and make a schedule that nothing but its row would tell of.
    for _ in schedules:
        assert not await deleting.go_on(platform, workspace_id)
    assert (await counts(database_urls, workspace_id))["workflows"] > 0

    monkeypatch.setattr(deleting, "SETTLED_AFTER", timedelta(0))
    # Each pass looks for what is left, as the first after a crash would; the bounds end most of them.
    await eventually(lambda: deleting.go_on(platform, workspace_id), what="it is gone itself")
    with pytest.raises(NotFound):
        await administering.get(platform, workspace_id)
    assert not any((await counts(database_urls, workspace_id)).values())
    # Temporal deletes in its own time, half a minute later; it has taken that on.
    assert {workflow_id for workflow_id, _ in erased} == ids
    assert set(told) == {str(schedule_id) for schedule_id in schedules}
    for schedule_id in schedules:
        assert await run_schedules.describe(client, str(schedule_id)) is None
    with pytest.raises(Unauthenticated):
        await workspaces.authenticate(platform, key)
    with pytest.raises(IntegrityError, match="runs_workspace"):
        await a_run(platform, workspace_id)
    assert await deleting.go_on(platform, workspace_id)


async def test_what_is_written_while_a_workspace_is_deleted_goes_with_it(
    platform: Platform, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, _ = await workspaces.create_workspace(platform, "Empty")
    await administering.delete(platform, row.workspace_id)
    await a_run(platform, row.workspace_id, finished_at=row.created_at)
    await platform.sweeps.remove(row.workspace_id)
    assert not any((await counts(database_urls, row.workspace_id)).values())


async def test_upkeep_only_takes_a_deleted_workspace_away_and_starts_nothing_in_a_suspended_one(
    platform: Platform,
) -> None:
    row, _ = await workspaces.create_workspace(platform, "Rests")
    look = Look(after=str(UUID(int=row.workspace_id.int - 1)), limit=1)
    await a_run(platform, row.workspace_id, status="pending", created_at=row.created_at - timedelta(days=1))
    assert list((await upkeep.look(platform, look)).work) == [Duty.STARTS]
    await administering.change(platform, row.workspace_id, state="suspended")
    assert (await upkeep.look(platform, look)).work == {}
    await administering.delete(platform, row.workspace_id)
    assert (await upkeep.look(platform, look)).work == {Duty.DELETION: [str(row.workspace_id)]}
    report = await upkeep.tend(platform, Duty.DELETION, [str(row.workspace_id)])
    assert (report.workspaces_deleted, report.troubles) == (0, 0)


async def test_a_workspace_that_is_in_use_is_not_taken_away(platform: Platform) -> None:
    row, _ = await workspaces.create_workspace(platform, "Alive")
    assert not await deleting.go_on(platform, row.workspace_id)
    await platform.sweeps.remove(row.workspace_id)
    assert (await workspaces.get_workspace(platform, row.workspace_id)).name == "Alive"


async def test_nothing_new_starts_in_a_suspended_workspace(platform: Platform) -> None:
    row, _ = await workspaces.create_workspace(platform, "Rests")
    engine = Engine(platform, row.workspace_id)
    workflow_id = await engine.publish(SHORT)
    await administering.change(platform, row.workspace_id, state="suspended")
    with pytest.raises(Forbidden, match="suspended"):
        await runs.start(platform, row.workspace_id, workflow_id, input={})


async def _is(what: object, expected: set[str]) -> bool:
    return await what == expected  # type: ignore[misc, no-any-return]


async def _fill(urls: DatabaseUrls, workspace_id: UUID) -> None:
    """A row in every table."""
    async with await psycopg.AsyncConnection.connect(urls.app) as connection:
        await connection.execute("SELECT set_config('holdfast.workspace_id', %s, false)", [str(workspace_id)])
        for table in TABLES:
            if table.name != "workspaces":
                await connection.execute(*insert(table, rows_of(workspace_id)[table.name]))


async def _schedules(platform: Platform, workspace_id: UUID) -> list[UUID]:
    statement = deleting.store.schedules(workspace_id, 10)
    (rows,) = await platform.database.run(workspace_id, statement)
    return [id_ for (id_,) in rows]
