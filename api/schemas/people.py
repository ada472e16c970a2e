"""Shapes of workspaces as the platform's administrator sees them, of platform keys, and of members."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.base import Answer, RequestModel
from app.json import JsonObject
from app.services.members import LONGEST
from app.services.plan_table import PLANS

RoleName = Literal["viewer", "operator", "editor", "admin"]
WorkspaceState = Literal["active", "suspended", "deleting"]

_SUBJECT = "Who it is, as the token says: its `sub`, or an e-mail address."
_PLAN = f"What it may have and do: {', '.join(PLANS)}."
_OVERRIDES = "Limits it has otherwise than its plan says, by name; null there is no limit."


class FirstAdminRequest(RequestModel):
    """Who is to administer a new workspace."""

    subject: str = Field(description=_SUBJECT, min_length=1, max_length=LONGEST)
    name: str | None = Field(None, max_length=LONGEST)
    email: str | None = Field(None, max_length=LONGEST)


class NewWorkspaceRequest(RequestModel):
    """A workspace to be made."""

    name: str = Field(description="What people call it.", max_length=200)
    admin: FirstAdminRequest | None = Field(None, description="Its first member, an administrator.")
    plan: str = Field("own", description=_PLAN, max_length=100)
    plan_overrides: JsonObject | None = Field(None, description=_OVERRIDES)


class WorkspacePatch(RequestModel):
    """What to change; what is left out stays."""

    name: str | None = Field(None, max_length=200)
    state: Literal["active", "suspended"] | None = Field(None, description="`suspended`: nothing new starts in it.")
    plan: str | None = Field(None, description=_PLAN, max_length=100)
    plan_overrides: JsonObject | None = Field(None, description=f"{_OVERRIDES} They replace those there are.")


class PlatformWorkspaceAnswer(Answer):
    """A workspace, from outside."""

    id: UUID
    name: str
    state: WorkspaceState = Field(
        description="`suspended`: its keys are refused and nothing new starts. `deleting`: it goes, for good."
    )
    state_changed_at: datetime
    created_at: datetime
    plan: str = Field(description=_PLAN)
    plan_overrides: JsonObject = Field(description=_OVERRIDES)


class NewWorkspaceAnswer(PlatformWorkspaceAnswer):
    """A workspace that was made just now."""

    api_key: str = Field(description="Its first key, with the role admin. It is shown now and never again.")


class NewPlatformKeyRequest(RequestModel):
    """A platform key to be made."""

    name: str = Field(description="Shown beside what was done with it.", max_length=200)
    expires_at: AwareDatetime | None = Field(None, strict=False, description="When it stops; null = never.")


class PlatformKeyAnswer(Answer):
    """A key of the platform's administrator."""

    id: UUID
    name: str
    prefix: str = Field(description="How its secret begins, to tell keys apart.")
    created_by: str | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class NewPlatformKeyAnswer(PlatformKeyAnswer):
    """A key that was made just now."""

    api_key: str = Field(description="The key. It is shown now and never again.")


class NewMemberRequest(RequestModel):
    """Somebody to be added."""

    subject: str = Field(description=_SUBJECT, min_length=1, max_length=LONGEST)
    role: RoleName
    name: str | None = Field(None, max_length=LONGEST)
    email: str | None = Field(None, max_length=LONGEST)


class MemberPatch(RequestModel):
    """What to change; what is left out stays."""

    role: RoleName | None = None
    name: str | None = Field(None, max_length=LONGEST)
    email: str | None = Field(None, max_length=LONGEST)


class MemberAnswer(Answer):
    """Somebody who belongs to the workspace."""

    id: UUID
    subject: str
    role: RoleName
    name: str | None
    email: str | None
    invited_by: str | None
    last_seen_at: datetime | None
    created_at: datetime
    updated_at: datetime
