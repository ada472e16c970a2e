"""Taking a workspace away that is being deleted: what Temporal has of it, then its rows, then itself.

Upkeep does it, a bounded part at a time. Nothing remembers how far it came: each part looks for what is still there, so
that a crash costs nothing. The workspace's own row goes last, once nobody can believe any more that the workspace is in
use; what was written meanwhile goes with it, and after it nothing can be.
"""

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.db.engine import Statement
from app.services.platform import KEY_CACHE_SECONDS, Platform
from app.store import deleting as store
from app.temporal import erasing, names, run_schedules

TOGETHER = 200
"""Schedules and runs that are taken out of Temporal together."""
BATCHES = 10
EXECUTIONS = 2000
"""Most executions Temporal is told to delete at once."""
ROWS_TOGETHER = 2000
STATEMENTS = 200
"""Most statements that do delete rows at once."""
SETTLED_AFTER = timedelta(seconds=2 * KEY_CACHE_SECONDS + 10)
"""How long after its deletion was asked for no process takes the workspace for usable, and what it began is told to
Temporal."""

_log = logging.getLogger(__name__)


async def go_on(platform: Platform, workspace_id: UUID) -> bool:
    """Take the next part of it away; whether all of it is gone. Raises `RPCError` while Temporal is away."""
    workspace = await platform.sweeps.find(workspace_id)
    if workspace is None or workspace.state != "deleting":
        return workspace is None
    settled = workspace.state_changed_at < datetime.now(UTC) - SETTLED_AFTER
    # Of a schedule nothing but its row says that Temporal has it: while there may be one, rows stay.
    told = await _told(platform, workspace_id) and settled
    erased = await _erased(platform, workspace_id)
    if not told or not await _rows(platform, workspace_id) or not erased:
        return False
    await platform.sweeps.remove(workspace_id)
    _log.info("workspace %s is deleted", workspace_id)
    return True


async def _told(platform: Platform, workspace_id: UUID) -> bool:
    """End in Temporal the schedules and runs there are rows of; whether that was done of all."""
    client = await platform.temporal.client()
    for _ in range(BATCHES):
        schedules = await _ids(platform, workspace_id, store.schedules(workspace_id, TOGETHER))
        for id_ in schedules:
            await run_schedules.delete(client, str(id_))
        # Temporal may not list yet what was just started: of those there are rows.
        runs = await _ids(platform, workspace_id, store.open_runs(workspace_id, TOGETHER))
        await erasing.terminate(client, [(names.workflow_id(str(id_)), "") for id_ in runs])
        gone = store.delete_schedules(workspace_id, schedules), store.end_runs(workspace_id, runs)
        await platform.database.run(workspace_id, *gone)
        if not schedules and not runs:
            return True
    return False


async def _erased(platform: Platform, workspace_id: UUID) -> bool:
    """End and delete the executions Temporal lists; whether it has been told of all of them."""
    client = await platform.temporal.client()
    under_way, closed = await erasing.executions_of(client, workspace_id, EXECUTIONS)
    await erasing.terminate(client, under_way)
    await erasing.erase(client, closed)
    # What it has taken on to delete it goes on listing for half a minute.
    return not under_way and len(closed) < EXECUTIONS


async def _rows(platform: Platform, workspace_id: UUID) -> bool:
    """Delete its rows; whether none is left."""
    left = STATEMENTS
    for table in store.TABLES:
        (((allowed,),),) = await platform.database.run(workspace_id, store.may_delete(table))
        while allowed:
            if left == 0:
                return False
            statement = store.delete_rows(workspace_id, table, ROWS_TOGETHER)
            (gone,) = await platform.database.run(workspace_id, statement)
            if not gone:
                break
            left -= 1
    while (await platform.database.run(workspace_id, store.forget_audit_log(ROWS_TOGETHER)))[0]:
        if left == 0:
            return False
        left -= 1
    return True


async def _ids(platform: Platform, workspace_id: UUID, statement: Statement) -> list[UUID]:
    (rows,) = await platform.database.run(workspace_id, statement)
    return [id_ for (id_,) in rows]
