"""The schedule of upkeep: made once by whoever comes first, as the settings say, and it begins passes by itself."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    WorkflowExecution,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from app.services.platform import Platform
from app.temporal import names, schedule
from app.temporal.schedule import ensure_upkeep, run_upkeep_now
from app.temporal.upkeep import UpkeepReport
from tests.integration.upkeep.conftest import Deaf
from tests.support.engine import Engine
from tests.support.waiting import eventually
from worker import upkeep as worker_upkeep
from worker.upkeep import schedule_upkeep

RARELY = timedelta(hours=1)
QUICK = {"steps": [{"id": "hello", "type": "transform", "mapping": {"a": 1}}]}


@pytest.fixture
async def client(apart: Platform) -> AsyncIterator[Client]:
    """A namespace without the schedule, before and after."""
    client = await apart.temporal.client()
    yield client
    try:
        await client.get_schedule_handle(names.UPKEEP_SCHEDULE).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def described(client: Client) -> ScheduleDescription:
    return await client.get_schedule_handle(names.UPKEEP_SCHEDULE).describe()


async def passes(client: Client) -> list[WorkflowExecution]:
    """Passes the schedule began, that are over."""
    query = f"TemporalScheduledById = '{names.UPKEEP_SCHEDULE}' AND ExecutionStatus = 'Completed'"
    return [execution async for execution in client.list_workflows(query)]


async def test_workers_that_start_at_once_make_one_schedule(client: Client) -> None:
    assert sorted(await asyncio.gather(*(ensure_upkeep(client, RARELY) for _ in range(4)))) == [False] * 3 + [True]
    made = (await described(client)).schedule
    assert isinstance(made.action, ScheduleActionStartWorkflow)
    assert (made.action.workflow, made.action.task_queue) == (names.UPKEEP_WORKFLOW, names.TASK_QUEUE)
    assert [interval.every for interval in made.spec.intervals] == [RARELY]
    assert made.policy.overlap == ScheduleOverlapPolicy.SKIP
    assert made.policy.catchup_window == timedelta(seconds=10)


async def test_a_schedule_that_is_as_it_should_be_is_not_touched(client: Client) -> None:
    await ensure_upkeep(client, RARELY)
    await ensure_upkeep(client, RARELY)
    assert (await described(client)).info.last_updated_at is None


async def test_another_interval_is_taken_up_and_a_pause_stays(client: Client) -> None:
    await ensure_upkeep(client, RARELY)
    handle = client.get_schedule_handle(names.UPKEEP_SCHEDULE)
    await handle.pause(note="the database moves")
    assert await ensure_upkeep(client, timedelta(hours=2)) is False
    there = (await described(client)).schedule
    assert [interval.every for interval in there.spec.intervals] == [timedelta(hours=2)]
    assert (there.state.paused, there.state.note) == (True, "the database moves")
    await run_upkeep_now(client)
    assert (await described(client)).info.num_actions == 0


async def test_a_worker_that_starts_repairs_at_once(client: Client, tended: Engine, deaf: Deaf) -> None:
    run = await deaf.start(tended, QUICK)
    settings = tended.platform.settings.model_copy(update={"upkeep_interval_seconds": 3600})
    await schedule_upkeep(client, settings)

    async def started() -> bool:
        return (await tended.row(run)).status != "pending"

    await eventually(started)
    assert (await tended.end(run)).run.status == "completed"


async def test_passes_follow_each_other_by_themselves_and_go_on_from_the_last(client: Client, tending: Worker) -> None:
    await ensure_upkeep(client, timedelta(seconds=1))

    async def two() -> list[WorkflowExecution] | None:
        found = await passes(client)
        return found if len(found) >= 2 else None

    found = await eventually(two)
    assert found is not None
    reports = {}
    for execution in found:
        handle: Any = client.get_workflow_handle(execution.id, run_id=execution.run_id, result_type=UpkeepReport)
        reports[execution.start_time] = (await handle.result()).closed.since
    in_order = [reports[start] for start in sorted(reports)]
    assert in_order == sorted(set(in_order)), "each pass goes on where the one before it ended"


async def test_a_temporal_that_refuses_schedules_is_said_and_taken(
    client: Client, apart: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise RPCError("not yours to do", RPCStatusCode.PERMISSION_DENIED, b"")

    monkeypatch.setattr(Client, "create_schedule", refuse)
    with caplog.at_level(logging.ERROR):
        await asyncio.wait_for(schedule_upkeep(client, apart.settings), 10)
    assert "not yours to do" in caplog.text
    assert names.UPKEEP_SCHEDULE in caplog.text


async def test_a_temporal_that_is_away_is_tried_again(
    client: Client, apart: Platform, tending: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, tried = schedule.ensure_upkeep, 0

    async def ensured(client: Client, every: timedelta) -> bool:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        return await there(client, every)

    monkeypatch.setattr(worker_upkeep, "ensure_upkeep", ensured)
    monkeypatch.setattr(worker_upkeep, "FIRST_PAUSE", 0.01)
    await schedule_upkeep(client, apart.settings.model_copy(update={"upkeep_interval_seconds": 3600}))
    assert tried == 2
    assert (await described(client)).id == names.UPKEEP_SCHEDULE
