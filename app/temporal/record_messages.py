"""What a run and its effects write their records with: inputs and answers of the record activities.

Plain dataclasses of JSON values under the same rule as `messages`: they are written into histories that outlive a
release, so a field may be added with a default, never renamed or removed.
"""

from dataclasses import dataclass, field

from app.json import Json, JsonObject
from app.temporal.messages import JournalState, StepRecord


@dataclass(frozen=True, kw_only=True)
class RunUpdate:
    """The run's row as it should stand now; None leaves a field as it is, but clears `waiting_for`, `current_step` and
    `error`: that of a held step is shown until the run goes on."""

    status: str
    steps_completed: int = 0
    current_step: str | None = None
    waiting_for: JsonObject | None = None
    output: Json = None
    error: JsonObject | None = None
    variables: JsonObject | None = None
    finished_at: str | None = None
    temporal_run_id: str | None = None
    """The Temporal execution the run is in: another one after each continue-as-new."""
    number: int = 0
    """Counts the run's reports: an older one that comes late changes nothing. 0 = always counts."""


@dataclass(frozen=True, kw_only=True)
class FailedAttempt:
    """A failed attempt of a step that holds others: an effect writes its own."""

    path: str
    generation: int
    attempt: int
    error: JsonObject
    started_at: str
    finished_at: str
    next_attempt_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordBatch:
    """Finished step records and the run's state, written in one transaction; writing it twice changes nothing."""

    workspace_id: str
    run_id: str
    steps: list[StepRecord]
    run: RunUpdate
    closed_waits: list[str] = field(default_factory=list)
    """Paths of waits that are over."""
    attempts: list[FailedAttempt] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    """Beginnings of paths whose rows are let go: all but the latest iterations of a long `repeat`."""
    journal: "JournalState | None" = None
    """Kept when a run ended other than completed, so that it can be redriven when Temporal has forgotten it."""
    is_child: bool = False
    """Another run waits for this one's end."""
    has_children: bool = False
    """The definition has steps that start runs: none of those it waited for may outlive it."""


@dataclass(frozen=True, kw_only=True)
class OpenWait:
    """Register a wait, with the records that precede it, then look for an event that is already there.

    `match` is a normalised condition, `context` the names of the run it uses. `since` is wait_start, run_start or a
    moment.
    """

    batch: RecordBatch
    path: str
    event: str
    match: Json = None
    context: JsonObject = field(default_factory=dict)
    since: str = "wait_start"
    until: str | None = None
    age: float = 0.0
    """Seconds since the wait began: its registration had to wait for its turn."""


@dataclass(frozen=True, kw_only=True)
class OpenedWait:
    """`since` as fixed by the database's clock; `found`: the earliest event since then that matches, if any."""

    since: str
    found: JsonObject | None = None


@dataclass(frozen=True, kw_only=True)
class OpenApproval:
    """Register an approval, with the records that precede it; `until` is when it can no longer be answered."""

    batch: RecordBatch
    path: str
    generation: int
    attempt: int
    title: str
    message: str
    approvers: list[str]
    form: JsonObject | None = None
    until: str | None = None


@dataclass(frozen=True, kw_only=True)
class OpenedApproval:
    """`links`: `{approver, link}` for each who is asked; one of nobody in particular where no approvers are named.

    A link is a mark that an action turns into the real address when it sends it: histories hold nothing that opens.
    Without an encryption key there are none.
    """

    id: str
    links: list[JsonObject] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class WorkflowVariables:
    """Values to keep for the workflow's later runs."""

    workspace_id: str
    workflow_id: str
    run_id: str
    path: str
    values: JsonObject


@dataclass(frozen=True, kw_only=True)
class LostEffects:
    """What is kept of the run's effects that have an `order` higher than `after`?"""

    workspace_id: str
    run_id: str
    after: int


@dataclass(frozen=True, kw_only=True)
class LostEffect:
    """An effect that is over: done under `key`, or failed for good with `error`."""

    path: str
    key: str | None = None
    error: JsonObject | None = None
