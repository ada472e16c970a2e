"""What crosses Temporal: inputs, results, signals and queries of the generic workflow and its activities.

Plain dataclasses of JSON values, because they are written into histories that outlive a release: a field may be added
with a default, never renamed or removed. Times are RFC 3339 in UTC, durations seconds.
"""

from dataclasses import dataclass, field

from app.json import Json, JsonObject
from app.temporal.child_messages import ChildEnded

WALK = 4
"""How runs are walked now; an execution keeps the number it began with. A change of the walk takes the next one where
Temporal's own patch marker would cost each run too much.

2: never two local activities at a time, and a wait that ends beside others is closed at once.
3: local activities only while one walker walks.
4: a run that is cancelled or timed out first takes in the effects of a task that got lost with its worker, and an
execution that begins with very many waits still has room for something to happen; a long pause between attempts does
not keep what goes on beside it from going on in a new execution.
"""


@dataclass(frozen=True, kw_only=True)
class TriggerInfo:
    """What started the run: `data` is what `trigger` holds, `event` the CloudEvents envelope (without data) if any."""

    type: str
    data: Json = None
    event_id: str | None = None
    event: JsonObject | None = None


MOST_RUN_DATA = 14_000_000
"""The highest limit there is for `DataLimits.outputs`. A run takes along 16 MiB at most when it goes on in a new
execution; what is left is room for records, events that came early and children's results."""


@dataclass(frozen=True, kw_only=True)
class DataLimits:
    """How much a run may hold, in bytes of JSON. It keeps the limits it was started with."""

    step_output: int
    """What one step may give, and one item of a loop."""
    outputs: int
    """All that is kept of what the steps gave, and the variables."""
    whole: bool = False
    """Whether all counts that the run takes along into its next execution: also what steps were given, what loops go
    over and which step set which variable. Runs from before that was so go on without."""


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
    carry: Json = None
    """What the run brings along, from its execution before this one or from the run it is a redrive of: a `Carry` as
    `plain.as_plain` writes it."""
    walk: int = 1
    """Which way of walking the execution began with: `WALK` for new ones. Replays go the way their run went."""
    limits: DataLimits | None = None
    """None for runs from before there were limits."""
    parent_run_id: str | None = None
    """The run whose step started this one and waits for it."""
    secrets: JsonObject = field(default_factory=dict)
    """By the names of the secret variables the definition uses: marks, in whose place actions send the values."""
    workspace_variables: JsonObject = field(default_factory=dict)
    """Those plain variables of the workspace that the definition uses, as they stood when the run was begun."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended: `status` completed, failed, cancelled or timed_out."""

    status: str
    output: Json = None
    error: JsonObject | None = None
    """`{type, message, step_id, path}`"""
    not_undone: list[str] = field(default_factory=list)
    """What could not be compensated and why: the first ones."""
    failed_compensations: int = 0


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
    deadline: str | None = None
    """When the time limit of a step that holds others, or waits, is over."""
    again_at: str | None = None
    """When the next attempt is due, while the step pauses between two."""
    decision: JsonObject | None = None
    """What an operator decided while the step was held: `{decision, by, at}`."""
    unkept: bool = False
    """The effect was done while the database was away: its row is still to be written."""
    renew: bool = False
    """The step failed or was cancelled inside something that is tried again: it begins anew when it is reached."""


@dataclass(frozen=True, kw_only=True)
class RetryPlan:
    """A step's retry policy in seconds, as its activity needs it."""

    max_attempts: int
    initial_interval: float
    backoff: float
    max_interval: float
    jitter: float
    retry_on: list[str] | None = None
    """Error types worth another attempt; None = those the table of error types calls retryable."""


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
    decision: JsonObject | None = None
    """The operator's decision that had the effect done again."""
    longest_pause: float | None = None
    """Seconds up to which Temporal makes the pause before the next attempt; a longer one is the run's. None: any."""
    largest_output: int | None = None
    """Bytes of JSON the action may hand on; None: what Temporal takes."""
    marks: list[str] = field(default_factory=list)
    """What stands for secrets in this run, so that one whose key is gone is told from what somebody else wrote."""


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
    unkept: bool = False
    """The database was away: this answer is all there is, and its row is the run's to write."""


@dataclass(frozen=True, kw_only=True)
class DeliveredEvent:
    """Signal: this event matches the waits at these paths. `event` is the envelope with `data`."""

    event: JsonObject
    paths: list[str]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Answer of the timeline query: the run as it stands inside Temporal, steps in the order they began."""

    status: str
    current_step: str | None
    waiting_for: JsonObject | None
    steps_completed: int
    steps: list[StepRecord]
    variables: JsonObject
    left_out: list[str] = field(default_factory=list)
    """Variables that are too large to be told."""


@dataclass(kw_only=True)
class LoopProgress:
    """A loop under way: what it began with, and `[index, result]` of each item that is finished."""

    items: list[Json]
    results: list[list[Json]] = field(default_factory=list)


@dataclass(kw_only=True)
class RepeatProgress:
    """A repeat under way: the iteration it is in, from 0, what the one before gave, and when the next one is due."""

    index: int = 0
    begun: bool = False
    output: Json = None
    again_at: str | None = None
    base: int = 0
    """Iterations before the latest time that all allowed ones were not enough; a retry is allowed as many again."""


@dataclass(kw_only=True)
class Assignment:
    """Variables that a step set, or that the finished items of a loop did; `order` is the setting step's."""

    order: int
    values: JsonObject


@dataclass(kw_only=True)
class Compensation:
    """A step that is done and says how it is undone: where it stands and what its `compensate` steps see.

    `views` are those of the loop item it was done in (`steps.<key>`), `names` the item's own: both are gone by then.
    """

    path: str
    step_id: str
    names: JsonObject = field(default_factory=dict)
    views: JsonObject = field(default_factory=dict)


@dataclass(kw_only=True)
class JournalState:
    """The journal as it travels: everything a walk needs in order to take what is done instead of doing it."""

    records: list[StepRecord] = field(default_factory=list)
    """In the order the steps began. Records below a finished loop item are not among them."""
    latest_effect: int = 0
    """The highest `order` of an effect that is done."""
    loops: dict[str, LoopProgress] = field(default_factory=dict)
    repeats: dict[str, RepeatProgress] = field(default_factory=dict)
    begun: dict[str, JsonObject] = field(default_factory=dict)
    """What an effect that pauses between attempts, or an operator's retry, goes on with: `{inputs}` by path."""
    assignments: dict[str, Assignment] = field(default_factory=dict)
    compensations: list[Compensation] = field(default_factory=list)
    """In the order the steps were completed."""
    keys: dict[str, str] = field(default_factory=dict)
    """Effect keys by path that are not made of this run's id: nobody knows whether a redriven run's effect happened,
    and its old key finds out."""
    completed: int = 0
    begun_steps: int = 0
    variables: JsonObject = field(default_factory=dict)
    """The run's variables as they stand."""
    first_variables: JsonObject = field(default_factory=dict)
    """The run's variables before any step set one."""
    run_started_at: str | None = None
    """When the run, or the run it is a redrive of, was asked for: what `since: run_start` means."""
    dropped: list[str] = field(default_factory=list)
    """Beginnings of paths whose rows the next execution lets go."""


@dataclass(frozen=True, kw_only=True)
class WaitingEvent:
    """An event that came and was not yet taken by the wait at the path."""

    path: str
    event: JsonObject


@dataclass(frozen=True, kw_only=True)
class Carry:
    """All of a run that the next execution goes on from. A redrive brings a journal and nothing else."""

    journal: JournalState
    started_at: str | None = None
    """When the first execution began; None = now."""
    deadline: str | None = None
    """When `settings.timeout` is over."""
    ending: RunResult | None = None
    """How the body ended, when only compensation, `finally` and the records are left."""
    events: list[WaitingEvent] = field(default_factory=list)
    seen: list[list[str]] = field(default_factory=list)
    """`[path, source, id]` of events that were delivered."""
    decisions: dict[str, "Decision"] = field(default_factory=dict)
    paused: bool = False
    announced: list[str] = field(default_factory=list)
    executions: int = 1
    """Temporal executions before the next one."""
    reports: int = 0
    reported: list[str] = field(default_factory=list)
    children: list[ChildEnded] = field(default_factory=list)
    """Runs it started that have ended, and whose steps have not heard of it."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Update `decide`: what becomes of the held step at this path. `decision` is retry, skip or fail.

    `inputs` replace the inputs of a held action for its retry, `output` is what a skipped step answers.
    """

    path: str
    decision: str
    inputs: JsonObject | None = None
    output: Json = None
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class SignalledEvent:
    """Update `signal_event`: an event for this run alone, with `path` only for the wait there. Answers what it woke."""

    event: JsonObject
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class ApprovalAnswer:
    """Update `approve`: what `by` answers to the approval at this path. `decision` is approved or rejected.

    `answer` is what was filled in, which fits the form; `via` is api or link. Answers `{decision, answer, comment, by,
    via, at}` as the run keeps it.
    """

    path: str
    decision: str
    answer: Json = None
    comment: str | None = None
    by: str
    via: str = "api"
