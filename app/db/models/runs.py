"""What runs leave: their rows, their steps and attempts, their journals and large values."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, of_workspace
from app.json import JsonObject


def _limited(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, "workspace_id", *columns, unique=unique, postgresql_where=text(where))


LIMIT_INDEXES = (
    _limited("runs_once", "workflow_id", "once_key", where="once_key IS NOT NULL", unique=True),
    _limited("runs_rate", "workflow_id", "rate_number", where="rate_number IS NOT NULL", unique=True),
    _limited(
        "runs_places", "workflow_id", "concurrency_key", "id",
        where="concurrency_key IS NOT NULL AND finished_at IS NULL AND (queue IS NULL OR queue = 'rate')",
    ),
    _limited("runs_queued", "workflow_id", "concurrency_key", "id", where="queue = 'concurrency'"),
    _limited("runs_delayed", "workflow_id", "id", where="queue = 'rate'"),
    _limited("runs_cancel_due", "id", where="cancel_due AND finished_at IS NULL"),
    _limited("runs_unlaunched", "id", where="status = 'pending' AND queue IS NULL"),
)  # fmt: skip
"""What the limits of a workflow are counted by; what they do not concern is in none but the last."""


class Run(Base):
    """One execution. What is in flight lives in Temporal; this is what people search."""

    __tablename__ = "runs"
    __table_args__ = (
        # Whose a run is. It gives no order: nothing else can take it for the way through a workspace's runs.
        Index("runs_id", "id", postgresql_using="hash"),
        Index("runs_idempotency", "workspace_id", "workflow_id", "idempotency_key", unique=True),
        Index("runs_workflow", "workspace_id", "workflow_id", "id"),
        Index("runs_status", "workspace_id", "status", "id"),
        Index("runs_retries", "workspace_id", "retry_of", postgresql_where=text("retry_of IS NOT NULL")),
        Index("runs_ended", "workspace_id", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index("runs_unchecked", "workspace_id", "checked_at", postgresql_where=text("finished_at IS NULL")),
        *LIMIT_INDEXES,
        Index(
            "runs_conversation",
            *("workspace_id", "workflow_id", "conversation", "id"),
            postgresql_where=text("conversation IS NOT NULL"),
        ),
        Index(
            "runs_child",
            "workspace_id",
            "parent_run_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("parent_run_id IS NOT NULL"),
        ),
        Index(
            "runs_children", "workspace_id", "parent_run_id", "id", postgresql_where=text("parent_run_id IS NOT NULL")
        ),
        Index(
            "runs_scheduled",
            "workspace_id",
            "schedule_id",
            postgresql_where=text("schedule_id IS NOT NULL AND finished_at IS NULL"),
        ),
        Index(
            "runs_untold",
            "workspace_id",
            "id",
            postgresql_where=text("told_workflow IS NOT NULL AND finished_at IS NOT NULL"),
        ),
        Index(
            "runs_unsettled",
            "workspace_id",
            "id",
            postgresql_where=text("parent_waits AND (orphaned OR finished_at IS NOT NULL)"),
        ),
    )

    workspace_id: Mapped[UUID] = of_workspace()
    id: Mapped[UUID] = mapped_column(primary_key=True)
    workflow_id: Mapped[UUID]
    workflow_name: Mapped[str]
    version: Mapped[int]
    status: Mapped[str] = mapped_column(server_default="pending")
    trigger_type: Mapped[str]
    trigger_event_id: Mapped[str | None]
    trigger_event: Mapped[JsonObject | None]
    input: Mapped[Any | None]
    """What `trigger` holds: the request's input or the event's data."""
    output: Mapped[Any | None]
    error: Mapped[JsonObject | None]
    variables: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    given_variables: Mapped[JsonObject | None]
    """What `variables` held when the run was asked for, once it holds others: a retry begins with them again."""
    current_step: Mapped[str | None]
    waiting_for: Mapped[JsonObject | None]
    parent_run_id: Mapped[UUID | None]
    """The run whose `run_workflow` step started this one."""
    parent_path: Mapped[str | None]
    """Path of that step."""
    parent_waits: Mapped[bool] = mapped_column(server_default=text("false"))
    """That step waits for this run's end and was not told of it yet."""
    orphaned: Mapped[bool] = mapped_column(server_default=text("false"))
    """The parent ended while it waited: this run is to be cancelled."""
    depth: Mapped[int] = mapped_column(server_default=text("0"))
    """How many runs are above this one."""
    cause_depth: Mapped[int] = mapped_column(server_default=text("0"))
    """How many events that runs emitted led to it, one by the other; 0 = people started it."""
    conversation: Mapped[str | None]
    """The contact whose messages are for this run as long as it is under way."""
    schedule_id: Mapped[UUID | None]
    """The schedule that started the run."""
    told_workflow: Mapped[str | None]
    """Id of the Temporal workflow of the schedule's moment, until the schedule knows how the run ended."""
    told_at: Mapped[datetime | None]
    """When upkeep last told that Temporal workflow of the run's end."""
    retry_of: Mapped[UUID | None]
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    steps_completed: Mapped[int] = mapped_column(server_default=text("0"))
    steps_total: Mapped[int] = mapped_column(server_default=text("0"))
    idempotency_key: Mapped[str | None]
    """The request's `Idempotency-Key`, `event:<source>:<id>` for a start by an event, `run:<id>/<path>` for one by a
    step, `schedule:<id>:<moment>` for one by a schedule."""
    request_digest: Mapped[str | None]
    """SHA-256 of what a request with an `Idempotency-Key` asked for: the same key must not ask for something else."""
    temporal_run_id: Mapped[str | None]
    reports: Mapped[int] = mapped_column(server_default=text("0"))
    """How often the run itself has reported: an older report that comes late changes nothing."""
    response: Mapped[JsonObject | None]
    """What a `respond` step answered the caller with: `{path, status, headers, body, at}`. The first one stays."""
    redriven_from: Mapped[str | None]
    """Path of the step a redrive (`retry_of` says of which run) begins with."""
    checked_at: Mapped[datetime | None]
    """When upkeep last made sure that Temporal still has the run."""
    once_key: Mapped[str | None]
    """The value of `run_once_per`: no second run of the workflow has it."""
    concurrency_key: Mapped[str | None]
    """The value of `concurrency.key`: with others of this value the run shares places."""
    queue: Mapped[str | None]
    """What a pending run that must not begin yet waits for: `concurrency` (a place) or `rate` (the hour; it has its
    place by then). Null = nothing."""
    rate_number: Mapped[int | None] = mapped_column(BigInteger)
    """Counts the runs of a workflow with `max_runs_per_hour`, in the order they were let in."""
    replaced_by: Mapped[UUID | None]
    """The run that took this one's place (`excess: replace`)."""
    cancel_due: Mapped[bool] = mapped_column(server_default=text("false"))
    """It was replaced, and Temporal is still to be told."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Step(Base):
    """One step of a run: the record people search and, for an effect, its outcome row (keyed by run and path)."""

    __tablename__ = "steps"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(
        BigInteger, autoincrement=True, server_default=text("nextval('steps_sequence')")
    )
    step_id: Mapped[str]
    name: Mapped[str]
    type: Mapped[str]
    action: Mapped[str | None]
    status: Mapped[str]
    effect_key: Mapped[str | None]
    """Set by the effect's own commit: a completed row with this key answers a repeat."""
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    inputs: Mapped[Any | None]
    output: Mapped[Any | None]
    error: Mapped[JsonObject | None]
    wait: Mapped[JsonObject | None]
    decision: Mapped[JsonObject | None]
    """What an operator decided about the step while it was held: `{decision, by, at}`."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class StepAttempt(Base):
    """A failed attempt of an effect, written when it fails, so that retries are visible while they happen."""

    __tablename__ = "step_attempts"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, server_default=text("1"))
    attempt: Mapped[int] = mapped_column(primary_key=True)
    error: Mapped[JsonObject]
    next_attempt_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]


class Journal(Base):
    """A run's journal, kept for redriving: of a run that ended other than completed, or what a redrive begins with."""

    __tablename__ = "journals"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    journal: Mapped[JsonObject]
    """`app.temporal.messages.JournalState` as JSON."""
    is_seed: Mapped[bool] = mapped_column(server_default=text("false"))
    """What a redriven run begins with, and not what a run came to."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StoredPayload(Base):
    """A value too large for Temporal, which keeps a reference to it. Named by its content, so that twice is once."""

    __tablename__ = "payloads"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of the serialised payload, in hex."""
    payload: Mapped[bytes]
    """A serialised `temporal.api.common.v1.Payload`, compressed with zlib."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
