"""Runs of schedules: a moment becomes one run, which counts as under way till its end, and ends are counted once."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.db.models import Run, Schedule
from app.services import runs, scheduled, schedules, scheduling, workflows
from app.services.errors import Conflict, Invalid
from app.temporal import names, run_schedules
from app.temporal.scheduled_messages import BeginScheduled
from tests.support.engine import Engine
from tests.support.schedules import FAILS, WAITS, daily, now, only, there, until, utc
from tests.support.waiting import eventually

MINUTE = timedelta(minutes=1)


async def test_a_moment_becomes_a_run_that_knows_it(engine: Engine) -> None:
    workflow_id = await engine.publish(daily(timezone="Europe/Vienna"), name="Prices")
    row = await only(engine, workflow_id)
    begun = await now(engine, row)
    finished = await engine.end(begun)
    assert finished.run.trigger_type == "schedule"
    data = finished.run.input
    assert set(data) == {"scheduled_for", "schedule_id", "timezone", "local_time"}
    assert datetime.fromisoformat(data["scheduled_for"]) == datetime.fromisoformat(data["local_time"])
    assert abs(datetime.fromisoformat(data["scheduled_for"]) - datetime.now(UTC)) < MINUTE
    row = await until(engine, workflow_id, last_status="completed")
    assert (row.last_run_id, row.consecutive_failures) == (finished.run.id, 0)
    view = await schedules.get(engine.platform, engine.workspace_id, row.id)
    next_runs = schedules.next_runs(view)
    assert next_runs is not None
    assert (view.running, len(next_runs)) == (0, 10)
    assert {moment.hour for moment in next_runs} == {8}, "nine in Vienna, in winter"


async def test_two_triggers_at_once_are_two_runs(engine: Engine) -> None:
    row = await only(engine, await engine.publish(daily()))
    first, second, third = await asyncio.gather(*(now(engine, row) for _ in range(3)))
    assert len({first.id, second.id, third.id}) == 3


async def test_a_request_that_temporal_forgot_is_made_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "FIRST_SECONDS", 0.05)
    row = await only(engine, await engine.publish(daily()))
    asked, real = 0, run_schedules.trigger

    async def forgetful(*arguments: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > 2:
            await real(*arguments)

    monkeypatch.setattr(run_schedules, "trigger", forgetful)
    begun = await now(engine, row)
    assert (await engine.end(begun)).run.status == "completed"
    assert asked > 2


async def test_failures_in_a_row_pause_the_schedule_and_say_so(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    workflow_id = await engine.publish(daily(FAILS, max_failures=2))
    row = await only(engine, workflow_id)
    await now(engine, row)
    await until(engine, workflow_id, consecutive_failures=1, status="active")
    with caplog.at_level(logging.WARNING):
        last = await now(engine, row)
        row = await until(engine, workflow_id, consecutive_failures=2, status="paused")
    assert row.paused_reason is not None
    assert row.paused_reason == f"2 runs in a row failed, the last one (run {last.id}) with: the price list is gone"
    assert row.paused_reason in caplog.text

    async def paused() -> bool:
        found = await there(engine, row)
        assert found is not None
        return found.schedule.state.paused and "2 runs in a row" in (found.schedule.state.note or "")

    await eventually(paused)
    assert (await workflows.get(engine.platform, engine.workspace_id, workflow_id)).status == "active"
    await workflows.activate(engine.platform, engine.workspace_id, workflow_id)
    row = await only(engine, workflow_id)
    assert (row.status, row.consecutive_failures, row.paused_reason) == ("active", 0, None)
    assert not (await there(engine, row)).schedule.state.paused  # type: ignore[union-attr]


async def test_a_completed_run_ends_the_row_of_failures_and_a_cancelled_one_does_not_count(engine: Engine) -> None:
    workflow_id = await engine.publish(daily(WAITS))
    row = await only(engine, workflow_id)
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(update(Schedule).where(Schedule.id == row.id).values(consecutive_failures=3))
    run = await now(engine, row)
    await engine.at(run, "note")
    await engine.cancel(run)
    assert (await until(engine, workflow_id, last_status="cancelled")).consecutive_failures == 3
    run = await now(engine, row)
    await engine.at(run, "note")
    await engine.send("shop.prices.updated")
    assert (await until(engine, workflow_id, last_status="completed")).consecutive_failures == 0


async def test_a_run_is_under_way_for_overlap_until_it_has_ended(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await engine.publish(daily(WAITS))
    row = await only(engine, workflow_id)
    run = await now(engine, row, overlap="skip")
    await engine.at(run, "note")
    with monkeypatch.context() as patch:
        patch.setattr(schedules, "BEGIN_SECONDS", 1.0)
        left_out = await schedules.trigger_now(engine.platform, engine.workspace_id, row.id, overlap="skip")
    assert left_out.run is None
    view = await schedules.get(engine.platform, engine.workspace_id, row.id)
    assert view.told is not None
    assert (view.running, view.told.skipped, len(view.told.running)) == (1, 1, 1)
    await engine.send("shop.prices.updated")
    await until(engine, workflow_id, last_status="completed")

    async def nobody() -> bool:
        found = await there(engine, row)
        return found is not None and not found.info.running_actions

    await eventually(nobody)
    await engine.at(await now(engine, row, overlap="skip"), "note")


async def test_a_start_by_hand_keeps_to_the_overlap_of_the_schedule(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await engine.publish(daily(WAITS))
    row = await only(engine, workflow_id)
    await engine.at(await now(engine, row, overlap=None), "note")
    with monkeypatch.context() as patch:
        patch.setattr(schedules, "BEGIN_SECONDS", 1.5)
        left_out = await schedules.trigger_now(engine.platform, engine.workspace_id, row.id)
    assert left_out.run is None
    view = await schedules.get(engine.platform, engine.workspace_id, row.id)
    assert view.told is not None
    assert (view.running, view.told.skipped, view.last_status) == (1, 1, "waiting")
    beside = await schedules.trigger_now(engine.platform, engine.workspace_id, row.id, overlap="allow_all")
    assert beside.run is not None


async def test_a_period_is_filled_in_once(engine: Engine) -> None:
    workflow_id = await engine.publish(daily(jitter="20m"))
    row = await only(engine, workflow_id)
    period = {"start": utc("2026-01-05T00:00"), "end": utc("2026-01-08T09:00")}
    again = {"workspace_id": engine.workspace_id, "schedule_id": row.id, **period}
    assert await schedules.backfill(engine.platform, overlap="allow_all", **again) == 4  # type: ignore[arg-type]

    async def ran() -> list[str] | None:
        page = await runs.list_(engine.platform, engine.workspace_id, runs.RunFilter(workflow_id=workflow_id))
        done = [run for run in page.items if run.status == "completed"]
        return sorted(run.input["scheduled_for"] for run in done) if len(done) >= 4 else None

    days = [f"2026-01-0{day}T09:00:00Z" for day in (5, 6, 7, 8)]
    assert await eventually(ran) == days
    client = await engine.platform.temporal.client()

    async def over(count: int) -> None:
        """So many starts of the schedule have ended in Temporal."""
        query = f"TemporalScheduledById = '{names.schedule_id(str(row.id))}' AND ExecutionStatus = 'Completed'"

        async def counted() -> bool:
            return (await client.count_workflows(query)).count == count

        await eventually(counted, what=f"{count} starts have ended")

    await over(4)
    assert await schedules.backfill(engine.platform, overlap="buffer_all", **again) == 4  # type: ignore[arg-type]
    await over(8)
    assert await ran() == days


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-01-05", "2026-01-04", "ends before it begins"),
        ("2026-01-05", "2099-01-01", "in the future"),
        ("2000-01-01", "2026-01-01", "begin with those up to 2002-09-26T09:00:00Z"),
    ],
)
async def test_a_period_that_cannot_be_filled_in(engine: Engine, start: str, end: str, said: str) -> None:
    row = await only(engine, await engine.publish(daily()))
    with pytest.raises(Invalid, match=said) as refused:
        await schedules.backfill(
            engine.platform, engine.workspace_id, row.id, start=utc(start), end=utc(end), overlap="allow_all"
        )
    assert refused.value.code == "invalid_backfill"


async def test_where_clocks_are_moved_a_start_too_many_is_none(engine: Engine) -> None:
    workflow_id = await engine.publish(daily(cron="45 1 * * *", timezone="Europe/Vienna"))
    row = await only(engine, workflow_id)

    async def begin(moment: str) -> str | None:
        asked = BeginScheduled(
            workspace_id=str(engine.workspace_id), schedule_id=str(row.id), scheduled_for=moment, waiting="nobody"
        )
        return (await scheduled.begin(engine.platform, asked)).run_id

    assert await begin("2026-10-25T00:45:00+00:00") is None, "02:45 in Vienna: Temporal would start it all the same"
    first = await begin("2026-10-24T23:45:00+00:00")
    assert first is not None
    assert await begin("2026-10-24T23:45:00+00:00") == first, "a moment has one run"


async def test_an_end_that_nobody_told_is_counted_by_upkeep(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(*_: object) -> None: ...

    monkeypatch.setattr("app.services.records.tell_schedule", deaf)
    monkeypatch.setattr(scheduled, "UNTOLD_FOR", timedelta(0))
    workflow_id = await engine.publish(daily(WAITS, {**FAILS, "id": "end"}))
    row = await only(engine, workflow_id)

    async def failed() -> Run:
        """A run that failed after its schedule had heard of its beginning: of one that is over by then it hears all."""
        run = await now(engine, row)
        await until(engine, workflow_id, last_run_id=run.id)
        await engine.at(run, "note")
        await engine.send("shop.prices.updated")
        return (await engine.end(run)).run

    assert (await failed()).told_workflow is not None
    assert await scheduled.tell_pending(engine.platform, engine.workspace_id, 10) == 1
    await until(engine, workflow_id, consecutive_failures=1)
    # Its Temporal workflow was ended by somebody: the end is counted all the same, and once.
    run = await failed()
    client = await engine.platform.temporal.client()
    assert run.told_workflow is not None
    await client.get_workflow_handle(run.told_workflow).terminate()
    assert await scheduled.tell_pending(engine.platform, engine.workspace_id, 10) == 1
    assert (await only(engine, workflow_id)).consecutive_failures == 2
    assert await scheduled.settle(engine.platform, engine.workspace_id, row.id, run.id) == "failed"
    assert await scheduled.tell_pending(engine.platform, engine.workspace_id, 10) == 0
    assert (await only(engine, workflow_id)).consecutive_failures == 2


async def test_a_refusal_by_limits_is_a_run_that_never_began(engine: Engine) -> None:
    definition = {
        **daily(WAITS),
        "settings": {"concurrency": {"limit": 1, "excess": "reject"}},
    }
    workflow_id = await engine.publish(definition)
    row = await only(engine, workflow_id)
    await engine.at(await now(engine, row), "note")
    refused = await now(engine, row)
    assert (refused.status, (refused.error or {})["type"]) == ("cancelled", "limit_reached")
    assert (await until(engine, workflow_id, last_status="cancelled")).consecutive_failures == 0


async def test_a_delayed_run_counts_as_under_way(engine: Engine) -> None:
    definition = {**daily(WAITS), "settings": {"concurrency": {"limit": 1}}}
    workflow_id = await engine.publish(definition)
    row = await only(engine, workflow_id)
    await engine.at(await engine.start(workflow_id), "note")
    waiting = await now(engine, row, overlap="skip")
    assert (waiting.status, waiting.queue) == ("pending", "concurrency")
    view = await schedules.get(engine.platform, engine.workspace_id, row.id)
    assert view.told is not None
    assert (view.running, len(view.told.running)) == (1, 1)
    await engine.cancel(waiting)
    await until(engine, workflow_id, last_status="cancelled")


async def test_a_workflow_that_is_paused_starts_nothing(engine: Engine) -> None:
    workflow_id = await engine.publish(daily())
    row = await only(engine, workflow_id)
    await workflows.pause(engine.platform, engine.workspace_id, workflow_id)
    with pytest.raises(Conflict, match="activate it first"):
        await schedules.trigger_now(engine.platform, engine.workspace_id, row.id)
    # A start that was on its way when it was paused.
    asked = BeginScheduled(
        workspace_id=str(engine.workspace_id),
        schedule_id=str(row.id),
        scheduled_for="2026-01-05T09:00:00Z",
        waiting="nobody",
    )
    assert "paused" in ((await scheduled.begin(engine.platform, asked)).skipped or "")


async def test_a_start_of_a_schedule_that_is_gone_removes_it_from_temporal(engine: Engine) -> None:
    workflow_id = await engine.publish(daily())
    row = await only(engine, workflow_id)
    await workflows.delete(engine.platform, engine.workspace_id, workflow_id)
    client = await engine.platform.temporal.client()
    assert await run_schedules.create(client, scheduling.wanted_of(row), datetime.now(UTC)), "as one who came too late"
    await run_schedules.trigger(client, str(row.id), utc("2026-01-05T09:00"), "allow_all")

    async def gone() -> bool:
        return await there(engine, row) is None

    await eventually(gone)


async def test_a_schedule_starts_runs_by_itself(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.definition.checks.triggers.schedule.SHORTEST", timedelta(seconds=2))
    workflow_id = await engine.publish(daily(every="2s"))
    row = await until(engine, workflow_id, last_status="completed")
    assert row.last_scheduled_for is not None
    assert row.last_scheduled_for.second % 2 == 0
    await workflows.archive(engine.platform, engine.workspace_id, workflow_id)
