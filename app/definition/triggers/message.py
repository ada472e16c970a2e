"""The message trigger: what somebody writes or says starts the run."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from app.definition.base import Document
from app.definition.conditions import EventFilter
from app.definition.durations import Duration

Channel = Literal["whatsapp", "sms", "email", "voice", "messenger"]

CHANNEL_KINDS: Mapping[Channel, tuple[str, ...]] = MappingProxyType(
    {
        "whatsapp": ("twilio", "whatsapp"),
        "sms": ("twilio",),
        "email": ("sendgrid", "imap"),
        "voice": ("twilio",),
        "messenger": ("messenger",),
    }
)
"""The kinds of connection that messages of a channel come in over."""
DEFAULT_GREETING = "Please leave a message after the tone."
DEFAULT_LANGUAGE = "en-US"
DEFAULT_SECONDS = 120


class MessageTrigger(Document):
    """Started by each message of a channel for which `filter` holds."""

    type: Literal["message"]
    channel: Channel = Field(description="Where the message comes in.")
    connection: str | None = Field(None, description="Only messages that come in over this connection.")
    filter: EventFilter | None = Field(None, description="Condition over the message's event; absent = every message.")
    conversation: bool = Field(
        False,
        description="A contact with whom a run is under way does not start another: the message is for that run.",
    )
    respond: Literal["at_once", "by_step"] = Field(
        "at_once",
        description="How a message over Twilio is answered: with nothing, at once, or with the body of the run's "
        "`respond` step.",
    )
    timeout: Duration | None = Field(
        None, description="With `by_step`, how long to wait for the step, at most (and by default) 10s."
    )
    greeting: str | None = Field(
        None, min_length=1, max_length=4000, description=f"Voice: what a caller hears; default: {DEFAULT_GREETING}"
    )
    language: str | None = Field(
        None,
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description=f"Voice: the language of greeting and caller; default {DEFAULT_LANGUAGE}. English is recorded and "
        "transcribed, any other recognised while it is spoken.",
    )
    max_seconds: int | None = Field(
        None, ge=2, le=600, description=f"Voice: how long a caller may speak; default {DEFAULT_SECONDS}."
    )

    @property
    def event(self) -> str:
        """The type of the event that a message of the channel becomes."""
        return message_event(self.channel)

    @property
    def source(self) -> str | None:
        """The source of those events, when a connection is named."""
        return None if self.connection is None else message_source(self.connection)


def message_event(channel: Channel) -> str:
    """The type of the event that a message of a channel becomes."""
    return f"message.{channel}.received"


def message_source(connection: str) -> str:
    """The source of the events of messages that come in over the connection of this name.

    By name, as steps and triggers know connections: a new one under an old name takes its place everywhere at once.
    """
    return f"/connections/{connection}"
