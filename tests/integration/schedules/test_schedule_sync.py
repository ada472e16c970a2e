"""Temporal's schedules follow what is published: at once, or when upkeep finds what it was away for."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, update
from temporalio.client import (
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from app.db.models import Schedule
from app.embedded.ports import free_port
from app.json import JsonObject
from app.services import scheduled, schedules, scheduling, upkeep, workflows
from app.services.errors import Conflict, Unavailable
from app.services.platform import Platform
from app.settings import Settings
from app.temporal import names, run_schedules
from app.temporal.connect import TemporalConnection
from app.temporal.scheduled_messages import BeginScheduled
from app.temporal.upkeep import Duty
from tests.conftest import TestWorkspace
from tests.support.engine import Engine
from tests.support.schedules import daily, only, rows, there


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace) -> Engine:
    """No worker is needed: nothing here is begun."""
    return Engine(platform, workspace.id)


@pytest.fixture
def away(engine: Engine) -> Engine:
    """The same workspace in a process that cannot reach Temporal."""
    nowhere = TemporalConnection(Settings(temporal_address=f"127.0.0.1:{free_port()}"))
    return replace(engine, platform=replace(engine.platform, temporal=nowhere))


async def tended(engine: Engine) -> bool:
    """Upkeep comes by much later; whether it found something to do."""
    long_ago = func.now() - timedelta(hours=1)
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(update(Schedule).values(updated_at=long_ago, checked_at=long_ago))
    found = Duty.SCHEDULES in await upkeep._needs(engine.platform, engine.workspace_id)
    report = await upkeep.tend(engine.platform, Duty.SCHEDULES, [str(engine.workspace_id)])
    assert not report.trouble
    return found


async def put(engine: Engine, workflow_id: object, definition: JsonObject) -> None:
    """Change the draft and publish it."""
    platform, workspace_id = engine.platform, engine.workspace_id
    await workflows.pause(platform, workspace_id, workflow_id)  # type: ignore[arg-type]
    await workflows.update(platform, workspace_id, workflow_id, {"definition": definition})  # type: ignore[arg-type]
    await workflows.publish(platform, workspace_id, workflow_id, published_by="test")  # type: ignore[arg-type]


async def test_publishing_makes_the_schedule_with_all_it_says(engine: Engine) -> None:
    workflow_id = await engine.publish(
        daily(timezone="Asia/Kolkata", jitter="5m", overlap="buffer_one", catch_up="3h"), name="Price  list"
    )
    row = await only(engine, workflow_id)
    found = await there(engine, row)
    assert found is not None
    action, policy, spec = found.schedule.action, found.schedule.policy, found.schedule.spec
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.workflow, action.task_queue) == (names.SCHEDULED_WORKFLOW, names.TASK_QUEUE)
    assert action.typed_search_attributes.get(names.WORKFLOW) == str(workflow_id)
    assert action.typed_search_attributes.get(names.WORKSPACE) == str(engine.workspace_id)
    assert (policy.overlap, policy.catchup_window) == (ScheduleOverlapPolicy.BUFFER_ONE, timedelta(hours=3))
    assert (spec.time_zone_name, spec.jitter) == ("Asia/Kolkata", timedelta(minutes=5))
    assert found.schedule.state.note == "holdfast: as published"
    assert row.synced == row.revision


async def test_pause_activate_archive_and_delete_are_followed(engine: Engine) -> None:
    platform, workspace_id = engine.platform, engine.workspace_id
    workflow_id = await engine.publish(daily())
    row = await only(engine, workflow_id)

    async def paused() -> bool | None:
        found = await there(engine, row)
        return None if found is None else found.schedule.state.paused

    assert await paused() is False
    await workflows.pause(platform, workspace_id, workflow_id)
    assert await paused() is True
    view = await schedules.get(platform, workspace_id, row.id)
    assert (scheduling.state_of(view.row), schedules.next_runs(view)) == ((True, "its workflow is paused"), [])
    await workflows.activate(platform, workspace_id, workflow_id)
    assert await paused() is False
    await workflows.archive(platform, workspace_id, workflow_id)
    assert await paused() is None
    assert await rows(engine, workflow_id) == []
    await workflows.activate(platform, workspace_id, workflow_id)
    row = await only(engine, workflow_id)
    assert await paused() is False
    await workflows.delete(platform, workspace_id, workflow_id)
    assert await paused() is None


async def test_a_schedule_keeps_its_id_and_its_pause_through_versions(engine: Engine) -> None:
    two = [{"type": "schedule", "cron": "0 9 * * *"}, {"type": "schedule", "every": "1h"}]
    definition = {"triggers": [{"type": "manual"}, *two], "steps": daily()["steps"]}
    workflow_id = await engine.publish(definition)
    nine, hourly = await rows(engine, workflow_id)
    assert (nine.position, hourly.position) == (1, 2)
    await schedules.pause(engine.platform, engine.workspace_id, hourly.id, reason="audit", by="Ada")
    ten = {"type": "schedule", "cron": "0 10 * * *"}
    await put(engine, workflow_id, {**definition, "triggers": [two[1], ten]})
    first, second = await rows(engine, workflow_id)
    assert (first.id, first.status, first.paused_reason, second.id) == (hourly.id, "paused", "audit", nine.id)
    assert second.trigger["cron"] == "0 10 * * *"
    found = await there(engine, second)
    assert found is not None
    assert [each.hour[0].start for each in found.schedule.spec.calendars] == [10]
    await put(engine, workflow_id, {**definition, "triggers": [two[1]]})
    assert [row.id for row in await rows(engine, workflow_id)] == [hourly.id]
    assert await there(engine, nine) is None
    copy = await workflows.duplicate(engine.platform, engine.workspace_id, workflow_id)
    assert await rows(engine, copy.id) == []


async def test_what_temporal_was_away_for_is_repaired(engine: Engine, away: Engine) -> None:
    workflow_id = await away.publish(daily())
    row = await only(engine, workflow_id)
    assert (row.synced, await there(engine, row)) == (None, None)
    assert row.sync_error
    with pytest.raises(Unavailable, match="nothing was started") as unavailable:
        await schedules.trigger_now(away.platform, away.workspace_id, row.id)
    assert row.sync_error[:30] in unavailable.value.detail, "a refusal is not told as an outage"
    view = await schedules.get(away.platform, away.workspace_id, row.id)
    assert (schedules.next_runs(view), view.note is not None) == (None, True)
    assert await tended(engine)
    assert await there(engine, row) is not None
    await workflows.pause(away.platform, away.workspace_id, workflow_id)
    assert not (await there(engine, row)).schedule.state.paused  # type: ignore[union-attr]
    assert await tended(engine)
    assert (await there(engine, row)).schedule.state.paused  # type: ignore[union-attr]
    await workflows.delete(away.platform, away.workspace_id, workflow_id)
    assert await there(engine, row) is not None
    assert await tended(engine)
    assert await there(engine, row) is None
    assert not await tended(engine), "the row is gone with it"


async def test_a_schedule_that_is_lost_or_edited_in_temporal_is_repaired(engine: Engine) -> None:
    row = await only(engine, await engine.publish(daily(timezone="Europe/Vienna")))
    client = await engine.platform.temporal.client()
    handle = client.get_schedule_handle(names.schedule_id(str(row.id)))
    assert await tended(engine)
    assert (await handle.describe()).info.last_updated_at is None, "what is as it should be is not touched"
    await handle.delete()
    with pytest.raises(Unavailable, match="it is made again"):
        await schedules.trigger_now(engine.platform, engine.workspace_id, row.id)
    assert await tended(engine)
    assert await there(engine, row) is not None

    def hourly(found: ScheduleUpdateInput) -> ScheduleUpdate:
        found.description.schedule.spec.calendars = []
        found.description.schedule.spec.intervals = [ScheduleIntervalSpec(every=timedelta(hours=1))]
        return ScheduleUpdate(found.description.schedule)

    await handle.update(hourly)
    assert await tended(engine)
    assert [one.hour[0].start for one in (await handle.describe()).schedule.spec.calendars] == [9]
    await handle.pause(note="the shop moves")
    assert await tended(engine)
    assert (await handle.describe()).schedule.state.paused, "somebody's own pause stays"
    [view] = (await schedules.list_(engine.platform, engine.workspace_id, status="paused")).items
    assert scheduling.state_of(view.row) == (True, "paused in Temporal: the shop moves")
    resumed = await schedules.resume(engine.platform, engine.workspace_id, row.id)
    assert scheduling.state_of(resumed.row) == (False, None)
    assert not (await handle.describe()).schedule.state.paused
    await schedules.pause(engine.platform, engine.workspace_id, row.id, reason=None, by="Ada")
    await handle.unpause()
    assert await tended(engine)
    assert (await handle.describe()).schedule.state.paused, "our own pause is made again"


async def test_a_pause_in_temporal_outlives_a_pause_of_the_workflow_and_of_the_schedule(engine: Engine) -> None:
    platform, workspace_id = engine.platform, engine.workspace_id
    workflow_id = await engine.publish(daily())
    row = await only(engine, workflow_id)
    client = await platform.temporal.client()
    handle = client.get_schedule_handle(names.schedule_id(str(row.id)))
    # Nobody looked at it since.
    await handle.pause(note="the shop moves")
    await put(engine, workflow_id, daily(timezone="Europe/Vienna"))
    found = await handle.describe()
    assert (found.schedule.state.paused, found.schedule.spec.time_zone_name) == (True, "Europe/Vienna")
    assert scheduling.state_of(await only(engine, workflow_id)) == (True, "paused in Temporal: the shop moves")
    await schedules.pause(platform, workspace_id, row.id, reason="audit", by="Ada")
    assert scheduling.state_of(await only(engine, workflow_id)) == (True, "audit")
    assert await tended(engine)
    assert (await handle.describe()).schedule.state.note == "the shop moves"
    await schedules.resume(platform, workspace_id, row.id)
    assert not (await handle.describe()).schedule.state.paused


async def test_a_zone_that_is_gone_is_said_and_stands_in_nobodys_way(engine: Engine) -> None:
    platform, workspace_id = engine.platform, engine.workspace_id
    workflow_id, other_id = await engine.publish(daily(), name="Lost"), await engine.publish(daily(), name="Other")
    row, other = await only(engine, workflow_id), await only(engine, other_id)
    async with platform.database.transaction(workspace_id) as session:
        gone = {**row.trigger, "timezone": "US/Atlantis"}
        await session.execute(update(Schedule).where(Schedule.id == row.id).values(trigger=gone))
    client = await platform.temporal.client()
    await client.get_schedule_handle(names.schedule_id(str(other.id))).delete()
    assert await tended(engine), "without trouble"
    assert await there(engine, other) is not None
    assert "US/Atlantis" in ((await only(engine, workflow_id)).sync_error or "")
    view = await schedules.get(platform, workspace_id, row.id)
    assert (schedules.next_runs(view), "US/Atlantis" in (view.note or "")) == (None, True)
    with pytest.raises(Conflict, match="US/Atlantis") as refused:
        await schedules.trigger_now(platform, workspace_id, row.id)
    assert refused.value.code == "schedule_unreadable"
    asked = BeginScheduled(
        workspace_id=str(workspace_id), schedule_id=str(row.id), scheduled_for="2026-01-05T09:00:00Z", waiting="nobody"
    )
    assert "US/Atlantis" in ((await scheduled.begin(platform, asked)).skipped or "")
    assert (await only(engine, workflow_id)).consecutive_failures == 1
    await workflows.update(platform, workspace_id, workflow_id, {"name": "Found"})
    await workflows.pause(platform, workspace_id, workflow_id)
    await workflows.activate(platform, workspace_id, workflow_id)
    assert (await schedules.get(platform, workspace_id, row.id)).row.trigger["timezone"] == "UTC"
    assert await there(engine, row) is not None


async def test_a_moment_after_a_pause_that_temporal_was_away_for_starts_nothing(engine: Engine, away: Engine) -> None:
    row = await only(engine, await engine.publish(daily(every="1h")))
    await schedules.pause(away.platform, away.workspace_id, row.id, reason=None, by="Ada")
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    asked = BeginScheduled(
        workspace_id=str(engine.workspace_id),
        schedule_id=str(row.id),
        scheduled_for=hour.isoformat().replace("+00:00", "Z"),
        waiting="nobody",
    )
    assert "is paused" in ((await scheduled.begin(engine.platform, asked)).skipped or "")
    # What was to begin before the pause, and what a person asks for, does.
    before = replace(asked, scheduled_for=(hour - timedelta(hours=5)).isoformat().replace("+00:00", "Z"))
    assert (await scheduled.begin(engine.platform, before)).run_id is not None
    by_hand = replace(asked, scheduled_for=(hour + timedelta(seconds=7)).isoformat().replace("+00:00", "Z"))
    assert (await scheduled.begin(engine.platform, by_hand)).run_id is not None


async def test_many_who_change_a_schedule_at_once_end_with_what_was_last(engine: Engine) -> None:
    workflow_id = await engine.publish(daily())
    row = await only(engine, workflow_id)
    platform, workspace_id = engine.platform, engine.workspace_id
    for _ in range(3):
        await asyncio.gather(
            workflows.pause(platform, workspace_id, workflow_id),
            workflows.activate(platform, workspace_id, workflow_id),
            workflows.pause(platform, workspace_id, workflow_id),
            return_exceptions=True,
        )
        found, now = await there(engine, row), await only(engine, workflow_id)
        assert found is not None
        assert (now.synced, found.schedule.state.paused) == (now.revision, not now.live)
    await asyncio.gather(
        workflows.archive(platform, workspace_id, workflow_id),
        *(scheduling.sync(platform, workspace_id, row.id) for _ in range(3)),
    )
    assert await there(engine, row) is None


async def test_another_workspace_neither_sees_nor_keeps_it(engine: Engine) -> None:
    row = await only(engine, await engine.publish(daily()))
    other = replace(engine, workspace_id=row.id)
    assert await rows(other, row.workflow_id) == []
    assert (await schedules.list_(engine.platform, row.id)).items == []


async def test_a_new_name_is_shown_in_temporal(engine: Engine) -> None:
    workflow_id = await engine.publish(daily(), name="Old")
    await workflows.update(engine.platform, engine.workspace_id, workflow_id, {"name": "New"})
    row = await only(engine, workflow_id)
    found = await there(engine, row)
    assert found is not None
    assert row.workflow_name == "New"
    assert isinstance(found.schedule.action, ScheduleActionStartWorkflow)
    assert "New" in str(found.schedule.action.static_summary)
    assert run_schedules.is_as_wanted(found, scheduling.wanted_of(row), row.created_at)
