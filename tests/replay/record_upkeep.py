"""Records the histories of upkeep that `test_replay_upkeep.py` replays: `python -m tests.replay.record_upkeep`.

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

import psycopg
from temporalio.client import Client, WorkflowExecution

from activities.http_client import HttpClient
from app.services import administering, events
from app.services.errors import Unavailable
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.temporal import names
from app.temporal.schedule import ensure_upkeep, run_upkeep_now
from tests.replay.record import servers, without_machine
from tests.support.engine import Engine
from tests.support.waiting import eventually
from worker.main import build_worker

HISTORIES = Path(__file__).parent / "upkeep_histories"

WAIT = {"steps": [{"id": "paid", "type": "wait_for_event", "event": "shop.order.paid"}]}
LEFT_LYING = """
    UPDATE runs SET created_at = now() - interval '1 hour', updated_at = now() - interval '1 hour';
    UPDATE runs SET status = 'pending' WHERE id = (SELECT max(id::text)::uuid FROM runs);
    INSERT INTO runs (workspace_id, id, workflow_id, workflow_name, version, status, trigger_type, finished_at)
    SELECT workspace_id, gen_random_uuid(), workflow_id, 'Old', 1, 'completed', 'manual', now() - interval '91 days'
    FROM runs LIMIT 1;
    INSERT INTO events (workspace_id, source, id, type, received_at)
    SELECT workspace_id, '/recorded', 'lost', 'shop.order.shipped', now() - interval '1 hour' FROM workspaces;
"""
"""A lost start, a lost event, a run to be checked and one that is old."""
UNTOLD = """
    INSERT INTO runs (
        workspace_id, id, workflow_id, workflow_name, version, status, trigger_type, finished_at,
        parent_run_id, parent_path, parent_waits, idempotency_key)
    SELECT workspace_id, gen_random_uuid(), workflow_id, 'Child', 1, 'completed', 'workflow', now(),
        id, 'child', true, 'run:child'
    FROM runs WHERE finished_at IS NULL LIMIT 1;
"""
"""A child whose parent was not told of its end."""
LEFT_OVER = """
    INSERT INTO schedules (
        workspace_id, id, workflow_id, workflow_name, position, trigger, live, deleted_at, updated_at)
    SELECT workspace_id, gen_random_uuid(), id, name, 0, '{"type": "schedule", "every": "1h"}', true,
        now() - interval '1 hour', now() - interval '1 hour'
    FROM workflows LIMIT 1;
"""
"""A schedule that was to be deleted in Temporal."""

A_MAILBOX = """
    INSERT INTO connections (workspace_id, id, kind, name)
    SELECT workspace_id, workspace_id, 'imap', 'support-mail' FROM workspaces;
    INSERT INTO mailboxes (workspace_id, connection_id) SELECT workspace_id, id FROM connections;
"""
"""A mailbox that is due."""


async def main() -> None:
    """Record all of them: an idle pass, one after it that does much, one in which a duty fails, one about children, one
    about a mailbox, one about schedules, one about a workspace that is deleted."""
    with tempfile.TemporaryDirectory(prefix="holdfast-record-", ignore_cleanup_errors=True) as folder:
        async with servers(Path(folder)) as settings, open_platform(settings) as platform, _worker(platform) as client:
            await ensure_upkeep(client, timedelta(hours=1))
            await _record(client, "idle")
            workspace, _key = await create_workspace(platform, "Recorded")
            await _leave_work(Engine(platform, workspace.workspace_id))
            await _record(client, "busy")
            await _leave_work(Engine(platform, workspace.workspace_id))
            events.dispatch_pending = _away  # type: ignore[assignment]
            await _record(client, "failing")
            await _run(Engine(platform, workspace.workspace_id), UNTOLD)
            await _record(client, "children")
            await _run(Engine(platform, workspace.workspace_id), A_MAILBOX)
            await _record(client, "messages")
            await _run(Engine(platform, workspace.workspace_id), LEFT_OVER)
            await _record(client, "schedules")
            await administering.delete(platform, workspace.workspace_id)
            await _record(client, "deletion")


@asynccontextmanager
async def _worker(platform: Platform) -> AsyncIterator[Client]:
    client, http = await platform.temporal.client(), HttpClient(platform.settings)
    try:
        async with build_worker(platform, client, http=http):
            yield client
    finally:
        await http.close()


async def _leave_work(engine: Engine) -> None:
    """What every duty has something to do with, and a run that was terminated in Temporal."""
    runs = [await engine.start(WAIT) for _ in range(3)]
    for run in runs:
        await engine.at(run, "paid")
    await (await engine.handle(runs[0])).terminate(reason="recorded")
    await _run(engine, LEFT_LYING.replace("'lost'", f"'lost {runs[0].id}'"))


async def _run(engine: Engine, statements: str) -> None:
    url = engine.platform.settings.database_url
    assert url is not None
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("SELECT set_config('holdfast.workspace_id', %s, false)", [str(engine.workspace_id)])
        await connection.execute(statements.encode())


async def _away(*_: object, **__: object) -> int:
    raise Unavailable("database_unavailable", "away")


async def _record(client: Client, name: str) -> None:
    """Have the schedule begin a pass, and keep its history."""
    before = {execution.run_id for execution in await _passes(client)}
    await run_upkeep_now(client)

    async def over() -> list[WorkflowExecution]:
        return [execution for execution in await _passes(client) if execution.run_id not in before]

    [execution] = await eventually(over)
    history = await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()
    text = json.dumps(without_machine(json.loads(history.to_json())), indent=1, sort_keys=True)
    file = HISTORIES / f"{name}.json"
    if name in sys.argv or not file.exists():
        file.write_text(text + "\n")
        print(f"recorded {name}")


async def _passes(client: Client) -> list[WorkflowExecution]:
    query = f"WorkflowType = '{names.UPKEEP_WORKFLOW}' AND ExecutionStatus = 'Completed'"
    return [execution async for execution in client.list_workflows(query)]


if __name__ == "__main__":
    asyncio.run(main())
