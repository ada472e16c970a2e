"""Shapes of what can be asked about a connection: does it work, who uses it, who may authorize it."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer


class TestAnswer(Answer):
    """How a test of a connection ended."""

    __test__ = False

    ok: bool
    message: str = Field(description="What was found, for people.")
    hint: str = Field(description="What to do about it; empty where nothing is to be done.")
    duration_ms: float
    checked_at: datetime


class AuthorizationAnswer(Answer):
    """Where somebody authorizes a connection."""

    authorization_url: str = Field(description="For a browser; good for one authorization.")
    expires_at: datetime
    redirect_uri: str = Field(description="What has to be registered at the provider.")


class UsingStepAnswer(Answer):
    """A place in a definition that names the connection."""

    path: str = Field(examples=["steps[2]"])
    step_id: str | None = Field(description="Null where it is a trigger.")
    step_name: str | None


class UsingWorkflowAnswer(Answer):
    """A definition that names the connection."""

    id: UUID
    name: str
    slug: str
    status: str
    version: int | None = Field(description="Number of the version; null: the draft.")
    under_way: bool = Field(description="It is not the version that new runs take: runs under way use it still.")
    steps: list[UsingStepAnswer]


class UsageAnswer(Answer):
    """Who uses a connection."""

    in_use: bool
    workflows: list[UsingWorkflowAnswer] = Field(
        description="Drafts and active versions that name it, of workflows that are not archived, and other versions "
        "that runs under way use."
    )
    inbound: str | None = Field(description="`address` or `mailbox`, where messages come in over it.")
