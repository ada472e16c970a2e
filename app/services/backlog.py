"""How much waits in all workspaces together, counted every few seconds for the metrics of a worker. What there is to do
about it is upkeep's.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from uuid import UUID

from app.services.errors import Unavailable
from app.services.platform import Platform
from app.store import backlog as store

EVERY_SECONDS = 15.0
SHARE_OF_TIME = 0.02
"""Where the counting takes long, it is done less often: it never takes more of the time than this."""
PAGE = 200

_log = logging.getLogger(__name__)


@dataclass
class Backlog:
    """Counts over all workspaces, and the age in seconds of the oldest of its kind."""

    pending_runs: int = 0
    undispatched_events: int = 0
    waiting_runs: int = 0
    held_runs: int = 0
    oldest_pending_run: float = 0.0
    oldest_undispatched_event: float = 0.0


async def watch(platform: Platform) -> None:
    """Keep the metrics of this process up to date, until cancelled."""
    while True:
        started = time.monotonic()
        try:
            show(platform, await count(platform))
        except Unavailable as error:
            _log.warning("the backlog cannot be counted: %s", error.detail)
        except Exception:
            # A worker must not be without numbers for good because of one that failed.
            _log.exception("the backlog cannot be counted")
        took = time.monotonic() - started
        await asyncio.sleep(max(EVERY_SECONDS, took / SHARE_OF_TIME))


async def count(platform: Platform) -> Backlog:
    """What waits now. Raises `Unavailable`."""
    found = Backlog()
    after: UUID | None = None
    while True:
        page = await platform.sweeps.states_after(after, PAGE)
        for workspace_id, _ in page:
            ((row,),) = await platform.database.run(workspace_id, store.backlog(workspace_id))
            _add(found, row)
        if len(page) < PAGE:
            return found
        after, _ = page[-1]


def show(platform: Platform, found: Backlog) -> None:
    """Set the metrics of this process."""
    metrics = platform.observing.metrics
    for kind in ("pending_runs", "undispatched_events", "waiting_runs", "held_runs"):
        metrics.backlog.labels(kind).set(getattr(found, kind))
    metrics.backlog_age.labels("pending_runs").set(found.oldest_pending_run)
    metrics.backlog_age.labels("undispatched_events").set(found.oldest_undispatched_event)
    metrics.backlog_looked.set_to_current_time()


def _add(found: Backlog, row: tuple[int, float | None, int, float | None, int, int]) -> None:
    pending, oldest_pending, undispatched, oldest_undispatched, waiting, held = row
    found.pending_runs += pending
    found.undispatched_events += undispatched
    found.waiting_runs += waiting
    found.held_runs += held
    found.oldest_pending_run = max(found.oldest_pending_run, oldest_pending or 0.0)
    found.oldest_undispatched_event = max(found.oldest_undispatched_event, oldest_undispatched or 0.0)
