"""Who belongs to a workspace: people who sign in with a token, and what they are there."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, of_workspace


class Member(Base):
    """A person in a workspace. The same person may be a member of several."""

    __tablename__ = "members"
    __table_args__ = (
        Index("members_subject", "workspace_id", "subject", unique=True),
        # For the one question that crosses workspaces: where somebody is a member.
        Index("members_workspaces", "subject", "workspace_id"),
    )

    workspace_id: Mapped[UUID] = of_workspace()
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject: Mapped[str]
    """Who it is, as the token says: its `sub`, or an e-mail address in small letters."""
    role: Mapped[str]
    name: Mapped[str | None]
    email: Mapped[str | None]
    invited_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime | None]
