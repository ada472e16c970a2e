"""What forms keep besides the events of their submissions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


class FormSender(Base):
    """Who sent to a form lately, as a digest of their address: for the limit of submissions a minute, and no longer."""

    __tablename__ = "form_senders"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "workflow_id"], ["workflows.workspace_id", "workflows.id"], ondelete="CASCADE"
        ),
        Index("form_senders_free", "workspace_id", "free_at"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(primary_key=True)
    sender: Mapped[str] = mapped_column(primary_key=True)
    free_at: Mapped[datetime]
    """When nothing they sent counts any more."""
