"""Shapes of a workspace's variables. The value of a secret one goes in and never comes out."""

from datetime import datetime

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from app.json import Json


class VariableCreate(RequestModel):
    """A new variable."""

    name: str = Field(description="How expressions name it.", examples=["support_address"])
    value: Json = Field(description="Any JSON; of a secret a text. At most 16 KiB.", examples=["help@example.com"])
    is_secret: bool = Field(False, description="Whether it is kept encrypted and never shown.")
    description: str = ""


class VariableChanges(RequestModel):
    """What to change; fields left out stay."""

    value: Json = None
    is_secret: bool | None = Field(None, description="Changes with a new value only.")
    description: str | None = None


class VariableAnswer(Answer):
    """A variable of the workspace."""

    name: str
    is_secret: bool
    value: Json = Field(description="null for a secret, whatever it is.")
    description: str
    created_at: datetime
    updated_at: datetime
