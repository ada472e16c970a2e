"""Finishing what a crash, or a Temporal that was away, left half done: runs never handed over, events never dispatched.

Each sweep is bounded and safe to run twice, by several processes at once: starts and signals carry ids made from what
they belong to. When to sweep is the worker's business.
"""

from dataclasses import dataclass
from uuid import UUID

from app.services import events, launching
from app.services.platform import Platform
from app.store import workspaces

LIMIT = 200
"""Most runs, and most events, that one sweep takes on in a workspace."""
_NO_WORKSPACE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    runs_started: int = 0
    events_dispatched: int = 0


async def sweep(platform: Platform) -> Swept:
    """Start pending runs and dispatch events, workspace by workspace. Raises `Unavailable` without a database."""
    async with platform.database.transaction(_NO_WORKSPACE) as session:
        ids = await workspaces.all_ids(session)
    started = dispatched = 0
    for workspace_id in ids:
        # Events first: what they start may turn out pending, and is picked up right after.
        dispatched += await events.dispatch_pending(platform, workspace_id, LIMIT)
        started += await launching.start_pending(platform, workspace_id, LIMIT)
    return Swept(started, dispatched)
