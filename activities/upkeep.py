"""The activities of upkeep. They only stand between Temporal and `services.upkeep`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from temporalio import activity

from activities.messages import MessageDuty
from app.services import reconciling, upkeep
from app.services.platform import Platform
from app.temporal.upkeep import (
    CLOSED_ACTIVITY,
    COUNTS,
    LOOK_ACTIVITY,
    RECONCILE_ACTIVITY,
    Closed,
    ClosedCursor,
    Duty,
    Found,
    Look,
    UpkeepReport,
)

HEARTBEAT_SECONDS = 5.0


class UpkeepActivities:
    """Bound to the process's platform. All of them may run twice: the services make that harmless."""

    def __init__(self, platform: Platform, messages: MessageDuty) -> None:
        self._platform = platform
        self._metrics = platform.observing.metrics
        self._messages = messages

    def activities(self) -> list[Callable[..., Any]]:
        """Everything here, for the worker."""
        return [
            self.look,
            self.closed,
            self.reconcile,
            self.events,
            self.starts,
            self.children,
            self.schedules,
            self.checks,
            self.purge,
            self.messages,
            self.deletion,
        ]

    @activity.defn(name=LOOK_ACTIVITY)
    async def look(self, asked: Look) -> Found:
        """Find which workspaces need something."""
        if asked.after is None:
            self._metrics.upkeep_passes.inc()
        return await upkeep.look(self._platform, asked)

    @activity.defn(name=CLOSED_ACTIVITY)
    async def closed(self, cursor: ClosedCursor | None, now: str) -> Closed:
        """Find runs that closed in Temporal while their rows are open."""
        return await reconciling.closed(self._platform, cursor, now)

    @activity.defn(name=RECONCILE_ACTIVITY)
    async def reconcile(self, runs: dict[str, list[str]]) -> UpkeepReport:
        """Bring rows to how their runs ended."""
        async with _heartbeats():
            return self._counted(await upkeep.reconcile(self._platform, runs))

    @activity.defn(name=Duty.EVENTS.activity)
    async def events(self, workspace_ids: list[str]) -> UpkeepReport:
        """Finish the dispatch of events."""
        return await self._tend(Duty.EVENTS, workspace_ids)

    @activity.defn(name=Duty.STARTS.activity)
    async def starts(self, workspace_ids: list[str]) -> UpkeepReport:
        """Start runs whose start was lost."""
        return await self._tend(Duty.STARTS, workspace_ids)

    @activity.defn(name=Duty.CHILDREN.activity)
    async def children(self, workspace_ids: list[str]) -> UpkeepReport:
        """Tell runs of their children's ends, and cancel children whose parents have ended."""
        return await self._tend(Duty.CHILDREN, workspace_ids)

    @activity.defn(name=Duty.SCHEDULES.activity)
    async def schedules(self, workspace_ids: list[str]) -> UpkeepReport:
        """Bring Temporal's schedules in step, and tell schedules of their runs' ends."""
        return await self._tend(Duty.SCHEDULES, workspace_ids)

    @activity.defn(name=Duty.CHECKS.activity)
    async def checks(self, workspace_ids: list[str]) -> UpkeepReport:
        """Ask Temporal about the runs longest unchecked."""
        return await self._tend(Duty.CHECKS, workspace_ids)

    @activity.defn(name=Duty.PURGE.activity)
    async def purge(self, workspace_ids: list[str]) -> UpkeepReport:
        """Delete what is kept no longer."""
        return await self._tend(Duty.PURGE, workspace_ids)

    @activity.defn(name=Duty.MESSAGES.activity)
    async def messages(self, workspace_ids: list[str]) -> UpkeepReport:
        """Look into mailboxes, and tell of calls that nothing more is heard of."""
        async with _heartbeats():
            return self._counted(await self._messages.tend(workspace_ids))

    @activity.defn(name=Duty.DELETION.activity)
    async def deletion(self, workspace_ids: list[str]) -> UpkeepReport:
        """Take workspaces away that are being deleted."""
        return await self._tend(Duty.DELETION, workspace_ids)

    async def _tend(self, duty: Duty, workspace_ids: list[str]) -> UpkeepReport:
        async with _heartbeats():
            return self._counted(await upkeep.tend(self._platform, duty, workspace_ids))

    def _counted(self, report: UpkeepReport) -> UpkeepReport:
        self._metrics.tended({kind: getattr(report, kind) for kind in COUNTS}, [each.duty for each in report.trouble])
        return report


@asynccontextmanager
async def _heartbeats() -> AsyncIterator[None]:
    """Tell Temporal that this worker lives, so that another takes over soon when it does not."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
