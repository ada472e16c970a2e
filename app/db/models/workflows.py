"""What people make: workspaces with their keys, workflows with their versions, connections."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Computed, ForeignKeyConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, of_workspace
from app.json import JsonObject


class Workspace(Base):
    """A tenant."""

    __tablename__ = "workspaces"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    settings: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    """`{max_steps: 50, allow_drafts_beside_active: false, retention_days: null}`; absent keys take their defaults."""
    state: Mapped[str] = mapped_column(server_default="active")
    """active, suspended (nothing new starts), deleting (for good: upkeep takes all of it away, this row last)."""
    state_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    plan: Mapped[str] = mapped_column(server_default="own")
    plan_overrides: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    """What this workspace has otherwise than its plan says, by the names of limits; null there is no limit."""
    history_days: Mapped[int | None]
    """Most days that ended runs and events are kept, as plan and overrides say; null is no limit."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A key of a workspace; only its hash is kept."""

    __tablename__ = "api_keys"

    workspace_id: Mapped[UUID] = of_workspace()
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str]
    hash: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="admin")
    scopes: Mapped[list[str] | None]
    """Permissions it is narrowed to; null narrows nothing."""
    created_by: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    previous_prefix: Mapped[str | None]
    previous_hash: Mapped[str | None]
    """The text before the last rotation, which works until `previous_until`."""
    previous_until: Mapped[datetime | None]


class Workflow(Base):
    """What a user defines. `draft` is the document being edited, `active_version` the one new runs take."""

    __tablename__ = "workflows"
    __table_args__ = (Index("workflows_slug", "workspace_id", "slug", unique=True),)

    workspace_id: Mapped[UUID] = of_workspace()
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    slug: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    category: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    icon: Mapped[str | None]
    color: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="draft")
    draft: Mapped[JsonObject]
    active_version: Mapped[int | None]
    latest_version: Mapped[int] = mapped_column(server_default=text("0"))
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Version(Base):
    """A published definition. Never changed: a trigger in the database refuses updates."""

    __tablename__ = "versions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "workflow_id"], ["workflows.workspace_id", "workflows.id"], ondelete="CASCADE"
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[JsonObject]
    digest: Mapped[str]
    comment: Mapped[str | None]
    published_by: Mapped[str]
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Subscription(Base):
    """What an active workflow's triggers listen to: one row a trigger that events reach, of the active version."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "workflow_id"], ["workflows.workspace_id", "workflows.id"], ondelete="CASCADE"
        ),
        Index("subscriptions_address", "address", "source_key"),
        Index("subscriptions_fields", "of_event", "key_fields", postgresql_where=text("key_fields IS NOT NULL")),
    )

    workflow_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    """Place of the trigger among all triggers of the definition."""
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    """In the key too, so that no row of one workspace tells of a row of another."""
    kind: Mapped[str] = mapped_column(server_default="event")
    """Type of the trigger: event, webhook, form or message."""
    event: Mapped[str]
    source: Mapped[str | None]
    source_start: Mapped[str | None] = mapped_column(Computed('"left"(source, 100)', persisted=True))
    """What processes of an older version look for; nobody else does."""
    source_key: Mapped[str] = mapped_column(Computed("""COALESCE("left"(source, 100), '')""", persisted=True))
    """What of `source` stands in the index: an entry has little room."""
    of_event: Mapped[str] = mapped_column(Computed("workspace_id::text || ' ' || event", persisted=True))
    address: Mapped[str] = mapped_column(
        Computed("workspace_id::text || ' ' || event || COALESCE(' ' || key_digest::text, '')", persisted=True)
    )
    """What an event looks for. It holds the workspace, and no index here begins with that: before the database has
    counted a new workspace's rows it would take each such index for one that finds a single row."""
    filter: Mapped[Any | None]
    options: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    """What else the trigger says about its starts: `{ordered_by, conversation}`; absent keys take their defaults."""
    key_fields: Mapped[str | None]
    key_digest: Mapped[int | None] = mapped_column(BigInteger)
    """What an event must say to fit (`definition/event_keys.py`); null where every event is to be looked at."""


class WorkflowVariable(Base):
    """A variable kept across a workflow's runs (`set_variable` with `scope: workflow`)."""

    __tablename__ = "workflow_variables"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "workflow_id"], ["workflows.workspace_id", "workflows.id"], ondelete="CASCADE"
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Connection(Base):
    """Credentials for a provider: `config` is not secret, `credentials` is a ciphertext."""

    __tablename__ = "connections"
    __table_args__ = (
        Index("connections_name", "workspace_id", "name", unique=True),
        Index("connections_status", "workspace_id", "status", "name"),
    )

    workspace_id: Mapped[UUID] = of_workspace()
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    config: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    credentials: Mapped[str | None]
    credential_fields: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    status: Mapped[str] = mapped_column(server_default="active")
    """active, expired, revoked or error."""
    status_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
