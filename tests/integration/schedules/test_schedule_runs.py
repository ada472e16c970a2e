"""Runs of schedules, end to end: a moment becomes one run, its end is counted, failures in a row pause the schedule."""

from typing import Any
from uuid import UUID

import pytest
from temporalio.worker import Worker

from app.db.models import Run, Schedule
from app.json import JsonObject
from app.services import schedules
from app.services.platform import Platform
from app.store import schedules as store
from tests.conftest import TestWorkspace
from tests.support.engine import Engine
from tests.support.waiting import eventually

QUICK = [{"id": "a", "type": "transform", "mapping": {"at": "{{ trigger.scheduled_for }}"}}]
FAILS = [{"id": "a", "type": "stop", "status": "failed", "reason": "the price list is gone"}]


def daily(*steps: JsonObject, **trigger: Any) -> JsonObject:
    return {"trigger": {"type": "schedule", "cron": "0 9 * * *", **trigger}, "steps": list(steps)}


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace, worker: Worker) -> Engine:
    return Engine(platform, workspace.id)


async def the_schedule(engine: Engine, workflow_id: UUID) -> Schedule:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        [row] = await store.of_workflow(session, engine.workspace_id, workflow_id)
    return row


async def now(engine: Engine, row: Schedule, **options: Any) -> Run:
    run = (await schedules.trigger_now(engine.platform, engine.workspace_id, row.id, **options)).run
    assert run is not None
    return run


async def test_a_moment_becomes_a_run_with_its_time_and_its_end_is_counted(engine: Engine) -> None:
    workflow_id = await engine.publish(daily(*QUICK, timezone="Europe/Vienna"))
    row = await the_schedule(engine, workflow_id)
    assert row.synced == row.revision
    finished = await engine.end(await now(engine, row))
    assert finished.run.trigger_type == "schedule"
    assert finished.run.input["schedule_id"] == str(row.id)
    assert finished.run.input["timezone"] == "Europe/Vienna"

    async def counted() -> bool:
        return (await the_schedule(engine, workflow_id)).last_status == "completed"

    await eventually(counted)
    view = await schedules.get(engine.platform, engine.workspace_id, row.id)
    assert (view.running, view.row.last_run_id) == (0, finished.run.id)
    assert schedules.next_runs(view)[0].hour in (7, 8)
