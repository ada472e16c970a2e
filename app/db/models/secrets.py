"""What is kept encrypted apart from credentials: keys of payloads, and a workspace's variables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


class PayloadKey(Base):
    """A key that a workspace's payloads are encrypted with. `wrapped` is gone once it was deleted."""

    __tablename__ = "payload_keys"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    wrapped: Mapped[str | None]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    retired_at: Mapped[datetime | None]
    """Since when a newer key encrypts; null for the one that does."""
    deleted_at: Mapped[datetime | None]
