"""What upkeep does: looks which workspaces need something, and does one duty in many of them.

Every duty is bounded and safe to do twice, by several processes at once. When it is done is the Temporal workflow
`Upkeep`'s; what cannot be done in one workspace is said and keeps no other from being tended.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from uuid import UUID

from temporalio.service import RPCError

from app.services import (
    children,
    deleting,
    events,
    launching,
    purging,
    queues,
    reconciling,
    scheduled,
    scheduling,
)
from app.services.errors import ServiceError, Unavailable
from app.services.platform import Platform
from app.store import upkeep as store
from app.temporal.upkeep import RECONCILE, Duty, Found, Look, Trouble, UpkeepReport

LIMIT = 200
"""Most runs started, and most events dispatched, in a workspace at once."""
LEAST_STARTED = 20
"""Workspaces that need starts at the same time share `LIMIT`, so that none waits for all of another's; each may have
so many."""
LOOKS_AT_ONCE = 4
DUTY_SECONDS = 60.0
"""A duty that took this long begins with no further workspace."""

_LOOKED_FOR = (
    Duty.EVENTS, Duty.STARTS, Duty.CHILDREN, Duty.SCHEDULES, Duty.CHECKS, Duty.PURGE, Duty.MESSAGES,
)  # fmt: skip
_STARTING = (Duty.EVENTS, Duty.STARTS, Duty.MESSAGES)
"""What begins something new, and rests while a workspace is suspended."""

_log = logging.getLogger(__name__)


async def look(platform: Platform, asked: Look) -> Found:
    """Which of the next workspaces need something, and what. Raises `Unavailable` without a database."""
    after = None if asked.after is None else UUID(asked.after)
    there = await platform.sweeps.states_after(after, asked.limit)
    gate = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def one(workspace_id: UUID, state: str) -> list[Duty]:
        if state == "deleting":
            return [Duty.DELETION]
        async with gate:
            needed = await _needs(platform, workspace_id)
        return needed if state == "active" else [duty for duty in needed if duty not in _STARTING]

    work: dict[str, list[str]] = {}
    found = await asyncio.gather(*(one(*each) for each in there))
    for (workspace_id, _), duties in zip(there, found, strict=True):
        for duty in duties:
            work.setdefault(duty.value, []).append(str(workspace_id))
    return Found(workspaces=len(there), work=work, last=str(there[-1][0]) if len(there) == asked.limit else None)


async def tend(platform: Platform, duty: Duty, workspace_ids: Sequence[str]) -> UpkeepReport:
    """Do one duty in these workspaces. Raises `Unavailable` without a database."""
    if duty is Duty.STARTS:
        share = max(LIMIT // max(len(workspace_ids), 1), min(LEAST_STARTED, LIMIT))
        return await _each(duty.value, workspace_ids, lambda workspace_id: _start_runs(platform, workspace_id, share))
    act = _DUTIES[duty]
    return await _each(duty.value, workspace_ids, lambda workspace_id: act(platform, workspace_id))


async def reconcile(platform: Platform, runs: Mapping[str, Sequence[str]]) -> UpkeepReport:
    """Bring the rows of these runs, by workspace, to how Temporal says they ended. Raises `Unavailable`."""

    async def act(workspace_id: UUID) -> UpkeepReport:
        run_ids = [UUID(run_id) for run_id in runs[str(workspace_id)]]
        return UpkeepReport(runs_ended=await reconciling.reconcile(platform, workspace_id, run_ids))

    return await _each(RECONCILE, runs, act)


async def _each(
    duty: str, workspace_ids: Iterable[str], act: Callable[[UUID], Awaitable[UpkeepReport]]
) -> UpkeepReport:
    report, until = UpkeepReport(), time.monotonic() + DUTY_SECONDS
    for workspace_id in workspace_ids:
        if time.monotonic() >= until:
            report.left_over.append(duty)
            break
        try:
            report.add(await act(UUID(workspace_id)))
        except Unavailable:
            raise
        except Exception as error:
            _log.exception("upkeep: %s of workspace %s failed", duty, workspace_id)
            report.note(Trouble(duty=duty, workspace_id=workspace_id, what=_said(error)))
    if done := report.summary():
        _log.info("upkeep: %s: %s", duty, done)
    return report


async def _needs(platform: Platform, workspace_id: UUID) -> list[Duty]:
    statement = store.look(
        workspace_id,
        undispatched_for=events.UNDISPATCHED_FOR,
        pending_for=launching.PENDING_FOR,
        check_after=reconciling.CHECK_AFTER,
        behind_for=scheduling.BEHIND_FOR,
        schedule_check_after=scheduling.CHECK_AFTER,
        untold_for=scheduled.UNTOLD_FOR,
        untold_again_after=scheduled.AGAIN_AFTER,
        retention_days=platform.settings.retention_days,
        audit_retention_days=platform.settings.audit_retention_days,
    )
    ((needs,),) = await platform.database.run(workspace_id, statement)
    return [duty for duty, needed in zip(_LOOKED_FOR, needs, strict=True) if needed]


async def _dispatch_events(platform: Platform, workspace_id: UUID) -> UpkeepReport:
    dispatched = await events.dispatch_pending(platform, workspace_id, LIMIT)
    return UpkeepReport(events_dispatched=dispatched, left_over=_left(Duty.EVENTS, dispatched >= LIMIT))


async def _start_runs(platform: Platform, workspace_id: UUID, limit: int) -> UpkeepReport:
    started = await queues.sweep(platform, workspace_id, limit)
    started += await launching.start_pending(platform, workspace_id, limit)
    return UpkeepReport(runs_started=started, left_over=_left(Duty.STARTS, started >= limit))


async def _settle_children(platform: Platform, workspace_id: UUID) -> UpkeepReport:
    settled = await children.settle_pending(platform, workspace_id, LIMIT)
    return UpkeepReport(children_settled=settled, left_over=_left(Duty.CHILDREN, settled >= LIMIT))


async def _tend_schedules(platform: Platform, workspace_id: UUID) -> UpkeepReport:
    told = await scheduled.tell_pending(platform, workspace_id, LIMIT)
    checked, _ = await scheduling.tend(platform, workspace_id, LIMIT)
    more = told >= LIMIT or checked >= LIMIT
    return UpkeepReport(schedules_told=told, schedules_checked=checked, left_over=_left(Duty.SCHEDULES, more))


async def _check_runs(platform: Platform, workspace_id: UUID) -> UpkeepReport:
    checked, ended = await reconciling.check(platform, workspace_id)
    return UpkeepReport(runs_checked=checked, runs_ended=ended)


async def _purge(platform: Platform, workspace_id: UUID) -> UpkeepReport:
    purged = await purging.purge(platform, workspace_id)
    return UpkeepReport(
        runs_purged=purged.runs,
        events_purged=purged.events,
        deliveries_purged=purged.deliveries,
        left_over=_left(Duty.PURGE, purged.more),
    )


async def _delete(platform: Platform, workspace_id: UUID) -> UpkeepReport:
    # What is left is no reason to go round again at once: Temporal needs a moment to forget.
    gone = await deleting.go_on(platform, workspace_id)
    return UpkeepReport(workspaces_deleted=int(gone))


_DUTIES: Mapping[Duty, Callable[[Platform, UUID], Awaitable[UpkeepReport]]] = {
    Duty.EVENTS: _dispatch_events,
    Duty.CHILDREN: _settle_children,
    Duty.SCHEDULES: _tend_schedules,
    Duty.CHECKS: _check_runs,
    Duty.PURGE: _purge,
    Duty.DELETION: _delete,
}
"""Those done here besides starting runs; messages are fetched by `activities.messages`."""


def _left(duty: Duty, more: bool) -> list[str]:
    return [duty.value] if more else []


def _said(error: Exception) -> str:
    """What Temporal may keep of it: a database's error can hold rows, so that it is in the worker's log alone."""
    kind = type(error).__name__
    return f"{kind}: {error}" if isinstance(error, ServiceError | RPCError) else f"{kind}; see the worker's log"
