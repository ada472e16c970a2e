"""Shapes of connections. Credentials go in and never come out: an answer only says which fields are there."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from app.json import JsonObject


class ConnectionCreate(RequestModel):
    """A new connection."""

    kind: str = Field(description="What it connects to.", examples=["smtp"])
    name: str = Field(description="How steps name it.", examples=["smtp-main"])
    description: str = ""
    config: JsonObject = Field(
        default_factory=dict, description="What is not secret.", examples=[{"host": "mail.example.com", "port": 587}]
    )
    credentials: JsonObject | None = Field(
        None, description="What is secret. Kept encrypted, never shown.", examples=[{"username": "u", "password": "p"}]
    )


class ConnectionChanges(RequestModel):
    """What to change; fields left out stay. `config` is merged, null removes a key; `credentials` are
    replaced as a whole."""

    name: str | None = None
    description: str | None = None
    config: JsonObject | None = None
    credentials: JsonObject | None = Field(None, description="The new credentials; null removes them.")


class CredentialsAnswer(Answer):
    """That there are credentials, and of which fields."""

    configured: bool
    fields: list[str]


class ConnectionAnswer(Answer):
    """A connection without its secrets."""

    id: UUID
    kind: str
    name: str
    description: str
    config: JsonObject
    credentials: CredentialsAnswer
    status: str = Field(description="`active`, `expired`, `revoked` or `error`.")
    status_changed_at: datetime
    last_used_at: datetime | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime
