"""Shapes of events as they come in (CloudEvents 1.0), of what became of them, and of the log that keeps them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.base import Answer, RequestModel
from api.schemas.runs import Id, RunStatus
from app.json import Json, JsonObject


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


class CausedByAnswer(Answer):
    """The step whose action caused an event."""

    run_id: UUID
    step_path: str | None = None
    depth: int | None = Field(None, description="How many events led to each other up to this one.")


class LoggedEventAnswer(Answer):
    """An event as the log has it."""

    id: str
    source: str
    type: str
    subject: str | None
    time: datetime | None = Field(description="When it happened, if its sender said so.")
    extensions: JsonObject = Field(
        description="Its further attributes; `replayof` is the id of the event that a replay repeats."
    )
    received_at: datetime
    dispatched_at: datetime | None = Field(description="When all it does was done; null: something is left to do.")
    caused_by: CausedByAnswer | None = Field(description="Null for an event that came from outside.")
    only_workflow_id: UUID | None = Field(description="A replay for this workflow alone.")
    started: list[UUID] = Field(description="Runs it started; in a list at most 100 of them.")
    woke: list[UUID] = Field(description="Waiting runs it was delivered to; in a list at most 100 of them.")
    started_count: int
    woke_count: int
    data: Json = Field(None, description="In a list only with `include=data`.")


class TouchedRunAnswer(Answer):
    """A run that an event started or woke."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    status: RunStatus
    effect: Literal["started", "woke"]
    step_paths: list[str] = Field(description="The waits that took it, where the run has written that down.")


class EventAnswer(LoggedEventAnswer):
    """One event with all it did."""

    runs: list[TouchedRunAnswer] = Field(description="What is still there of the runs it started and woke.")


class ReplayRequest(RequestModel):
    """For whom an event happens once more."""

    workflow_id: Id | None = Field(
        None, description="Start this workflow alone and wake nobody; everybody it concerns when left out."
    )


class ReplayAnswer(EventsAnswer):
    """What the new event did, and the event."""

    event: EventAnswer


EVENT_EXAMPLE: Json = {
    "specversion": "1.0",
    "id": "6f1c",
    "source": "/crm",
    "type": "crm.contact.created",
    "data": {"email": "ada@example.com"},
}
