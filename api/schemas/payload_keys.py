"""Shapes of payload keys. The key itself is never among them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer


class PayloadKeyAnswer(Answer):
    """A key that the workspace's payloads in Temporal are, or were, encrypted with."""

    id: UUID
    status: Literal["active", "retired", "deleted"] = Field(
        description="`active`: it encrypts; `retired`: it only decrypts; `deleted`: nobody reads what it encrypted."
    )
    created_by: str | None
    created_at: datetime
    deleted_at: datetime | None
