"""Retention: what is older than its workspace keeps it is deleted with all that hangs on it, and nothing else."""

import dataclasses
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Table, func, insert, select
from uuid_utils.compat import uuid7

from app.db.engine import Statement
from app.db.models import (
    Delivery,
    Event,
    Journal,
    Run,
    Step,
    StepAttempt,
    StoredPayload,
    Wait,
    Webhook,
    Workflow,
)
from app.services import plans, purging
from app.services.platform import Platform
from app.services.purging import Purged
from app.services.workspaces import create_workspace, update_settings
from app.settings import Settings
from app.store import purge as statements
from app.store import upkeep as looks
from tests.conftest import TestWorkspace
from tests.integration.services.building import a_run, an_event

PARTS: dict[type, dict[str, Any]] = {
    Step: {"path": "a", "step_id": "a", "name": "A", "type": "transform", "status": "completed"},
    StepAttempt: {"path": "a", "attempt": 1, "error": {}, "started_at": func.now(), "finished_at": func.now()},
    Wait: {"path": "a", "event": "e", "since": func.now()},
    Journal: {"journal": {}},
    StoredPayload: {"digest": "d", "payload": b"p"},
}


def ago(days: float) -> Any:
    return func.now() - timedelta(days=days)


async def ended(platform: Platform, workspace_id: UUID, days: float, **columns: Any) -> UUID:
    """A run that ended that long ago, with one row of everything that hangs on a run."""
    run_id = await a_run(platform, workspace_id, **{"status": "completed", "finished_at": ago(days), **columns})
    async with platform.database.transaction(workspace_id) as session:
        for model, row in PARTS.items():
            await session.execute(insert(model).values(workspace_id=workspace_id, run_id=run_id, **row))
    return run_id


async def kept(platform: Platform, workspace_id: UUID) -> set[UUID]:
    """The runs that are there; whatever hangs on one that is not would be found out here."""
    async with platform.database.transaction(workspace_id) as session:
        run_ids = set(await session.scalars(select(Run.id)))
        for model in PARTS:
            assert set(await session.scalars(select(model.run_id))) <= run_ids, model
        return run_ids


async def event_ids(platform: Platform, workspace_id: UUID) -> set[str]:
    async with platform.database.transaction(workspace_id) as session:
        return set(await session.scalars(select(Event.id)))


def keeping(platform: Platform, days: int) -> Platform:
    return dataclasses.replace(platform, settings=platform.settings.model_copy(update={"retention_days": days}))


async def test_runs_that_ended_too_long_ago_go_with_all_that_hangs_on_them(
    platform: Platform, workspace: TestWorkspace
) -> None:
    await ended(platform, workspace.id, 91)
    young = await ended(platform, workspace.id, 89)
    under_way = await a_run(platform, workspace.id, created_at=ago(400))
    assert await purging.purge(platform, workspace.id) == Purged(runs=1, events=0, more=False)
    assert await kept(platform, workspace.id) == {young, under_way}


async def test_purging_again_changes_nothing(platform: Platform, workspace: TestWorkspace) -> None:
    await ended(platform, workspace.id, 91)
    await purging.purge(platform, workspace.id)
    assert await purging.purge(platform, workspace.id) == Purged(runs=0, events=0, more=False)


async def test_events_go_when_they_are_old_and_dispatched(platform: Platform, workspace: TestWorkspace) -> None:
    await an_event(platform, workspace.id, "t", id="old", received_at=ago(91), dispatched_at=ago(91))
    await an_event(platform, workspace.id, "t", id="undispatched", received_at=ago(91))
    await an_event(platform, workspace.id, "t", id="young", dispatched_at=func.now())
    assert await purging.purge(platform, workspace.id) == Purged(runs=0, events=1, more=False)
    assert await event_ids(platform, workspace.id) == {"undispatched", "young"}


async def test_deliveries_go_when_they_are_old(platform: Platform, workspace: TestWorkspace) -> None:
    workflow = Workflow(workspace_id=workspace.id, id=uuid7(), name="Test", slug="test", draft={})
    hook = Webhook(
        workspace_id=workspace.id, id=uuid7(), workflow_id=workflow.id, position=0, token_hash="t", secrets="s"
    )
    async with platform.database.transaction(workspace.id) as session:
        session.add(workflow)
        await session.flush()
        session.add(hook)
        await session.flush()
        for days in (89, 91):
            session.add(
                Delivery(
                    workspace_id=workspace.id, id=uuid7(), webhook_id=hook.id, method="POST", status="accepted",
                    received_at=ago(days),
                )
            )  # fmt: skip
    assert await purging.purge(platform, workspace.id) == Purged(runs=0, events=0, more=False, deliveries=1)
    async with platform.database.transaction(workspace.id) as session:
        assert len(list(await session.scalars(select(Delivery.id)))) == 1


@pytest.mark.parametrize(
    ("installation", "workspaces", "left"),
    [(30, None, {5}), (30, 10, {5}), (30, 50, {5, 40}), (30, 0, {5, 40}), (0, None, {5, 40}), (0, 10, {5})],
)
async def test_the_workspace_says_how_long_or_else_the_installation(
    platform: Platform, workspace: TestWorkspace, installation: int, workspaces: int | None, left: set[int]
) -> None:
    runs = {days: await ended(platform, workspace.id, days) for days in (5, 40)}
    await update_settings(platform, workspace.id, {"retention_days": workspaces})
    await purging.purge(keeping(platform, installation), workspace.id)
    assert await kept(platform, workspace.id) == {runs[days] for days in left}


async def test_no_other_workspace_is_touched(platform: Platform, workspace: TestWorkspace) -> None:
    other, _key = await create_workspace(platform, "Other")
    theirs = await ended(platform, other.workspace_id, 91)
    await purging.purge(platform, workspace.id)
    assert await kept(platform, other.workspace_id) == {theirs}


async def test_a_run_stays_as_long_as_one_that_repeats_it(platform: Platform, workspace: TestWorkspace) -> None:
    first = await ended(platform, workspace.id, 93, status="failed")
    second = await ended(platform, workspace.id, 92, status="failed", retry_of=first)
    third = await a_run(platform, workspace.id, retry_of=second)
    assert (await purging.purge(platform, workspace.id)).runs == 0
    assert await kept(platform, workspace.id) == {first, second, third}
    async with platform.database.transaction(workspace.id) as session:
        run = await session.get_one(Run, (workspace.id, third))
        run.finished_at = ago(91)
    assert (await purging.purge(platform, workspace.id)).runs == 3
    assert await kept(platform, workspace.id) == set()


async def test_a_run_with_very_many_steps_loses_them_a_few_at_a_time(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await ended(platform, workspace.id, 91)
    async with platform.database.transaction(workspace.id) as session:
        for number in range(9):
            row = {**PARTS[Step], "path": f"each[{number}].a"}
            await session.execute(insert(Step).values(workspace_id=workspace.id, run_id=run_id, **row))
    monkeypatch.setattr(purging, "ROWS_TOGETHER", 2)
    monkeypatch.setattr(purging, "STATEMENTS", 4)
    assert await purging.purge(platform, workspace.id) == Purged(runs=0, events=0, more=True)
    async with platform.database.transaction(workspace.id) as session:
        assert len(list(await session.scalars(select(Step.path)))) == 4
    monkeypatch.setattr(purging, "STATEMENTS", 20)
    assert await purging.purge(platform, workspace.id) == Purged(runs=1, events=0, more=False)
    assert await kept(platform, workspace.id) == set()


async def test_runs_are_deleted_in_batches_until_none_is_left(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await ended(platform, workspace.id, 91)
    monkeypatch.setattr(purging, "RUNS_TOGETHER", 2)
    assert await purging.purge(platform, workspace.id) == Purged(runs=5, events=0, more=False)


MUCH = """
    INSERT INTO runs (
        workspace_id, id, workflow_id, workflow_name, version, trigger_type, status, finished_at, checked_at)
    SELECT %(id)s, gen_random_uuid(), %(id)s, 'Test', 1, 'manual',
           CASE WHEN n %% 10 = 0 THEN 'waiting' ELSE 'completed' END,
           CASE WHEN n %% 10 > 0 THEN now() - make_interval(hours => n) END,
           CASE WHEN n %% 20 = 0 THEN now() - make_interval(mins => n) END
    FROM generate_series(1, 3000) AS n
"""
MUCH_MORE = """
    INSERT INTO steps (workspace_id, run_id, path, step_id, name, type, status)
    SELECT workspace_id, id, 'path' || n, 'a', 'A', 'transform', 'completed' FROM runs, generate_series(1, 3) AS n
"""
MANY_EVENTS = """
    INSERT INTO events (workspace_id, source, id, type, received_at, dispatched_at)
    SELECT %(id)s, '/s', 'event ' || n, 't', now() - make_interval(hours => n), now() FROM generate_series(1, 3000) AS n
"""


async def test_what_upkeep_asks_for_is_answered_from_indexes(
    platform: Platform, workspace: TestWorkspace, settings: Settings
) -> None:
    for statement in (MUCH, MUCH_MORE, MANY_EVENTS):
        await platform.database.run(workspace.id, Statement(statement, {"id": workspace.id}))
    assert settings.migration_database_url is not None
    with psycopg.connect(settings.migration_database_url, autocommit=True) as owner:
        owner.execute("ANALYZE runs, steps, events")
    purge = statements.Purge(workspace.id, 90)
    look = looks.look(
        workspace.id,
        undispatched_for=timedelta(0),
        pending_for=timedelta(0),
        check_after=timedelta(0),
        behind_for=timedelta(0),
        schedule_check_after=timedelta(0),
        untold_for=timedelta(0),
        untold_again_after=timedelta(0),
        retention_days=90,
        audit_retention_days=90,
    )
    ended_before, came_before, unchecked = r"finished_at < \(InitPlan", r"received_at < \(InitPlan", "checked_at"
    for asked, conditions in (
        (look, [f"{unchecked} IS NULL", f"{unchecked} <", ended_before, came_before]),
        (looks.take_unchecked(workspace.id, check_after=timedelta(0), limit=10), [f"{unchecked} IS NULL", "id ="]),
        (looks.open_among(workspace.id, [uuid7()]), ["id = "]),
        (purge.expired_runs(10), [ended_before]),
        (purge.delete_runs([uuid7()]), ["id = "]),
        (purge.delete_parts("steps", [uuid7()], 10), ["run_id = ", "path = "]),
        (purge.delete_events(10), [came_before, "source = "]),
    ):
        explain = Statement(f"EXPLAIN {asked.sql}", asked.parameters)
        (rows,) = await platform.database.run(workspace.id, explain)
        plan = "\n".join(line for (line,) in rows)
        assert not re.search(r"Seq Scan on (runs|steps|events)", plan), plan
        assert asked is not look or re.search("runs_unlaunched|runs_status", plan), plan
        for condition in conditions:
            assert re.search(rf"Index Cond: .*{condition}", plan), (condition, plan)


def test_all_that_can_be_much_is_deleted_by_the_batch() -> None:
    tables = {table.name for table in Run.metadata.sorted_tables if _hangs_on_runs(table)}
    assert tables - set(statements.PARTS) == {"journals"}, "of these a run has one row"


def _hangs_on_runs(table: Table) -> bool:
    return any(key.column.table.name == "runs" for key in table.foreign_keys)


@pytest.mark.parametrize(("own", "left"), [(None, {5}), (50, {5}), (0, {5}), (3, set())])
async def test_the_plan_shortens_what_the_workspace_says(
    platform: Platform, workspace: TestWorkspace, own: int | None, left: set[int]
) -> None:
    await plans.set_plan(platform, workspace.id, "free")
    if own is not None:
        await update_settings(platform, workspace.id, {"retention_days": own})
    runs = {days: await ended(platform, workspace.id, days) for days in (5, 8)}
    await purging.purge(platform, workspace.id)
    assert await kept(platform, workspace.id) == {runs[days] for days in left}
