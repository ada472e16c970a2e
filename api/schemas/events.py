"""Shapes of events as they come in (CloudEvents 1.0) and of what became of them."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.base import Answer
from app.json import Json


class EventBody(BaseModel):
    """An event as CloudEvents 1.0 writes it in JSON. Read by `api.cloud_events`; this shape documents it.

    Without `specversion` only `type` is needed: `id` becomes a new UUID, `source` `/v1/events` and `time` now.
    """

    model_config = ConfigDict(
        title="Event",
        json_schema_extra={
            "examples": [
                {
                    "specversion": "1.0",
                    "id": "6f1c",
                    "source": "/crm",
                    "type": "crm.contact.created",
                    "data": {"email": "ada@example.com"},
                }
            ]
        },
    )

    specversion: str | None = Field(None, description="`1.0`; with it the event must be a whole CloudEvent.")
    id: str | None = Field(None, description="With `source` it names the event: what came before is not done again.")
    source: str | None = Field(None, description="Who says so, as a URI reference.")
    type: str = Field(description="What happened.", examples=["crm.contact.created"])
    subject: str | None = None
    time: str | None = Field(None, description="When it happened, RFC 3339.")
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: Any = None
    data_base64: str | None = Field(None, description="Data that is not JSON, in base64.")


class IngestedAnswer(Answer):
    """What an event did."""

    id: str
    duplicate: bool = Field(description="True when the same `source` and `id` came before; it did nothing again.")
    started: list[UUID] = Field(description="Runs it started.")
    woke: list[UUID] = Field(description="Waiting runs it was delivered to.")


class EventsAnswer(Answer):
    """What each event did, in the order they were sent."""

    items: list[IngestedAnswer]


EVENT_EXAMPLE: Json = {
    "specversion": "1.0",
    "id": "6f1c",
    "source": "/crm",
    "type": "crm.contact.created",
    "data": {"email": "ada@example.com"},
}
