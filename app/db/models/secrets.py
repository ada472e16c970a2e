"""What is kept encrypted apart from credentials: keys of payloads, and a workspace's variables."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, of_workspace


class PayloadKey(Base):
    """A key that a workspace's payloads are encrypted with. `wrapped` is gone once it was deleted."""

    __tablename__ = "payload_keys"

    workspace_id: Mapped[UUID] = of_workspace()
    id: Mapped[UUID] = mapped_column(primary_key=True)
    wrapped: Mapped[str | None]
    """The ciphertext of the key."""
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    retired_at: Mapped[datetime | None]
    """Since when a newer key encrypts; null for the one that does."""
    deleted_at: Mapped[datetime | None]


class Variable(Base):
    """A variable of a workspace: its JSON in `value`, or encrypted in `secret`."""

    __tablename__ = "variables"

    workspace_id: Mapped[UUID] = of_workspace()
    name: Mapped[str] = mapped_column(primary_key=True)
    is_secret: Mapped[bool] = mapped_column(server_default=text("false"))
    value: Mapped[Any | None]
    secret: Mapped[str | None]
    """The ciphertext of the JSON."""
    description: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
