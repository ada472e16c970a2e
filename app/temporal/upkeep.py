"""What crosses Temporal for upkeep: the names of its activities, what they are given and what they report.

Plain dataclasses, as in `messages`: a pass is over within minutes, but the next one reads its report, so a field may be
added with a default, never renamed or removed. Times are RFC 3339 in UTC.
"""

from dataclasses import dataclass, field
from enum import StrEnum

LOOK_ACTIVITY = "holdfast.upkeep.look"
CLOSED_ACTIVITY = "holdfast.upkeep.closed"
RECONCILE_ACTIVITY = "holdfast.upkeep.reconcile"

RECONCILE = "reconcile"
"""How the duty is called that no workspace asks for: Temporal says where it is to be done."""
MAX_TROUBLE = 20
"""Most troubles a report names; it counts the others."""


class Duty(StrEnum):
    """What upkeep does in a workspace, in the order it is done. Events come first: what they start may turn out
    pending, and is picked up right after."""

    EVENTS = "events"
    STARTS = "starts"
    CHILDREN = "children"
    SCHEDULES = "schedules"
    CHECKS = "checks"
    PURGE = "purge"
    MESSAGES = "messages"
    """It asks mail servers, which take their time."""
    DELETION = "deletion"
    """Last: nothing waits for it."""

    @property
    def activity(self) -> str:
        """Name of the activity that does it."""
        return f"holdfast.upkeep.{self.value}"


@dataclass(frozen=True, kw_only=True)
class Look:
    """Which workspaces to look at: the next `limit` after this id."""

    limit: int
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What there is to do: ids of workspaces by duty. `last` is where the next look goes on; None = all were seen."""

    workspaces: int
    work: dict[str, list[str]] = field(default_factory=dict)
    last: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClosedCursor:
    """How far executions that closed in Temporal are dealt with: those before `since` are."""

    since: str
    until: str | None = None
    """End of the window that is not yet read to its end."""
    page: str | None = None
    """Temporal's token of the page of that window that comes next, in base64."""


@dataclass(frozen=True, kw_only=True)
class Closed:
    """Runs that ended in Temporal and whose rows do not know it, by workspace; and where to go on."""

    cursor: ClosedCursor
    runs: dict[str, list[str]] = field(default_factory=dict)
    more: bool = False
    """A bound was hit: the window has further pages."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What kept a duty from being done. Without `workspace_id` it was not done in any."""

    duty: str
    what: str
    workspace_id: str | None = None


@dataclass(kw_only=True)
class UpkeepReport:
    """What a pass did, or one of its activities; also where the next pass goes on."""

    workspaces: int = 0
    """Workspaces that were looked at."""
    events_dispatched: int = 0
    runs_started: int = 0
    children_settled: int = 0
    """Runs whose parents were told of their end, or that were cancelled because their parents had ended."""
    schedules_checked: int = 0
    """Schedules that were brought in step with Temporal, or made sure of."""
    schedules_told: int = 0
    """Runs whose schedules were told of their end."""
    runs_checked: int = 0
    """Runs under way that Temporal was asked about."""
    runs_ended: int = 0
    """Rows that were brought to how their run had ended in Temporal."""
    runs_purged: int = 0
    events_purged: int = 0
    deliveries_purged: int = 0
    messages_taken: int = 0
    """Mails that were fetched, and calls of which nothing more was heard."""
    workspaces_deleted: int = 0
    left_over: list[str] = field(default_factory=list)
    """Duties that hit a bound: the next pass goes on with them."""
    trouble: list[Trouble] = field(default_factory=list)
    troubles: int = 0
    closed: ClosedCursor | None = None
    next_workspace: str | None = None
    """The pass looked at workspaces up to this one; None = at all."""

    def add(self, part: "UpkeepReport") -> None:
        """Count in what a part of the pass did."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.left_over = sorted({*self.left_over, *part.left_over})
        self.trouble = [*self.trouble, *part.trouble][:MAX_TROUBLE]
        self.troubles += part.troubles

    def note(self, trouble: Trouble) -> None:
        """Name what went wrong."""
        self.add(UpkeepReport(trouble=[trouble], troubles=1))

    def summary(self) -> str:
        """What was done, in words; empty when there was nothing to do."""
        done = [f"{getattr(self, name)} {words}" for name, words in COUNTS.items() if words and getattr(self, name)]
        if self.left_over:
            done.append(f"more is left of {', '.join(self.left_over)}")
        if self.troubles:
            done.append(f"{self.troubles} troubles")
        return ", ".join(done)


COUNTS = {
    "workspaces": "",
    "runs_checked": "",
    "schedules_checked": "",
    "events_dispatched": "events dispatched",
    "runs_started": "runs started",
    "children_settled": "children settled",
    "schedules_told": "ends told to schedules",
    "runs_ended": "runs ended as Temporal has them",
    "runs_purged": "runs purged",
    "events_purged": "events purged",
    "deliveries_purged": "deliveries purged",
    "messages_taken": "messages taken",
    "workspaces_deleted": "workspaces deleted",
}
"""The counts of a report, and how they read; what is only looked at is not worth a word."""
