"""A message as it came in, whatever brought it, and the event it becomes. How each provider writes one is not here."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from app.definition.durations import format_moment
from app.definition.triggers.message import Channel, message_event, message_source
from app.json import JsonObject

_LONGEST_ID = 200
_LONGEST_CONTACT = 320
"""An address of mail has at most 254 characters, a number and an id of a page's visitor fewer."""


class Unreadable(ValueError):
    """What came in is no message of this provider; the text says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """`contact` is who wrote, None when nobody can tell: conversations go by it. `data` is what a run is given."""

    channel: Channel
    id: str
    contact: str | None
    at: datetime
    data: JsonObject

    def envelope(self, connection: str) -> JsonObject:
        """The event (CloudEvents 1.0) of this message over the connection of this name."""
        event: JsonObject = {
            "specversion": "1.0",
            "id": bounded_id(self.id),
            "source": message_source(connection),
            "type": message_event(self.channel),
            "time": moment(self.at),
            "datacontenttype": "application/json",
            "data": {**self.data, "contact": self.contact, "connection": connection},
        }
        if self.contact:
            event["subject"] = self.contact[:_LONGEST_CONTACT]
        return event


def bounded_id(text: str) -> str:
    """An id that an event may have; a longer or stranger one as its digest."""
    plain = len(text) <= _LONGEST_ID and text.isascii() and text.isprintable()
    return text if plain else digest(text.encode(errors="replace"))


def digest(content: bytes) -> str:
    """An id for what brings none: the same content is the same message."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def moment(value: datetime) -> str:
    """A time as events and data have it: RFC 3339 in UTC."""
    return format_moment(value.astimezone(UTC))
