"""Noting that Temporal has runs: those handed over at about the same time share a statement and a transaction."""

from collections.abc import Sequence
from uuid import UUID

from app.db.engine import Database
from app.services.together import Together
from app.store.starting import Launched, launched, read_launched

MOST_TOGETHER = 100


class Launches:
    """Notes of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together: Together[UUID, tuple[UUID, str | None], Launched | None] = Together(
            self._send, most=MOST_TOGETHER
        )

    async def note(self, workspace_id: UUID, run_id: UUID, temporal_run_id: str | None) -> Launched | None:
        """From pending to running, unless the run has reported more already. Answers with what its row says then, or
        None when it is gone. Raises `Unavailable` while the database is away."""
        return await self._together(workspace_id, (run_id, temporal_run_id))

    async def _send(self, workspace_id: UUID, runs: Sequence[tuple[UUID, str | None]]) -> Sequence[Launched | None]:
        (rows,) = await self._database.run(workspace_id, launched(workspace_id, dict(runs)))
        found = read_launched(rows)
        return [found.get(run_id) for run_id, _ in runs]
