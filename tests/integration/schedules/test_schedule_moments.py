"""The moments computed here are those Temporal starts something at, where clocks are moved as well.

Temporal's server is asked itself. What it names beyond what it was told lies where clocks are moved, and is recognised
when it starts (`Timetable.has`).
"""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import Client

from app.definition.timetable import changes, near_change, timetable
from app.definition.triggers import ScheduleTrigger
from app.services.platform import Platform
from app.temporal import names, run_schedules
from app.temporal.run_schedules import Wanted

NOW = datetime.now(UTC)
DAYS = timedelta(days=2)
LINES = ["30 2 * * *", "45 1 * * *", "15 * * * *", "0 */2 * * *", "*/20 * * * sun", ["30 0 * * *", "15 2 * * sun"]]


@pytest.fixture
async def client(platform: Platform) -> Client:
    return await platform.temporal.client()


def wanted(trigger: ScheduleTrigger) -> Wanted:
    return Wanted(
        workspace_id=str(uuid4()),
        schedule_id=str(uuid4()),
        workflow_id=str(uuid4()),
        workflow_name="Test",
        trigger=trigger,
        paused=True,
        note="asked for its moments",
    )


async def moments(client: Client, schedule_id: str, start: datetime, end: datetime) -> set[datetime]:
    """When Temporal would act: between the two, both left out."""
    first, last = Timestamp(), Timestamp()
    first.FromDatetime(start)
    last.FromDatetime(end)
    request = ListScheduleMatchingTimesRequest(
        namespace=client.namespace,
        schedule_id=names.schedule_id(schedule_id),
        start_time=first,
        end_time=last,
    )
    answer = await client.workflow_service.list_schedule_matching_times(request)
    return {moment.ToDatetime(tzinfo=UTC) for moment in answer.start_time} - {start, end}


@pytest.mark.parametrize(
    "zone",
    ["Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Kolkata"],
)
async def test_temporal_acts_at_the_moments_of_the_timetable(client: Client, zone: str) -> None:
    for line in LINES:
        schedule = wanted(ScheduleTrigger(type="schedule", cron=line, timezone=zone))
        table = timetable(schedule.trigger)
        assert await run_schedules.create(client, schedule, NOW)
        try:
            for moved in changes(table.zone, NOW - timedelta(days=390), NOW + timedelta(days=390)) or [NOW]:
                start, end = moved - DAYS, moved + DAYS
                there = await moments(client, schedule.schedule_id, start, end)
                ours = set(table.within(start, end, 10_000)) - {start, end}
                assert ours <= there, (line, moved)
                assert all(near_change(table.zone, one) for one in there - ours), (line, moved)
        finally:
            await run_schedules.delete(client, schedule.schedule_id)


@pytest.mark.parametrize(
    "trigger",
    [
        {"cron": ["0 9 * * mon#2", "0 0 13 * fri"], "timezone": "Asia/Tokyo"},
        {"cron": "5-15/5,40 8,18 1,15 * mon-fri", "timezone": "UTC"},
        {"cron": "0 12 */9 feb,mar sun", "timezone": "Asia/Kolkata"},
        {"cron": "@yearly"},
        {"every": "7h"},
    ],
)
async def test_days_and_intervals_mean_the_same_to_temporal(client: Client, trigger: dict[str, object]) -> None:
    schedule = wanted(ScheduleTrigger.model_validate({"type": "schedule", **trigger}))
    table = timetable(schedule.trigger)
    assert await run_schedules.create(client, schedule, NOW)
    start, end = NOW, NOW + timedelta(days=120)
    there = await moments(client, schedule.schedule_id, start, end)
    await run_schedules.delete(client, schedule.schedule_id)
    assert there == set(table.within(start, end, 10_000)), "to the second"
