"""What starts runs at moments: one row for each schedule trigger of a workflow that is published."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, of_workspace
from app.json import JsonObject


class Schedule(Base):
    """A schedule as Temporal shall have it. It outlives its workflow until Temporal's schedule is gone."""

    __tablename__ = "schedules"
    __table_args__ = (
        Index("schedules_workflow", "workspace_id", "workflow_id", "position"),
        Index(
            "schedules_behind",
            "workspace_id",
            "updated_at",
            postgresql_where=text("synced IS DISTINCT FROM revision OR deleted_at IS NOT NULL"),
        ),
        Index("schedules_checked", "workspace_id", "checked_at"),
    )

    workspace_id: Mapped[UUID] = of_workspace()
    id: Mapped[UUID] = mapped_column(primary_key=True)
    workflow_id: Mapped[UUID]
    workflow_name: Mapped[str]
    position: Mapped[int]
    """Place of the trigger among all triggers of the definition."""
    trigger: Mapped[JsonObject]
    """The trigger as its definition says it."""
    live: Mapped[bool]
    """Its workflow is active."""
    status: Mapped[str] = mapped_column(server_default="active")
    """active or paused: by a person, or after too many failures."""
    paused_reason: Mapped[str | None]
    paused_by: Mapped[str | None]
    """Who paused it; null for a pause after failures."""
    paused_at: Mapped[datetime | None]
    consecutive_failures: Mapped[int] = mapped_column(server_default=text("0"))
    last_run_id: Mapped[UUID | None]
    last_run_at: Mapped[datetime | None]
    last_status: Mapped[str | None]
    last_scheduled_for: Mapped[datetime | None]
    last_error: Mapped[str | None]
    """Why its last moment has no run, where that is worth knowing."""
    last_triggered_for: Mapped[datetime | None]
    """The latest moment that was made up for a trigger by hand: no two have the same."""
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    """Counts what was changed of it."""
    synced: Mapped[int | None] = mapped_column(BigInteger)
    """The revision that Temporal has; null = none."""
    sync_error: Mapped[str | None]
    """Why Temporal does not have it as it should be."""
    paused_in_temporal: Mapped[str | None]
    """The note of somebody's pause in Temporal itself, which stays; null = there is none."""
    deleted_at: Mapped[datetime | None]
    """It is to be deleted in Temporal; then the row goes as well."""
    checked_at: Mapped[datetime | None]
    """When Temporal was last asked whether it is there, as it should be."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
