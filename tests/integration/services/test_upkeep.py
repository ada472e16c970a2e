"""What upkeep finds to do, and what one workspace's trouble means for the others."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func

from app.db.models import Connection, Mailbox
from app.services import events, launching, queues, reconciling, upkeep
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from app.temporal.upkeep import Duty, Look, UpkeepReport
from tests.conftest import TestWorkspace
from tests.integration.services.building import a_run, an_event


async def needs(platform: Platform, workspace_id: UUID) -> set[str]:
    """The duties upkeep sees in this workspace."""
    before = UUID(int=workspace_id.int - 1)
    found = await upkeep.look(platform, Look(after=str(before), limit=1))
    assert found.last == str(workspace_id)
    return {duty for duty, ids in found.work.items() if ids == [str(workspace_id)]}


async def test_nothing_is_to_be_done_where_nothing_happened_lately(
    platform: Platform, workspace: TestWorkspace
) -> None:
    await a_run(platform, workspace.id)
    await a_run(platform, workspace.id, status="pending")
    await an_event(platform, workspace.id, "app.thing.happened")
    await a_run(platform, workspace.id, status="completed", finished_at=func.now())
    assert await needs(platform, workspace.id) == set()


async def test_what_is_left_lying_is_found(platform: Platform, workspace: TestWorkspace) -> None:
    long_ago = func.now() - timedelta(days=100)
    await an_event(platform, workspace.id, "app.thing.happened", received_at=long_ago)
    assert await needs(platform, workspace.id) == {Duty.EVENTS}
    await a_run(platform, workspace.id, status="pending", created_at=long_ago)
    assert await needs(platform, workspace.id) == {Duty.EVENTS, Duty.STARTS}
    await a_run(platform, workspace.id, created_at=long_ago)
    assert await needs(platform, workspace.id) == {Duty.EVENTS, Duty.STARTS, Duty.CHECKS}
    child = {"parent_run_id": uuid4(), "parent_waits": True}
    await a_run(platform, workspace.id, status="completed", finished_at=func.now(), **child)
    assert await needs(platform, workspace.id) == {Duty.EVENTS, Duty.STARTS, Duty.CHECKS, Duty.CHILDREN}
    yesterday = func.now() - timedelta(days=1)
    await a_run(platform, workspace.id, status="failed", finished_at=yesterday, told_workflow="schedule-untold")
    assert await needs(platform, workspace.id) == set(Duty) - {Duty.PURGE, Duty.MESSAGES, Duty.DELETION}
    await a_run(platform, workspace.id, status="completed", finished_at=long_ago)
    assert await needs(platform, workspace.id) == set(Duty) - {Duty.MESSAGES, Duty.DELETION}
    connection = Connection(workspace_id=workspace.id, id=uuid4(), kind="imap", name="mail")
    async with platform.database.transaction(workspace.id) as session:
        session.add(connection)
        await session.flush()
        session.add(Mailbox(workspace_id=workspace.id, connection_id=connection.id))
    assert await needs(platform, workspace.id) == set(Duty) - {Duty.DELETION}


async def test_a_run_that_was_checked_needs_it_again_in_time(platform: Platform, workspace: TestWorkspace) -> None:
    long_ago = func.now() - timedelta(days=100)
    await a_run(platform, workspace.id, created_at=long_ago, checked_at=func.now())
    assert await needs(platform, workspace.id) == set()
    await a_run(platform, workspace.id, created_at=long_ago, checked_at=func.now() - reconciling.CHECK_AFTER)
    assert await needs(platform, workspace.id) == {Duty.CHECKS}


async def test_every_workspace_is_looked_at_page_by_page(platform: Platform, workspace: TestWorkspace) -> None:
    all_ids = await platform.sweeps.states_after(None, 10_000)
    seen, after = 0, None
    while True:
        found = await upkeep.look(platform, Look(after=after, limit=max(1, len(all_ids) // 3)))
        seen += found.workspaces
        if found.last is None:
            break
        after = found.last
    assert seen == len(all_ids)


async def test_trouble_in_one_workspace_keeps_no_other_from_being_tended(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _key = await create_workspace(platform, "Other")

    async def dispatch(_platform: Platform, workspace_id: UUID, _limit: int) -> int:
        if workspace_id == workspace.id:
            raise RuntimeError("an event that cannot be dispatched: its data")
        return 1

    monkeypatch.setattr(events, "dispatch_pending", dispatch)
    report = await upkeep.tend(platform, Duty.EVENTS, [str(workspace.id), str(other.workspace_id)])
    assert report.events_dispatched == 1
    assert [(each.duty, each.workspace_id) for each in report.trouble] == [("events", str(workspace.id))]
    assert "RuntimeError" in report.trouble[0].what
    assert "its data" not in report.trouble[0].what


async def test_a_database_that_is_away_ends_a_duty(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dispatch(_platform: Platform, _workspace_id: UUID, _limit: int) -> int:
        raise Unavailable("database_unavailable", "away")

    monkeypatch.setattr(events, "dispatch_pending", dispatch)
    with pytest.raises(Unavailable):
        await upkeep.tend(platform, Duty.EVENTS, [str(workspace.id)])


async def test_a_bound_that_was_hit_is_said(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(_platform: Platform, _workspace_id: UUID, limit: int) -> int:
        return limit

    monkeypatch.setattr(launching, "start_pending", start)
    report = await upkeep.tend(platform, Duty.STARTS, [str(workspace.id)])
    assert report.left_over == ["starts"]
    monkeypatch.setattr(upkeep, "DUTY_SECONDS", 0.0)
    report = await upkeep.tend(platform, Duty.STARTS, [str(workspace.id)])
    assert (report.runs_started, report.left_over) == (0, ["starts"])


@pytest.mark.parametrize(("workspaces", "share"), [(1, 200), (4, 50), (100, 20)])
async def test_workspaces_that_need_starts_share_what_is_started_at_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, workspaces: int, share: int
) -> None:
    asked: list[int] = []

    async def start(_platform: Platform, _workspace_id: UUID, limit: int) -> int:
        asked.append(limit)
        return 0

    monkeypatch.setattr(queues, "sweep", start)
    monkeypatch.setattr(launching, "start_pending", start)
    await upkeep.tend(platform, Duty.STARTS, [str(uuid4()) for _ in range(workspaces)])
    assert asked == [share] * 2 * workspaces


def test_a_report_names_some_troubles_and_counts_all() -> None:
    report = UpkeepReport()
    for _ in range(30):
        report.add(UpkeepReport(runs_started=1, left_over=["starts"]))
        report.note(upkeep.Trouble(duty="starts", what="odd"))
    assert (report.runs_started, report.left_over, report.troubles, len(report.trouble)) == (30, ["starts"], 30, 20)
    assert report.summary() == "30 runs started, more is left of starts, 30 troubles"
    assert UpkeepReport(workspaces=7, runs_checked=3).summary() == ""
