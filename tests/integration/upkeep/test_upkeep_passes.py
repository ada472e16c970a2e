"""A pass of upkeep end to end: each duty once, bounded, safe to do twice, one workspace's trouble its own."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.common import RetryPolicy

from app.db.models import Event, Run
from app.services import events, reconciling, upkeep
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from app.temporal import names
from app.temporal.upkeep import Closed, ClosedCursor, UpkeepReport
from tests.integration.services.building import a_run, an_event
from tests.integration.upkeep.conftest import Deaf
from tests.support.engine import Engine, Handle
from tests.support.waiting import eventually
from workflows import upkeep as workflow_module

QUICK = {"steps": [{"id": "hello", "type": "transform", "mapping": {"a": 1}}]}
WAIT = {"steps": [{"id": "paid", "type": "wait_for_event", "event": "shop.order.paid"}]}
ONCE = RetryPolicy(maximum_attempts=1)
ON_EVENT = {**QUICK, "trigger": {"type": "event", "event": "shop.order.paid"}}


async def a_pass(platform: Platform) -> tuple[UpkeepReport, Handle]:
    """One pass, as the schedule begins it."""
    client = await platform.temporal.client()
    handle = await client.start_workflow(
        names.UPKEEP_WORKFLOW, id=f"upkeep-{uuid4()}", task_queue=names.TASK_QUEUE, result_type=UpkeepReport
    )
    return await handle.result(), handle


def counts(report: UpkeepReport) -> dict[str, int]:
    """What was done; what was only looked at aside."""
    names = ("events_dispatched", "runs_started", "runs_ended", "runs_purged", "events_purged", "troubles")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


async def test_a_run_whose_start_was_lost_is_started(tended: Engine, deaf: Deaf) -> None:
    run = await deaf.start(tended, QUICK)
    report, _ = await a_pass(tended.platform)
    assert counts(report) == {"runs_started": 1}
    assert (await tended.end(run)).run.status == "completed"
    again, _ = await a_pass(tended.platform)
    assert counts(again) == {}


async def test_an_event_whose_dispatch_was_lost_starts_and_wakes_once(tended: Engine, deaf: Deaf) -> None:
    waiting = await tended.start(WAIT)
    await tended.at(waiting, "paid")
    await tended.publish(ON_EVENT)
    assert len(await deaf.send(tended, "shop.order.paid")) == 1
    report, _ = await a_pass(tended.platform)
    assert counts(report) == {"events_dispatched": 1, "runs_started": 1}
    assert (await tended.end(waiting)).run.status == "completed"
    again, _ = await a_pass(tended.platform)
    assert counts(again) == {}
    async with tended.platform.database.transaction(tended.workspace_id) as session:
        event = (await session.scalars(select(Event))).one()
        assert (len(event.started), event.woke) == (1, [str(waiting.id)])
        assert len(list(await session.scalars(select(Run.id)))) == 2


async def test_a_run_terminated_from_outside_is_ended_by_the_next_pass(tended: Engine) -> None:
    run = await tended.start(WAIT)
    await tended.at(run, "paid")
    await (await tended.handle(run)).terminate(reason="made by mistake")

    async def ended() -> bool:
        report, _ = await a_pass(tended.platform)
        assert counts(report) in ({}, {"runs_ended": 1})
        return report.runs_ended == 1

    await eventually(ended, what="visibility lists it")
    assert (await tended.row(run)).status == "cancelled"
    again, _ = await a_pass(tended.platform)
    assert counts(again) == {}


async def test_a_run_that_is_lost_is_found_by_asking(tended: Engine) -> None:
    await a_run(tended.platform, tended.workspace_id, created_at=func.now() - reconciling.CHECK_AFTER)
    report, _ = await a_pass(tended.platform)
    assert (report.runs_checked, counts(report)) == (1, {"runs_ended": 1})


async def test_what_is_kept_no_longer_is_purged(tended: Engine) -> None:
    long_ago = func.now() - timedelta(days=91)
    await a_run(tended.platform, tended.workspace_id, status="completed", finished_at=long_ago)
    await a_run(tended.platform, tended.workspace_id, status="completed", finished_at=func.now())
    await an_event(tended.platform, tended.workspace_id, "t", received_at=long_ago, dispatched_at=long_ago)
    report, _ = await a_pass(tended.platform)
    assert counts(report) == {"runs_purged": 1, "events_purged": 1}
    again, _ = await a_pass(tended.platform)
    assert counts(again) == {}


async def test_two_passes_at_once_do_everything_once(tended: Engine, deaf: Deaf) -> None:
    await tended.publish(ON_EVENT)
    runs = [await deaf.start(tended, QUICK) for _ in range(5)]
    await deaf.send(tended, "shop.order.paid")
    await asyncio.gather(*(a_pass(tended.platform) for _ in range(3)))
    for run in runs:
        assert (await tended.end(run)).run.status == "completed"
    async with tended.platform.database.transaction(tended.workspace_id) as session:
        assert len(list(await session.scalars(select(Run.id)))) == 6
    report, _ = await a_pass(tended.platform)
    assert counts(report) == {}


async def test_an_idle_pass_is_one_workflow_task(tended: Engine) -> None:
    report, handle = await a_pass(tended.platform)
    assert (counts(report), report.workspaces > 0) == ({}, True)
    history = await handle.fetch_history()
    assert len(history.events) <= 7, [event.event_type for event in history.events]


async def test_a_workspace_that_breaks_is_named_and_stops_no_other(
    tended: Engine, deaf: Deaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, _key = await create_workspace(tended.platform, "Broken")
    for workspace_id in (broken.workspace_id, tended.workspace_id):
        await an_event(tended.platform, workspace_id, "t", received_at=func.now() - timedelta(minutes=1))
    run = await deaf.start(tended, QUICK)
    dispatch = events.dispatch_pending

    async def dispatched(platform: Platform, workspace_id: UUID, limit: int, **options: Any) -> int:
        if workspace_id == broken.workspace_id:
            raise RuntimeError("odd")
        return await dispatch(platform, workspace_id, limit, **options)

    monkeypatch.setattr(events, "dispatch_pending", dispatched)
    report, _ = await a_pass(tended.platform)
    assert counts(report) == {"events_dispatched": 1, "runs_started": 1, "troubles": 1}
    assert [(each.duty, each.workspace_id) for each in report.trouble] == [("events", str(broken.workspace_id))]
    assert (await tended.end(run)).run.status == "completed"
    monkeypatch.setattr(events, "dispatch_pending", dispatch)
    repaired, _ = await a_pass(tended.platform)
    assert counts(repaired) == {"events_dispatched": 1}


async def test_what_a_bound_leaves_over_is_done_by_the_same_pass(
    tended: Engine, deaf: Deaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await deaf.start(tended, QUICK)
    monkeypatch.setattr(upkeep, "LIMIT", 1)
    report, _ = await a_pass(tended.platform)
    assert (counts(report), report.left_over) == ({"runs_started": 3}, [])


async def test_a_pass_that_meets_its_bound_says_so_and_the_next_one_goes_on(
    tended: Engine, deaf: Deaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await deaf.start(tended, QUICK)
    monkeypatch.setattr(upkeep, "LIMIT", 1)
    monkeypatch.setattr(workflow_module, "ROUNDS", 2)
    report, _ = await a_pass(tended.platform)
    assert (counts(report), report.left_over) == ({"runs_started": 2}, ["starts"])
    monkeypatch.setattr(upkeep, "LIMIT", 200)
    report, _ = await a_pass(tended.platform)
    assert (counts(report), report.left_over) == ({"runs_started": 3}, [])


async def test_many_workspaces_are_tended_page_by_page(
    tended: Engine, deaf: Deaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        workspace, _key = await create_workspace(deaf.platform, f"Workspace {number}")
        await deaf.start(Engine(tended.platform, workspace.workspace_id), QUICK)
    monkeypatch.setattr(workflow_module, "WORKSPACES", 2)
    report, _ = await a_pass(tended.platform)
    assert counts(report) == {"runs_started": 6}
    assert report.next_workspace is None


async def test_a_pass_without_a_database_fails_and_the_next_one_does_the_work(
    tended: Engine, deaf: Deaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deaf.start(tended, QUICK)

    async def look(*_: object) -> None:
        raise Unavailable("database_unavailable", "away")

    with monkeypatch.context() as away:
        away.setattr(upkeep, "look", look)
        away.setattr(workflow_module, "_LOOK_RETRY", ONCE)
        with pytest.raises(WorkflowFailureError):
            await a_pass(tended.platform)
    report, _ = await a_pass(tended.platform)
    assert counts(report) == {"runs_started": 1}


async def test_a_duty_that_cannot_be_done_at_all_keeps_no_other_from_being_done(
    tended: Engine, deaf: Deaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deaf.start(tended, QUICK)

    async def closed(*_: object) -> None:
        raise RuntimeError("visibility is away")

    monkeypatch.setattr(reconciling, "closed", closed)
    monkeypatch.setattr(workflow_module, "_LOOK_RETRY", ONCE)
    report, handle = await a_pass(tended.platform)
    assert counts(report) == {"runs_started": 1, "troubles": 1}
    assert [(each.duty, each.workspace_id, each.what) for each in report.trouble] == [
        ("reconcile", None, "RuntimeError: visibility is away")
    ]
    assert (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED


async def test_a_page_that_temporal_no_longer_knows_is_not_asked_for_again(
    tended: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window is read from its beginning then, or every pass to come would fail in the same way."""
    asked: list[ClosedCursor | None] = []
    left = ClosedCursor(since="2030-01-01T00:00:00Z", until="2030-01-02T00:00:00Z", page="b2xk")

    async def closed(_platform: Platform, cursor: ClosedCursor | None, _now: str) -> Closed:
        asked.append(cursor)
        if len(asked) == 1:
            return Closed(cursor=left, more=True)
        raise RuntimeError("no such page")

    monkeypatch.setattr(reconciling, "closed", closed)
    monkeypatch.setattr(workflow_module, "_LOOK_RETRY", ONCE)
    report, _ = await a_pass(tended.platform)
    assert asked == [None, left]
    assert report.closed == ClosedCursor(since=left.since)
