"""Records the histories of schedules' moments that `test_replay_scheduled.py` replays:
`python -m tests.replay.record_scheduled`.

Those that are there stay as they are, unless they are named after it.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from temporalio.client import Client, WorkflowHandle

from activities.http_client import HttpClient
from app.db.models import Run
from app.json import JsonObject
from app.services import records
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.temporal import names
from app.temporal.scheduled_messages import ScheduledInput
from tests.replay.record import servers, without_machine
from tests.support.engine import Engine
from tests.support.schedules import FAILS, WAITS, daily, now, only
from tests.support.waiting import eventually
from worker.main import build_worker
from workflows import scheduled

HISTORIES = Path(__file__).parent / "scheduled_histories"
HASTE = {"FIRST_LOOK": timedelta(milliseconds=100), "LONGEST_PAUSE": timedelta(milliseconds=200), "LOOKS": 3}
"""How a run that nobody tells the end of is looked at in the histories `untold` and `continued`."""


async def main() -> None:
    """Record all: told of the end, a run that fails, no run at all, an end nobody tells, and going on as new."""
    with tempfile.TemporaryDirectory(prefix="holdfast-record-", ignore_cleanup_errors=True) as folder:
        async with servers(Path(folder)) as settings, open_platform(settings) as platform, _worker(platform) as client:
            workspace, _key = await create_workspace(platform, "Recorded")
            engine = Engine(platform, workspace.workspace_id)
            waits = await engine.publish(daily(WAITS))
            await _keep(client, "told", *await _told(engine, waits))
            failing = await only(engine, await engine.publish(daily(FAILS)))
            await _keep(client, "failed", *await _ended(engine, await now(engine, failing)))
            await _keep(client, "skipped", *await _skipped(client, engine))
            for name, value in HASTE.items():
                setattr(scheduled, name, value)
            await _untold(client, engine, waits)


@asynccontextmanager
async def _worker(platform: Platform) -> AsyncIterator[Client]:
    client, http = await platform.temporal.client(), HttpClient(platform.settings)
    try:
        async with build_worker(platform, client, http=http):
            yield client
    finally:
        await http.close()


async def _told(engine: Engine, workflow_id: UUID) -> tuple[str, str | None]:
    run = await now(engine, await only(engine, workflow_id))
    await engine.at(run, "note")
    ending = await _ended(engine, run, wait=False)
    await engine.send("shop.prices.updated")
    await engine.end(run)
    return ending


async def _ended(engine: Engine, run: Run, *, wait: bool = True) -> tuple[str, str | None]:
    """The Temporal workflow of the run's moment."""
    if wait:
        await engine.end(run)
    moment = str(run.input["scheduled_for"])
    return f"{names.schedule_id(str(run.input['schedule_id']))}-{moment}", None


async def _skipped(client: Client, engine: Engine) -> tuple[str, str | None]:
    given = ScheduledInput(
        workspace_id=str(engine.workspace_id),
        schedule_id=str(engine.workspace_id),
        scheduled_for="2026-01-05T09:00:00Z",
    )
    handle = await client.start_workflow(
        names.SCHEDULED_WORKFLOW, given, id="schedule-gone", task_queue=names.TASK_QUEUE
    )
    return handle.id, None


async def _untold(client: Client, engine: Engine, workflow_id: UUID) -> None:
    """Nobody tells the end: it is found by looking, in a later execution."""

    async def deaf(*_: object) -> None: ...

    records.tell_schedule = deaf  # type: ignore[attr-defined]
    run = await now(engine, await only(engine, workflow_id))
    id, _ = await _ended(engine, run, wait=False)

    async def further() -> str | None:
        latest = await client.get_workflow_handle(id).describe()
        first = latest.raw_description.workflow_execution_info.first_run_id
        return first if latest.run_id != first else None

    first = await eventually(further)
    await engine.send("shop.prices.updated")
    await engine.end(run)
    await client.get_workflow_handle(id, first_execution_run_id=None).result()
    await _keep(client, "continued", id, first)
    await _keep(client, "untold", id, None)


async def _keep(client: Client, name: str, id: str, run_id: str | None) -> None:
    handle: WorkflowHandle[object, object] = client.get_workflow_handle(id, run_id=run_id)
    await handle.result(follow_runs=True)
    if run_id is None:
        latest = await client.get_workflow_handle(id).describe()
        handle = client.get_workflow_handle(id, run_id=latest.run_id)
    history: JsonObject = json.loads((await handle.fetch_history()).to_json())
    file = HISTORIES / f"{name}.json"
    if name in sys.argv or not file.exists():
        file.write_text(json.dumps(without_machine(history), indent=1, sort_keys=True) + "\n")
        print(f"recorded {name}")


if __name__ == "__main__":
    asyncio.run(main())
