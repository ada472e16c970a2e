"""Deleting what is older than it is kept: runs that ended, with all that hangs on them, events, deliveries, senders to
forms, and the audit log.

How long that is: the workspace's setting `retention_days`, else HOLDFAST_RETENTION_DAYS; 0 is for ever. How long the
audit log is kept no workspace says (HOLDFAST_AUDIT_RETENTION_DAYS). Bounded, and safe to stop anywhere: a run loses its
steps before its row, so that what is left of it is found again.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db.engine import Statement
from app.services.platform import Platform
from app.store import audit
from app.store import purge as store

RUNS_TOGETHER = 100
ROWS_TOGETHER = 2000
"""Most rows one statement deletes: a run with a loop of ten thousand items has as many steps."""
STATEMENTS = 100
"""Most statements in a workspace at once."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What was deleted, and whether a bound left something over."""

    runs: int
    events: int
    more: bool
    deliveries: int = 0


async def purge(platform: Platform, workspace_id: UUID) -> Purged:
    """Delete what the workspace keeps no longer, the oldest first."""
    work = _Purge(platform, workspace_id)
    try:
        await work.delete_runs()
        await work.delete_events()
        await work.delete_senders()
        await work.delete_deliveries()
        await work.delete_audit_log(platform.settings.audit_retention_days)
    except _Enough:
        return Purged(work.runs, work.events, more=True, deliveries=work.deliveries)
    return Purged(work.runs, work.events, more=False, deliveries=work.deliveries)


class _Enough(Exception):
    """The bound on statements was hit."""


class _Purge:
    """One purge of one workspace, and what it has deleted so far."""

    def __init__(self, platform: Platform, workspace_id: UUID) -> None:
        self._database = platform.database
        self._workspace_id = workspace_id
        self._statements = store.Purge(workspace_id, platform.settings.retention_days)
        self._left = STATEMENTS
        self.runs = 0
        self.events = 0
        self.deliveries = 0

    async def delete_runs(self) -> None:
        while run_ids := [id_ for (id_,) in await self._do(self._statements.expired_runs(RUNS_TOGETHER))]:
            for table in store.PARTS:
                while await self._do(self._statements.delete_parts(table, run_ids, ROWS_TOGETHER)):
                    pass
            self.runs += len(await self._do(self._statements.delete_runs(run_ids)))

    async def delete_events(self) -> None:
        while gone := await self._do(self._statements.delete_events(ROWS_TOGETHER)):
            self.events += len(gone)

    async def delete_senders(self) -> None:
        while await self._do(self._statements.delete_senders(ROWS_TOGETHER)):
            pass

    async def delete_deliveries(self) -> None:
        while gone := await self._do(self._statements.delete_deliveries(ROWS_TOGETHER)):
            self.deliveries += len(gone)

    async def delete_audit_log(self, days: int) -> None:
        # The database deletes nothing that is younger, whoever asks.
        while days and (await self._do(audit.purge(days, ROWS_TOGETHER)))[0][0]:
            pass

    async def _do(self, statement: Statement) -> list[tuple[Any, ...]]:
        if self._left == 0:
            raise _Enough
        self._left -= 1
        (rows,) = await self._database.run(self._workspace_id, statement)
        return rows
