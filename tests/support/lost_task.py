"""Workflow tasks that get lost: what is done in them is in the database and at the provider, and not in the history."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.db.models import Run
from tests.support.engine import Engine
from tests.support.waiting import eventually
from workflows.steps import action

LAST = "last"


@asynccontextmanager
async def tasks_lost() -> AsyncIterator[None]:
    """Each task that comes to the step `last` fails there, as if its worker had died."""
    perform = action._perform

    async def dies(scope: Any, step: Any, entry: Any, record: Any) -> Any:
        if step.id == LAST:
            raise RuntimeError("this task is lost")
        return await perform(scope, step, entry, record)

    action._perform = dies  # type: ignore[assignment]
    try:
        yield
    finally:
        action._perform = perform


async def cancel_while_lost(engine: Engine, run: Run) -> None:
    """Once a task of the run is lost, cancel the run: the task that takes its place begins with that."""
    await happened(engine, run, "WORKFLOW_TASK_FAILED")
    await (await engine.handle(run)).cancel()
    await happened(engine, run, "WORKFLOW_EXECUTION_CANCEL_REQUESTED")


async def happened(engine: Engine, run: Run, event: str) -> None:
    """Wait until an event of this type is in the history of the run's latest execution."""

    async def there() -> bool:
        return event in (await engine.executions(run))[-1].types

    await eventually(there, what=f"{event} is in the history", within=30)
