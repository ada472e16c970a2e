"""Shapes of the workspace and its settings."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from app.json import JsonObject


class WorkspaceChanges(RequestModel):
    """What to change; settings left out stay."""

    settings: JsonObject = Field(
        description="Settings to change.", examples=[{"allow_drafts_beside_active": True, "max_steps": 80}]
    )


class EgressAnswer(Answer):
    """Where the actions of a workspace may call."""

    mode: Literal["public", "listed"] = Field(
        description="`public`: every public host; `listed`: those in `allow_hosts` alone."
    )
    allow_hosts: list[str] = Field(description="Names, `*.example.com` for all below one, or addresses.")


class WorkspaceSettingsAnswer(Answer):
    """What a workspace decides for itself."""

    max_steps: int = Field(description="Most steps a definition may have.")
    allow_drafts_beside_active: bool = Field(description="Whether the draft of an active workflow may be changed.")
    egress: EgressAnswer = Field(description="Where actions may call.")
    retention_days: int | None = Field(
        description="Days that ended runs and events are kept; 0 = for ever, null = as the installation says."
    )


class WorkspaceAnswer(Answer):
    """The workspace of the key."""

    id: UUID
    name: str
    settings: WorkspaceSettingsAnswer
    created_at: datetime
