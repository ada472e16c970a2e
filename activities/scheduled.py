"""The activities of the runs that schedules start. They only stand between Temporal and `services.scheduled`."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from temporalio import activity

from app.services import scheduled
from app.services.platform import Platform
from app.temporal.scheduled_messages import (
    BEGIN_ACTIVITY,
    SETTLE_ACTIVITY,
    BeginScheduled,
    BegunScheduled,
    SettledScheduled,
    SettleScheduled,
)


class ScheduledActivities:
    """Bound to the process's platform. Both may run twice: the service makes that harmless."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def activities(self) -> list[Callable[..., Any]]:
        """Everything here, for the worker."""
        return [self.begin, self.settle]

    @activity.defn(name=BEGIN_ACTIVITY)
    async def begin(self, asked: BeginScheduled) -> BegunScheduled:
        """Start the run of a moment, or find it."""
        return await scheduled.begin(self._platform, asked)

    @activity.defn(name=SETTLE_ACTIVITY)
    async def settle(self, asked: SettleScheduled) -> SettledScheduled:
        """Let a schedule know how its run ended, if it has."""
        status = await scheduled.settle(
            self._platform, UUID(asked.workspace_id), UUID(asked.schedule_id), UUID(asked.run_id)
        )
        return SettledScheduled(status=status)
