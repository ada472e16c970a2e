"""The message trigger: what somebody writes or says starts the run."""

from typing import Literal

from pydantic import Field

from app.definition.base import Document
from app.definition.conditions import EventFilter

Channel = Literal["whatsapp", "sms", "email", "voice", "messenger"]


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

    @property
    def event(self) -> str:
        """The type of the event that a message of the channel becomes."""
        return message_event(self.channel)


def message_event(channel: Channel) -> str:
    """The type of the event that a message of a channel becomes."""
    return f"message.{channel}.received"
