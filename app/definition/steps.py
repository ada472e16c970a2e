"""The step kinds: one model each, and `Step`, their union by `type`.

Only shapes stand here; what a kind does is one function in `workflows/steps/`. A kind that holds other steps says where
in `children`, so that checks and editors walk the tree without knowing the kinds.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from app.definition.base import Document
from app.definition.conditions import Condition, EventFilter
from app.definition.durations import Duration
from app.definition.error_types import StepError
from app.json import Json, JsonObject

StepId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Place = tuple[str | int, ...]
"""Keys and indices from a step to something inside it: `("branches", 0, "steps")`."""

Evaluated = tuple[Place, Json, tuple[str, ...]]
"""A field with expressions: its place in the step, its value, and names it knows besides those of the run."""

ErrorPolicy = Literal["fail", "continue", "branch", "hold"]


class Retry(Document):
    """How often and at what pace a failed step is tried again. `max_attempts` counts the first attempt."""

    max_attempts: int = Field(3, ge=1, le=1000, description="How often it is tried, the first attempt included.")
    initial_interval: Duration = Field("1s", description="Pause before the second attempt.")
    backoff: float = Field(2.0, ge=1, le=10, description="Each further pause is this many times the one before.")
    max_interval: Duration = Field("1m", description="No pause is longer.")
    jitter: float = Field(0.2, ge=0, le=1, description="Part of each pause that is random, so that retries spread out.")
    retry_on: list[StepError] | None = Field(
        None,
        min_length=1,
        description="Error types worth another attempt, and no others; absent = those that are retryable.",
    )


class StepBase(Document):
    """The fields every kind has."""

    id: StepId = Field(description="Unique in the definition.")
    name: str = Field("", max_length=200, description="For people; the id when empty.")
    description: str = Field("", max_length=4000)
    enabled: bool = Field(True, description="false = the step is skipped.")
    when: Condition | None = Field(None, description="The step is skipped unless this holds.")
    output_key: StepId | None = Field(None, description="Where later steps find it, `steps.<key>`; default its id.")
    on_error: ErrorPolicy = Field(
        "fail",
        description="What a failure does once no attempt is left: fail the run, go on with the next step, walk "
        "`error_steps`, or hold the run until an operator decides.",
    )
    error_steps: list["Step"] = Field(default_factory=list, description="Run when `on_error` is `branch`.")
    retry: Retry | None = Field(None, description="Attempts; an action's default comes from its catalog entry.")
    timeout: Duration | None = Field(None, description="Longest one attempt may take.")
    compensate: list["Step"] = Field(
        default_factory=list,
        description="How the step is undone: once it is completed, these run when the run fails, times out or is "
        "cancelled. The step that was completed last is undone first.",
    )

    @property
    def key(self) -> str:
        """The name under `steps` in expressions."""
        return self.output_key or self.id

    @property
    def title(self) -> str:
        """What people read: the name, or the id where there is none."""
        return self.name or self.id

    def evaluated(self) -> Iterator[Evaluated]:
        """The fields of this kind that may hold expressions (those of every kind stand apart)."""
        yield from ()

    def children(self) -> Iterator[tuple[Place, list["Step"]]]:
        """Lists of steps inside this one, each with its place; `error_steps` and `compensate` come last."""
        if self.error_steps:
            yield ("error_steps",), self.error_steps
        if self.compensate:
            yield ("compensate",), self.compensate


class ActionStep(StepBase):
    """Do something from the catalog."""

    type: Literal["action"]
    action: str = Field(description="Catalog id (`email.send`) or one of its aliases.")
    inputs: JsonObject = Field(default_factory=dict, description="The action's inputs; values may hold expressions.")
    connection: str | None = Field(None, description="Name of the connection whose credentials it uses.")

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("inputs",), self.inputs, ()


class ConditionBranch(Document):
    when: Condition = Field(description="The branch is walked when this holds and none before it did.")
    steps: list["Step"] = Field(description="The branch's steps.")
    name: str = Field("", max_length=200, description="For people; stands in the output.")


class ConditionStep(StepBase):
    """Walk the first branch whose condition holds, else `else`."""

    type: Literal["condition"]
    branches: list[ConditionBranch] = Field(min_length=1, description="Looked at in this order.")
    else_: list["Step"] = Field(default_factory=list, alias="else", description="Walked when no branch's `when` holds.")

    def evaluated(self) -> Iterator[Evaluated]:
        for index, branch in enumerate(self.branches):
            yield ("branches", index, "when"), branch.when, ()

    def children(self) -> Iterator[tuple[Place, list["Step"]]]:
        for index, branch in enumerate(self.branches):
            yield ("branches", index, "steps"), branch.steps
        if self.else_:
            yield ("else",), self.else_
        yield from super().children()


class TimeOfDay(Document):
    """The next moment it is `time` in `timezone` on one of `days`."""

    time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", description="HH:MM or HH:MM:SS, 24 hours.")
    timezone: str = Field("UTC", description="IANA name, such as Europe/Berlin.")
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default_factory=list, description="Allowed weekdays; empty = every day."
    )


class DelayStep(StepBase):
    """Wait for a duration, until a moment, or for the next such time of day. Exactly one of the three."""

    type: Literal["delay"]
    duration: Duration | None = Field(None, description="How long to wait.")
    until: str | None = Field(None, description="RFC 3339 moment, usually an expression.")
    at: TimeOfDay | None = Field(None, description="The next such time of day.")

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("duration",), self.duration, ()
        yield ("until",), self.until, ()


class WaitForEventStep(StepBase):
    """Wait until an event of this type arrives for which `match` holds, or until `timeout`."""

    type: Literal["wait_for_event"]
    event: str = Field(description="Event type, exact or with a trailing wildcard (`crm.deal.*`).")
    match: EventFilter | None = Field(None, description="Condition over the event; its values may use the run's names.")
    since: str = Field("wait_start", description="wait_start, run_start or a moment: earlier events do not count.")
    on_timeout: Literal["continue", "fail"] = Field(
        "continue", description="When `timeout` is over: go on with null as output, or fail with `wait_timed_out`."
    )

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("match",), self.match, ()
        yield ("since",), self.since, ()


class ApprovalStep(StepBase):
    """Ask people, and wait until one of them approves or rejects, or until `timeout`.

    Output `{approved, decision, answer, comment, by, via, at, timed_out}`; `decision` is approved, rejected or
    timed_out.
    """

    type: Literal["approval"]
    title_: str = Field(alias="title", min_length=1, max_length=1000, description="What is asked, in one line.")
    message: str = Field("", max_length=20_000, description="What people need to know to decide; plain text.")
    approvers: list[str] | str = Field(
        default_factory=list,
        description="Who is asked: names or addresses, or an expression that yields them. Each gets a link of their "
        "own; the first answer counts.",
    )
    form: JsonObject | None = Field(
        None, description="JSON Schema (2020-12) of an object: what an approval says besides yes."
    )
    on_timeout: Literal["continue", "fail"] = Field(
        "continue", description="When `timeout` is over: go on, or fail with `wait_timed_out`."
    )
    on_reject: Literal["continue", "fail"] = Field(
        "continue", description="After a rejection: go on, or fail with `rejected`."
    )
    notify: list["Step"] = Field(
        default_factory=list, description="Run once the approval can be answered; they see `approval` with its links."
    )

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("title",), self.title_, ()
        yield ("message",), self.message, ()
        yield ("approvers",), self.approvers, ()

    def children(self) -> Iterator[tuple[Place, list["Step"]]]:
        if self.notify:
            yield ("notify",), self.notify
        yield from super().children()


class LoopStep(StepBase):
    """Walk `steps` once for each item, `concurrency` at a time; output `{results, count}`."""

    type: Literal["loop"]
    items: Json = Field(description="A list, or an expression that yields one.")
    item_variable: StepId = Field("item", description="What the item is called inside.")
    concurrency: int = Field(1, ge=1, le=100, description="How many items are walked at a time.")
    max_iterations: int = Field(10_000, ge=1, le=100_000, description="More items than this are an error.")
    steps: list["Step"] = Field(description="Walked for each item.")
    collect: Json = Field(
        None,
        description="Evaluated after each item; its values are `results`. Without it they are the outputs of each "
        "item's last step.",
    )

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("items",), self.items, ()
        yield ("collect",), self.collect, (self.item_variable, "loop")

    def children(self) -> Iterator[tuple[Place, list["Step"]]]:
        yield ("steps",), self.steps
        yield from super().children()


class RepeatStep(StepBase):
    """Walk `steps` again and again: until a condition holds after them, or while one holds before them.

    Output `{iterations, done, output}`: `done` is false when `max_iterations` were not enough, `output` is that of the
    last step of the last iteration.
    """

    type: Literal["repeat"]
    until: Condition | None = Field(
        None, description="Looked at after each iteration, whose steps it sees; the repeat is done when it holds."
    )
    while_: Condition | None = Field(
        None, alias="while", description="Looked at before each iteration; the repeat is done when it does not hold."
    )
    max_iterations: int = Field(1_000, ge=1, le=10_000_000, description="No more iterations than this.")
    on_exhausted: Literal["fail", "continue"] = Field(
        "fail", description="What it means when `max_iterations` are not enough."
    )
    interval: Duration | None = Field(None, description="Pause between two iterations; absent = none.")
    steps: list["Step"] = Field(description="One iteration.")

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("until",), self.until, ("loop",)
        yield ("while",), self.while_, ("loop",)
        yield ("interval",), self.interval, ("loop",)

    def children(self) -> Iterator[tuple[Place, list["Step"]]]:
        yield ("steps",), self.steps
        yield from super().children()


class ParallelBranch(Document):
    name: StepId = Field(description="Where the branch's output stands in that of the step.")
    steps: list["Step"] = Field(description="The branch's steps.")


class ParallelStep(StepBase):
    """Walk all branches at once; output by branch name: the output of the branch's last step."""

    type: Literal["parallel"]
    branches: list[ParallelBranch] = Field(min_length=1, max_length=50, description="Walked side by side.")
    wait_for: Literal["all", "any"] | Annotated[int, Field(ge=1)] = Field(
        "all", description="How many branches must end well; the others are cancelled then."
    )
    on_branch_error: Literal["cancel", "wait"] = Field(
        "cancel", description="A failed branch cancels the others, or they finish first."
    )

    def children(self) -> Iterator[tuple[Place, list["Step"]]]:
        for index, branch in enumerate(self.branches):
            yield ("branches", index, "steps"), branch.steps
        yield from super().children()


class RunWorkflowStep(StepBase):
    """Start a run of another workflow; output is that run's output, or `{run_id}` when it is not waited for."""

    type: Literal["run_workflow"]
    workflow: str = Field(min_length=1, description="Slug or id of the workflow, or an expression that yields one.")
    inputs: Json = Field(default_factory=dict, description="What `trigger` holds in that run; may hold expressions.")
    wait: bool = Field(
        True,
        description="Wait for the run's end: it is cancelled when the step is. false = it goes on by itself.",
    )

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("workflow",), self.workflow, ()
        yield ("inputs",), self.inputs, ()


class RespondStep(StepBase):
    """Answer the HTTP call that started the run, and go on. The first answer of a run counts."""

    type: Literal["respond"]
    status: Json = Field(200, description="HTTP status, 200 to 599, or an expression that yields one.")
    headers: JsonObject = Field(default_factory=dict, description="Header fields by name; values may be expressions.")
    body: Json = Field(None, description="A text is sent as it is, null as nothing, all else as JSON.")

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("status",), self.status, ()
        yield ("headers",), self.headers, ()
        yield ("body",), self.body, ()


class SetVariableStep(StepBase):
    """Set variables of the run (`vars`), or with `scope: workflow` also for all later runs."""

    type: Literal["set_variable"]
    variables: dict[StepId, Json] = Field(
        min_length=1, description="Names and their values, which may hold expressions."
    )
    scope: Literal["run", "workflow"] = Field(
        "run", description="Whether they are set for this run, or kept for all later runs of the workflow as well."
    )

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("variables",), self.variables, ()


class TransformStep(StepBase):
    """Output is `mapping` with its expressions evaluated."""

    type: Literal["transform"]
    mapping: JsonObject = Field(description="The object to make; values, at any depth, may hold expressions.")

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("mapping",), self.mapping, ()


class FilterStep(StepBase):
    """Keep the items for which `where` holds (the item is `item`); output `{items, count}`."""

    type: Literal["filter"]
    items: Json = Field(description="A list, or an expression that yields one.")
    where: Condition = Field(description="Looked at for each item, which it knows as `item`.")

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("items",), self.items, ()
        yield ("where",), self.where, ("item",)


AggregateOperation = Literal["sum", "average", "count", "min", "max", "first", "last", "unique", "group_by"]


class AggregateStep(StepBase):
    """One value from many items; `field` is a path inside each item. Output `{result}`."""

    type: Literal["aggregate"]
    items: Json = Field(description="A list, or an expression that yields one.")
    operation: AggregateOperation = Field(description="What is made of them.")
    field: str | None = Field(None, description="Path inside each item; without it the item itself counts.")

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("items",), self.items, ()


class StopStep(StepBase):
    """End the whole run, from any depth."""

    type: Literal["stop"]
    reason: str = Field("", description="For people; stands in the run's `error` when it did not complete.")
    status: Literal["completed", "failed", "cancelled"] = Field("completed", description="How the run ends.")
    output: Json = Field(None, description="What the run answers with, in place of the definition's `output`.")

    def evaluated(self) -> Iterator[Evaluated]:
        yield ("reason",), self.reason, ()
        yield ("output",), self.output, ()


Step = Annotated[
    ActionStep
    | ConditionStep
    | DelayStep
    | WaitForEventStep
    | ApprovalStep
    | LoopStep
    | RepeatStep
    | ParallelStep
    | RunWorkflowStep
    | RespondStep
    | SetVariableStep
    | TransformStep
    | FilterStep
    | AggregateStep
    | StopStep,
    Field(discriminator="type"),
]

_MODELS: tuple[type[Document], ...] = (StepBase, ConditionBranch, ParallelBranch, *StepBase.__subclasses__())
for _model in _MODELS:
    _model.model_rebuild()
