"""Who did what to what. Rows are added and read: the database refuses every other thing (migration 0026)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, of_workspace
from app.json import JsonObject


class AuditEntry(Base):
    """One act of somebody, written in the transaction of what it changed."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("audit_log_actor", "workspace_id", "actor_id", "id"),
        Index("audit_log_action", "workspace_id", "action", "id"),
        Index("audit_log_target", "workspace_id", "target_id", "id"),
        Index("audit_log_outcome", "workspace_id", "outcome", "id"),
        Index("audit_log_actor_kind", "workspace_id", "actor_kind", "id"),
        Index("audit_log_target_type", "workspace_id", "target_type", "id"),
    )

    workspace_id: Mapped[UUID] = of_workspace()
    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Says when it was made, as `at` does: both are in one order."""
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    """key, person, platform, link (an approval's) or system (the command line on the server)."""
    actor_id: Mapped[str | None]
    """Id of the key, `sub` of the person, the approver of the link."""
    actor_name: Mapped[str]
    action: Mapped[str]
    target_type: Mapped[str]
    target_id: Mapped[str | None]
    target_name: Mapped[str | None]
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None]
    before: Mapped[JsonObject | None]
    after: Mapped[JsonObject | None]
    outcome: Mapped[str] = mapped_column(server_default=text("'done'"))
    """done or refused."""
