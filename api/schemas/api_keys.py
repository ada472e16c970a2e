"""Shapes of API keys, and of whoever asks."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from api.schemas.runs import Moment
from app.services.api_keys import LONGEST_GRACE_SECONDS

RoleName = Literal["viewer", "operator", "editor", "admin"]
KeyStatus = Literal["active", "expired", "revoked"]

_SCOPES = "Permissions it is narrowed to; null narrows nothing."


class KeyCreate(RequestModel):
    """A new key. It may do at most what its maker may."""

    name: str = Field(description="Shown beside what was done with it.", examples=["deploy"])
    role: RoleName = Field(description="What it is in the workspace.", examples=["editor"])
    scopes: list[str] | None = Field(None, description=_SCOPES, examples=[["workflows:read", "workflows:write"]])
    expires_at: Moment | None = Field(None, description="When it ends by itself; null = never.")


class KeyChanges(RequestModel):
    """What to change; fields left out stay."""

    name: str | None = Field(None, description="Shown beside what was done with it.")
    role: RoleName | None = Field(None, description="What it is in the workspace.")
    scopes: list[str] | None = Field(None, description=_SCOPES)
    expires_at: Moment | None = Field(None, description="When it ends by itself; null = never.")


class KeyRotation(RequestModel):
    """How long the old text goes on working."""

    grace_seconds: int = Field(
        0, ge=0, le=LONGEST_GRACE_SECONDS, description="Seconds, a week at most; 0 ends it at once."
    )


class KeyAnswer(Answer):
    """A key, without its text: only how that begins."""

    id: UUID
    name: str
    prefix: str = Field(description="What its text begins with.")
    role: RoleName
    scopes: list[str] | None = Field(description=_SCOPES)
    status: KeyStatus
    created_by: str | None = Field(description="Who made it; null: made beside the database.")
    created_at: datetime
    last_used_at: datetime | None = Field(description="To the minute.")
    expires_at: datetime | None = Field(description="When it ends by itself; null = never.")
    revoked_at: datetime | None
    previous_until: datetime | None = Field(description="The text before the last rotation works until then.")


class NewKeyAnswer(KeyAnswer):
    """A key with its text, which is shown this once."""

    key: str = Field(description="Send it as `Authorization: Bearer ...`. It is not shown again.")


class MyWorkspaceAnswer(Answer):
    """The workspace a call is about."""

    id: UUID
    name: str


class MeAnswer(Answer):
    """Who asks, where, and what they may."""

    kind: Literal["key", "person"]
    name: str
    key_id: UUID | None = Field(description="Of a key.")
    subject: str | None = Field(description="Of a person: `sub` of the token.")
    email: str | None
    workspace: MyWorkspaceAnswer | None = Field(description="Null for the platform's administrator, who is in none.")
    role: str
    scopes: list[str] | None = Field(description="What the role is narrowed to; null = not narrowed.")
    permissions: list[str] = Field(description="All that may be done.")
    expires_at: datetime | None = Field(description="When the key or token ends.")
