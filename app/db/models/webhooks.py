"""Addresses of workflows that requests come in at, and what came."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base
from app.json import JsonObject


class Webhook(Base):
    """An address at which a webhook trigger of a workflow takes deliveries."""

    __tablename__ = "webhooks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "workflow_id"], ["workflows.workspace_id", "workflows.id"], ondelete="CASCADE"
        ),
        Index("webhooks_token", "workspace_id", "token_hash", unique=True),
        Index("webhooks_workflow", "workspace_id", "workflow_id", "id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    workflow_id: Mapped[UUID]
    position: Mapped[int]
    """Place of the trigger among all triggers of the definition."""
    name: Mapped[str] = mapped_column(server_default="")
    token_hash: Mapped[str]
    secrets: Mapped[str]
    """A ciphertext of `{token, secret, previous}`."""
    previous_until: Mapped[datetime | None]
    """Until when deliveries may still be signed with the secret before."""
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts what a delivery is judged by: a process that remembers another one looks again."""
    total_calls: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    refused_calls: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    last_called_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Delivery(Base):
    """A request to a webhook, as it came, and what was made of it. Committed before it is answered."""

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "webhook_id"], ["webhooks.workspace_id", "webhooks.id"], ondelete="CASCADE"
        ),
        Index("deliveries_webhook", "workspace_id", "webhook_id", "id"),
        Index("deliveries_received", "workspace_id", "received_at"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    method: Mapped[str]
    query: Mapped[str] = mapped_column(server_default="")
    headers: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    """By names in lower case, with what is secret masked."""
    content_type: Mapped[str | None]
    remote_address: Mapped[str | None]
    body: Mapped[bytes | None]
    """Null where it was not kept."""
    size: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[str]
    """accepted, duplicate, verification (a provider tried the address) or refused."""
    problem: Mapped[str | None]
    """Code of the problem a refused one was answered with."""
    reason: Mapped[str | None]
    """Why it was refused, for the owner alone."""
    event_source: Mapped[str | None]
    event_id: Mapped[str | None]
    replay_of: Mapped[UUID | None]
    answer_status: Mapped[int | None]
    """HTTP status of the answer; null while a run is waited for."""
    duration_ms: Mapped[int | None]
    """From the whole request to its answer."""
