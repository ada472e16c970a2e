"""Workspaces take turns: the single run of one does not wait behind all runs of another."""

import asyncio
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.db.models import Run
from app.services import runs
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from tests.conftest import TestWorkspace
from tests.support.engine import Engine
from tests.support.own_worker import engine_without_worker, running_worker

MANY, AT_ONCE = 200, 8
DEFINITION = {"steps": [{"id": "one", "type": "transform", "mapping": {"number": 1}}]}


async def test_a_single_run_ends_before_most_of_the_many_that_were_started_first(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = engine_without_worker(platform, workspace.id, monkeypatch)
    single = Engine(platform, (await create_workspace(platform, "Single"))[0].workspace_id)
    workflow_id = await many.publish(DEFINITION)
    left = iter(range(MANY))

    async def start() -> None:
        for _ in left:
            await runs.start(platform, many.workspace_id, workflow_id, input=None)

    await asyncio.gather(*(start() for _ in range(AT_ONCE)))
    alone = await single.start(DEFINITION)
    async with running_worker(many):
        ended = await runs.wait_for_end(platform, alone, 60)
    # However late it was heard of: what had ended by the moment at which it ended.
    assert ended.status == "completed"
    assert await ended_by(platform, many.workspace_id, ended.finished_at) < MANY / 2


async def ended_by(platform: Platform, workspace_id: UUID, moment: datetime) -> int:
    async with platform.database.transaction(workspace_id) as session:
        return await session.scalar(select(func.count()).where(Run.finished_at <= moment)) or 0
