"""Finishing what a crash, or a Temporal that was away, left half done: runs never handed over, events never dispatched.

Each sweep is bounded and safe to run twice, by several processes at once: starts and signals carry ids made from what
they belong to. When to sweep is the worker's business.
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from uuid import UUID

from app.services import events, launching, workspaces
from app.services.errors import Unavailable
from app.services.platform import Platform

LIMIT = 200
"""Most runs, and most events, that one sweep takes on in a workspace."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    runs_started: int = 0
    events_dispatched: int = 0


async def sweep(platform: Platform) -> Swept:
    """Start pending runs and dispatch events, workspace by workspace. Raises `Unavailable` without a database.

    What breaks in one workspace is said and keeps no other from being swept, nor its runs from being started.
    """
    started = dispatched = 0
    for workspace_id in await workspaces.ids(platform):
        # Events first: what they start may turn out pending, and is picked up right after.
        dispatched += await _counted(events.dispatch_pending(platform, workspace_id, LIMIT), workspace_id)
        started += await _counted(launching.start_pending(platform, workspace_id, LIMIT), workspace_id)
    return Swept(started, dispatched)


async def _counted(part: Awaitable[int], workspace_id: UUID) -> int:
    try:
        return await part
    except Unavailable:
        raise
    except Exception:
        _log.exception("a part of the sweep of workspace %s failed", workspace_id)
        return 0
