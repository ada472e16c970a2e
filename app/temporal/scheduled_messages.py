"""What crosses Temporal for runs that schedules start: names, and what the workflow `Scheduled` is given and answers.

Plain dataclasses under the same rule as `messages`: they are written into histories and into Temporal's own schedules,
which outlive a release, so a field may be added with a default, never renamed or removed. Times are RFC 3339 in UTC.
"""

from dataclasses import dataclass

BEGIN_ACTIVITY = "holdfast.schedule.begin"
SETTLE_ACTIVITY = "holdfast.schedule.settle"


@dataclass(frozen=True, kw_only=True)
class ScheduledInput:
    """Which schedule a moment is of; and, in a later execution, what the ones before came to."""

    workspace_id: str
    schedule_id: str
    scheduled_for: str | None = None
    """None: the moment that Temporal says this was started for."""
    run_id: str | None = None
    looks: int = 0
    """Times it was looked whether the run has ended, without having been told."""


@dataclass(frozen=True, kw_only=True)
class BeginScheduled:
    """Start the run of this moment, or find the one that is there."""

    workspace_id: str
    schedule_id: str
    scheduled_for: str
    waiting: str
    """Id of the Temporal workflow that is to be told of the run's end."""


@dataclass(frozen=True, kw_only=True)
class BegunScheduled:
    """The run, and whether it has ended already; or why there is none."""

    run_id: str | None = None
    ended: bool = False
    skipped: str | None = None


@dataclass(frozen=True, kw_only=True)
class SettleScheduled:
    """If the run has ended, let its schedule know."""

    workspace_id: str
    schedule_id: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class SettledScheduled:
    """How the run ended: its status, or `deleted`; None while it is under way."""

    status: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduledResult:
    """What became of the moment."""

    scheduled_for: str
    run_id: str | None = None
    status: str | None = None
    skipped: str | None = None
