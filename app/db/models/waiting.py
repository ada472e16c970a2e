"""What happens from outside, and what runs wait for: events, waits, approvals."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Computed, ForeignKeyConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, of_workspace
from app.json import JsonObject


class Event(Base):
    """An event as it came in. Committed before it is dispatched; `dispatched_at` is set when all it does is done."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_type", "workspace_id", "type", "received_at"),
        Index("events_undispatched", "workspace_id", "received_at", postgresql_where=text("dispatched_at IS NULL")),
        Index("events_received", "workspace_id", "received_at"),
        Index("events_source", "workspace_id", "source", "received_at"),
        Index("events_subject", "workspace_id", "subject", "received_at", postgresql_where=text("subject IS NOT NULL")),
        Index(
            "events_caused",
            *("workspace_id", "caused_by_run", "received_at"),
            postgresql_where=text("caused_by_run IS NOT NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = of_workspace()
    source: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    subject: Mapped[str | None]
    time: Mapped[datetime | None]
    data: Mapped[Any | None]
    extensions: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    """Further CloudEvents attributes, `datacontenttype` and `dataschema` among them."""
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    dispatched_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    """When it was dispatched last and not all was done: others are tried before it is tried again."""
    caused_by: Mapped[JsonObject | None]
    """`{run_id, step_path, depth}` of an event that a step emitted; `depth` counts the events of its chain."""
    caused_by_run: Mapped[str | None] = mapped_column(Computed("caused_by ->> 'run_id'", persisted=True))
    only_workflow: Mapped[UUID | None]
    """A replay for this workflow alone: it starts no other one and wakes no run."""
    started: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    woke: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))


class Wait(Base):
    """A run that waits for an event. Written before the run waits; `closed_at` is set when it no longer does."""

    __tablename__ = "waits"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"),
        Index(
            "waits_open",
            *("of_event", "key_fields", "key_digest"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    event: Mapped[str]
    of_event: Mapped[str] = mapped_column(Computed("workspace_id::text || ' ' || event", persisted=True))
    """By what an event finds it; why it holds the workspace is said at `Subscription.address`."""
    match: Mapped[Any | None]
    context: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    key_fields: Mapped[str | None]
    key_digest: Mapped[int | None] = mapped_column(BigInteger)
    """What an event must say to match (`definition/event_keys.py`); null where every event is to be looked at."""
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]


class Approval(Base):
    """What a run asks people. Written before anybody is told of it, and again when it is asked anew."""

    __tablename__ = "approvals"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"),
        Index("approvals_step", "workspace_id", "run_id", "path", unique=True),
        Index("approvals_opened", "workspace_id", "opened_at", "id"),
        Index("approvals_open", "workspace_id", "opened_at", "id", postgresql_where=text("status = 'open'")),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID]
    path: Mapped[str]
    generation: Mapped[int]
    attempt: Mapped[int]
    """Generation and attempt of the step it was asked in last."""
    title: Mapped[str]
    message: Mapped[str]
    approvers: Mapped[list[str]]
    form: Mapped[JsonObject | None]
    status: Mapped[str] = mapped_column(server_default="open")
    """open, approved, rejected, timed_out or cancelled."""
    answer: Mapped[JsonObject | None]
    """`{decision, answer, comment, by, via, at}`"""
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    until: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
