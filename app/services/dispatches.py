"""Noting what events did: those dispatched at about the same time share a statement and a transaction."""

from collections.abc import Sequence
from uuid import UUID

from app.db.engine import Database
from app.services.together import Together
from app.store.events import Dispatched, note_dispatches

MOST_TOGETHER = 200


class Dispatches:
    """Notes of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together: Together[UUID, Dispatched, None] = Together(self._send, most=MOST_TOGETHER)

    async def note(self, workspace_id: UUID, did: Dispatched) -> None:
        """Add what an event did to what is known of it. Raises `Unavailable` while the database is away."""
        await self._together(workspace_id, did)

    async def note_all(self, workspace_id: UUID, did: Sequence[Dispatched]) -> None:
        """As `note`, for many."""
        for begin in range(0, len(did), MOST_TOGETHER):
            await self._send(workspace_id, did[begin : begin + MOST_TOGETHER])

    async def _send(self, workspace_id: UUID, did: Sequence[Dispatched]) -> Sequence[None]:
        merged: dict[tuple[str, str], Dispatched] = {}
        for one in did:
            before = merged.get((one.source, one.id))
            merged[one.source, one.id] = one if before is None else _both(before, one)
        await self._database.run(workspace_id, *note_dispatches(workspace_id, merged.values()))
        return [None] * len(did)


def _both(first: Dispatched, second: Dispatched) -> Dispatched:
    return Dispatched(
        first.source,
        first.id,
        [*first.started, *second.started],
        [*first.woke, *second.woke],
        first.done or second.done,
    )
