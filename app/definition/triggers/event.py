"""The event trigger: an event that fits starts the run."""

from typing import Literal

from pydantic import Field

from app.definition.base import Document
from app.definition.conditions import EventFilter
from app.definition.run_limits import KeyText


class EventTrigger(Document):
    """Started by each event whose type and source fit and for which `filter` holds."""

    type: Literal["event"]
    event: str = Field(description="Event type, exact (`crm.deal.won`) or with a trailing wildcard (`crm.deal.*`).")
    source: str | None = Field(None, description="Only events of this CloudEvents source.")
    filter: EventFilter | None = Field(None, description="Condition over the event; absent = every event of the type.")
    ordered_by: KeyText | None = Field(
        None,
        description="Runs of events with the same value of this begin in the order the events came in, each when the "
        "one before has ended. May hold expressions over the event; null or an empty text: no order for this event.",
    )
