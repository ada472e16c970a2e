"""What crosses Temporal: inputs, results, signals and queries of the generic workflow and its activities.

Plain dataclasses of JSON values, because they are written into histories that outlive a release: a field may be added
with a default, never renamed or removed. Times are RFC 3339 in UTC, durations seconds.
"""

from dataclasses import dataclass, field

from app.json import Json, JsonObject


@dataclass(frozen=True, kw_only=True)
class TriggerInfo:
    """What started the run: `data` is what `trigger` holds, `event` the CloudEvents envelope (without data) if any."""

    type: str
    data: Json = None
    event_id: str | None = None
    event: JsonObject | None = None


@dataclass(frozen=True, kw_only=True)
class RunInput:
    """The whole input of a run. The definition itself travels along, so a run never reads "latest"."""

    workspace_id: str
    workspace_name: str
    run_id: str
    workflow_id: str
    workflow_name: str
    version: int
    digest: str
    definition: JsonObject
    trigger: TriggerInfo
    created_at: str
    variables: JsonObject = field(default_factory=dict)
    """Values over the definition's own variables: kept workflow variables, then what the request gave."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended: `status` completed, failed, cancelled or timed_out."""

    status: str
    output: Json = None
    error: JsonObject | None = None
    """`{type, message, step_id, path}`"""


@dataclass(kw_only=True)
class StepRecord:
    """One step as it stands: the journal's entry, the timeline's line and the database's row."""

    path: str
    step_id: str
    name: str
    type: str
    status: str
    order: int = 0
    """Counts the run's steps in the order they began."""
    action: str | None = None
    attempt: int = 1
    generation: int = 1
    """Counts the times the step was begun anew: by a retry of what is around it, or by an operator."""
    effect: int = 1
    """Counts the step's effects, each with a key of its own: a generation after a failure brings a new one."""
    inputs: Json = None
    output: Json = None
    error: JsonObject | None = None
    """`{type, message, retryable, provider_code}`"""
    failed_path: str | None = None
    """Path of the innermost step that failed; the step's own unless it holds other steps."""
    started_at: str | None = None
    finished_at: str | None = None
    wait: JsonObject | None = None
    """`{kind, event, until}`; also what a wait began with (`since`) and how it ended (`timed_out`, `received`)."""
    handled: bool = False
    """A failure its own `on_error` took care of: the run went on."""


@dataclass(frozen=True, kw_only=True)
class RetryPlan:
    """A step's retry policy in seconds, as its activity needs it."""

    max_attempts: int
    initial_interval: float
    backoff: float
    max_interval: float
    jitter: float


@dataclass(frozen=True, kw_only=True)
class ActionCall:
    """One attempt of one action. `key` is the effect's stable idempotency key.

    `previous_attempts` counts attempts made before this Temporal activity began (a local first attempt, say), so that
    attempt numbers go on. `timeout` is the limit of the attempt itself.
    """

    workspace_id: str
    run_id: str
    workflow_id: str
    path: str
    step_id: str
    name: str
    action: str
    key: str
    inputs: JsonObject
    connection: str | None
    timeout: float
    retry: RetryPlan
    previous_attempts: int = 0
    order: int = 0
    generation: int = 1
    started_at: str | None = None
    kept: bool = False
    """The effect was done: its kept outcome is asked for, and nothing must be done again."""


@dataclass(frozen=True, kw_only=True)
class ActionOutcome:
    """What an action gave. `inputs` are the resolved ones with secrets masked, so that a history shows all of it."""

    output: Json
    inputs: JsonObject
    attempt: int
    started_at: str
    finished_at: str
    repeated: bool = False
    """True when a stored outcome answered and nothing was done again."""
    kept: bool = False
    """The output is too large for a local activity's answer and is kept in the database, to be asked for by key."""


@dataclass(frozen=True, kw_only=True)
class RunUpdate:
    """The run's row as it should stand now; None leaves a field as it is, except `waiting_for` and `current_step`."""

    status: str
    steps_completed: int = 0
    current_step: str | None = None
    waiting_for: JsonObject | None = None
    output: Json = None
    error: JsonObject | None = None
    variables: JsonObject | None = None
    finished_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordBatch:
    """Finished step records and the run's state, written in one transaction; writing it twice changes nothing."""

    workspace_id: str
    run_id: str
    steps: list[StepRecord]
    run: RunUpdate
    closed_waits: list[str] = field(default_factory=list)
    """Paths of waits that are over."""


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


@dataclass(frozen=True, kw_only=True)
class OpenedWait:
    """`since` as fixed by the database's clock; `found`: the earliest event since then that matches, if any."""

    since: str
    found: JsonObject | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveredEvent:
    """Signal: this event matches the waits at these paths. `event` is the envelope with `data`."""

    event: JsonObject
    paths: list[str]


@dataclass(frozen=True, kw_only=True)
class WorkflowVariables:
    """Values to keep for the workflow's later runs."""

    workspace_id: str
    workflow_id: str
    run_id: str
    path: str
    values: JsonObject


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Answer of the timeline query: the run as it stands inside Temporal, steps in the order they began."""

    status: str
    current_step: str | None
    waiting_for: JsonObject | None
    steps_completed: int
    steps: list[StepRecord]
    variables: JsonObject
