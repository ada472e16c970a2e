"""What the tests of schedules share: schedules of a workflow, their rows, and what Temporal has of them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from temporalio.client import ScheduleDescription

from app.db.models import Run, Schedule
from app.json import JsonObject
from app.services import schedules
from app.store import schedules as store
from app.temporal import run_schedules
from tests.support.engine import Engine
from tests.support.waiting import eventually

QUICK: JsonObject = {"id": "note", "type": "transform", "mapping": {"at": "{{ trigger.scheduled_for }}"}}
FAILS: JsonObject = {"id": "note", "type": "stop", "status": "failed", "reason": "the price list is gone"}
WAITS: JsonObject = {"id": "note", "type": "wait_for_event", "event": "shop.prices.updated"}


def daily(*steps: JsonObject, **trigger: Any) -> JsonObject:
    """A workflow that runs once a day."""
    cron = {} if "every" in trigger else {"cron": "0 9 * * *"}
    return {"trigger": {"type": "schedule", **cron, **trigger}, "steps": list(steps or (QUICK,))}


async def rows(engine: Engine, workflow_id: UUID) -> list[Schedule]:
    """The workflow's schedules."""
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await store.of_workflow(session, engine.workspace_id, workflow_id))


async def only(engine: Engine, workflow_id: UUID) -> Schedule:
    """The workflow's one schedule."""
    [row] = await rows(engine, workflow_id)
    return row


async def there(engine: Engine, row: Schedule) -> ScheduleDescription | None:
    """What Temporal has."""
    return await run_schedules.describe(await engine.platform.temporal.client(), str(row.id))


async def now(engine: Engine, row: Schedule, **options: Any) -> Run:
    """A run of the schedule, started by hand."""
    options = {"overlap": "allow_all", **options}
    triggered = await schedules.trigger_now(engine.platform, engine.workspace_id, row.id, **options)
    assert triggered.run is not None, "the worker begins it at once"
    return triggered.run


async def until(engine: Engine, workflow_id: UUID, **fields: Any) -> Schedule:
    """The workflow's schedule once its row says this."""

    async def said() -> Schedule | None:
        row = await only(engine, workflow_id)
        return row if all(getattr(row, name) == value for name, value in fields.items()) else None

    found = await eventually(said, what=f"the schedule says {fields}")
    assert found is not None
    return found


def utc(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
