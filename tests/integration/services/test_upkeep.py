"""Sweeps: what one workspace's trouble means for the others."""

from uuid import UUID

import pytest

from app.services import events, launching, upkeep
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from tests.conftest import TestWorkspace


async def test_trouble_in_one_workspace_keeps_no_other_from_being_swept(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _key = await create_workspace(platform, "Other")
    dispatched: set[UUID] = set()
    started: set[UUID] = set()

    async def dispatch(_platform: Platform, workspace_id: UUID, _limit: int) -> int:
        if workspace_id == workspace.id:
            raise RuntimeError("an event that cannot be dispatched")
        dispatched.add(workspace_id)
        return 1

    async def start(_platform: Platform, workspace_id: UUID, _limit: int) -> int:
        started.add(workspace_id)
        return 0

    monkeypatch.setattr(events, "dispatch_pending", dispatch)
    monkeypatch.setattr(launching, "start_pending", start)
    swept = await upkeep.sweep(platform)
    assert other.workspace_id in dispatched
    assert {workspace.id, other.workspace_id} <= started
    assert swept.events_dispatched == len(dispatched)


async def test_a_database_that_is_away_ends_the_sweep(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dispatch(_platform: Platform, _workspace_id: UUID, _limit: int) -> int:
        raise Unavailable("database_unavailable", "away")

    monkeypatch.setattr(events, "dispatch_pending", dispatch)
    with pytest.raises(Unavailable):
        await upkeep.sweep(platform)
