"""Shapes of how messages come in over a connection: what to enter where, and how a mailbox does."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer


class EnterAnswer(Answer):
    """Something to enter at the provider."""

    where: str = Field(description="The field there.")
    value: str = Field(description="What goes into it.")


class MailboxAnswer(Answer):
    """How a mailbox does."""

    looked_into_at: datetime | None = Field(description="When all its mails were taken the last time.")
    due_at: datetime = Field(description="When it is looked into again.")
    failures: int = Field(description="Looks in a row that failed; the connection's `last_error` says why.")


class InboundAnswer(Answer):
    """How messages come in over a connection."""

    connection_id: UUID
    connection: str = Field(description="Name of the connection.")
    kind: str
    channels: list[str] = Field(description="What comes in: the `channel` of message triggers.")
    source: str = Field(description="The `source` of the messages' events.")
    address: str | None = Field(
        description="The address the provider calls; keep it as you keep a password. Null for who may not change "
        "connections (`connections:write`)."
    )
    enter: list[EnterAnswer] = Field(description="What to enter at the provider; nothing where the address is null.")
    previous_until: datetime | None = Field(description="The address before the last rotation works until then.")
    mailbox: MailboxAnswer | None
    since: datetime = Field(description="What came in before is not taken.")
