"""What an outage makes of schedules: no worker, no database for a moment, no Temporal for a while."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from app.definition.triggers import ScheduleTrigger
from app.embedded.ports import free_port
from app.embedded.temporal import EmbeddedTemporal
from app.services import schedules
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.temporal import run_schedules
from app.temporal.payloads import DATA_CONVERTER
from tests.conftest import TestWorkspace
from tests.integration.schedules.test_schedule_moments import wanted
from tests.support.engine import Engine
from tests.support.own_worker import engine_without_worker, running_worker
from tests.support.schedules import daily, only, there, until
from tests.support.waiting import eventually


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """What is started is taken by no worker but those the test runs."""
    return engine_without_worker(platform, workspace.id, monkeypatch)


async def test_a_moment_that_finds_no_worker_runs_when_there_is_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "FIRST_SECONDS", 0.2)
    monkeypatch.setattr(schedules, "BEGIN_SECONDS", 0.4)
    workflow_id = await engine.publish(daily())
    row = await only(engine, workflow_id)
    for _ in range(3):
        triggered = await schedules.trigger_now(engine.platform, engine.workspace_id, row.id, overlap="skip")
        assert triggered.run is None
    found = await there(engine, row)
    assert found is not None
    assert (found.info.num_actions, found.info.num_actions_skipped_overlap) == (1, 2)
    async with running_worker(engine):
        row = await until(engine, workflow_id, last_status="completed")
    view = await schedules.get(engine.platform, engine.workspace_id, row.id)
    assert view.running == 0


async def test_a_moment_waits_for_the_database(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "FIRST_SECONDS", 0.1)
    monkeypatch.setattr(schedules, "BEGIN_SECONDS", 0.1)
    workflow_id = await engine.publish(daily())
    row = await only(engine, workflow_id)
    tried = 0

    async def away(*_: object, **__: object) -> None:
        nonlocal tried
        tried += 1
        raise Unavailable("database_unavailable", "away")

    with monkeypatch.context() as broken:
        broken.setattr("app.services.scheduled.runs.start", away)
        async with running_worker(engine):
            await schedules.trigger_now(engine.platform, engine.workspace_id, row.id)

            async def twice() -> bool:
                return tried >= 2

            await eventually(twice)
            broken.undo()
            await until(engine, workflow_id, last_status="completed")


async def test_moments_that_temporal_was_away_for_come_when_it_is_back(tmp_path: Path) -> None:
    server = EmbeddedTemporal(data_dir=tmp_path, port=free_port(), ui_port=None, log=tmp_path / "temporal.log")
    await server.start()
    try:
        client = await Client.connect(server.address, data_converter=DATA_CONVERTER)
        every = wanted(ScheduleTrigger(type="schedule", every="2s", overlap="allow_all", catch_up="1h"))
        one = wanted(ScheduleTrigger(type="schedule", every="2s", overlap="skip", catch_up="1h"))
        for schedule in (every, one):
            assert await run_schedules.create(client, replace(schedule, paused=False), datetime.now(UTC))
        await asyncio.sleep(2.5)
        away = datetime.now(UTC)
        await server.stop()
        await asyncio.sleep(4)
        await server.start()
        back = datetime.now(UTC)
        client = await Client.connect(server.address, data_converter=DATA_CONVERTER)

        async def started(schedule_id: str) -> set[datetime]:
            query = f"TemporalScheduledById = 'schedule-{schedule_id}'"
            ids = [execution.id async for execution in client.list_workflows(query)]
            return {datetime.fromisoformat(id.removeprefix(f"schedule-{schedule_id}-")) for id in ids}

        step = timedelta(seconds=2)

        async def caught_up() -> set[datetime] | None:
            found = await started(every.schedule_id)
            return found if found and max(found) >= back - step else None

        moments = await eventually(caught_up, within=30, what="the moments of the outage are started")
        assert moments is not None
        assert {after - before for before, after in zip(sorted(moments), sorted(moments)[1:], strict=False)} == {step}
        assert min(moments) <= away + step, "those of the outage are among them"
        assert max(moments) >= back - step
        assert len(await started(one.schedule_id)) == 1, "nobody ends it: the others are left out"
    finally:
        await server.stop()
