"""Workflows with limits for the tests of them: starting many runs at once, ending one, and letting an hour pass."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update

from app.db.models import Run
from app.json import Json
from app.services import records, runs, upkeep
from app.services.platform import Platform
from app.temporal.upkeep import Duty
from tests.integration.services.building import a_batch
from tests.support.engine import Engine

STEPS = [{"id": "wait", "type": "wait_for_event", "event": "shop.order.paid"}]
KEY = "{{ trigger.contact }}"
HUNDRED = 100


async def a_workflow(engine: Engine, **settings: Json) -> UUID:
    event = {"type": "event", "event": "shop.order.placed"}
    return await engine.publish({"triggers": [{"type": "manual"}, event], "settings": settings, "steps": STEPS})


async def rows(engine: Engine) -> list[Run]:
    """All runs of the workspace in the order they were asked for."""
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await session.scalars(select(Run).order_by(Run.id)))


async def ended(engine: Engine, run: Run, status: str = "completed", platform: Platform | None = None) -> None:
    """The run reports its end, as a worker has it do."""
    await records.record_batch(platform or engine.platform, a_batch(engine.workspace_id, run.id, status=status))


async def swept(engine: Engine) -> None:
    report = await upkeep.tend(engine.platform, Duty.STARTS, [str(engine.workspace_id)])
    assert report.trouble == []


async def hundred_starts(
    engine: Engine, three: Sequence[Platform], workflow_id: UUID, **input: Json
) -> list[runs.Started | BaseException]:
    starts = [
        runs.start(three[number % 3], engine.workspace_id, workflow_id, input={"contact": "ada", **input})
        for number in range(HUNDRED)
    ]
    return await asyncio.gather(*starts, return_exceptions=True)


def under_way(found: Sequence[Run]) -> list[Run]:
    return [run for run in found if run.status == "running"]


async def an_hour_later(engine: Engine) -> None:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(update(Run).values(started_at=Run.started_at - timedelta(hours=1)))


async def is_being_cancelled(engine: Engine, run: Run) -> bool:
    events = [event async for event in (await engine.handle(run)).fetch_history_events()]
    return any(event.HasField("workflow_execution_cancel_requested_event_attributes") for event in events)
