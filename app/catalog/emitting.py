"""Catalog entry of `event.emit`. Shapes and words; how an event is taken in is not known here."""

import re
from typing import Any

from pydantic import Field, field_validator

from app.catalog.base import Action, ActionModel
from app.catalog.errors import ErrorType
from app.definition.durations import parse_moment

_TYPE = re.compile(r"[^\s.*]+(\.[^\s.*]+)*")
MAX_TOLD = 100
"""Most runs named in an output."""


class EventEmitInputs(ActionModel):
    """The event that is emitted."""

    type: str = Field(
        min_length=1, max_length=200, description="What happened, words between dots.", examples=["crm.deal.won"]
    )
    data: Any = Field(None, description="What it is about.", examples=[{"deal_id": "d-7"}])
    subject: str | None = Field(None, min_length=1, description="Whom or what it is about.", examples=["contact/17"])
    source: str | None = Field(
        None, min_length=1, description="Who says so; by default `/workflows/<slug>` of the run's own workflow."
    )
    id: str | None = Field(
        None,
        min_length=1,
        description="Names the event together with its source: what came before is not done again. By default it is "
        "another event each time the step is done, and the same when an attempt is repeated.",
    )
    time: str | None = Field(None, description="When it happened, RFC 3339; by default when the step was done.")

    @field_validator("type")
    @classmethod
    def _is_a_type(cls, value: str) -> str:
        if not _TYPE.fullmatch(value):
            raise ValueError("an event's type is words between dots, such as crm.deal.won, without a wildcard")
        return value

    @field_validator("time")
    @classmethod
    def _is_a_moment(cls, value: str | None) -> str | None:
        if value is not None:
            parse_moment(value)
        return value


class EventEmitOutputs(ActionModel):
    """The event, and what it did as far as that was known when the step was over."""

    id: str = Field(description="Id of the event.")
    source: str = Field(description="Source of the event.")
    type: str = Field(description="Type of the event.")
    duplicate: bool = Field(description="True when this source and id came before; then nothing was done again.")
    started: list[str] = Field(
        default_factory=list, description=f"Runs it started: the first {MAX_TOLD} that are known by now."
    )
    woke: list[str] = Field(
        default_factory=list, description=f"Waiting runs it was delivered to: the first {MAX_TOLD} known by now."
    )


ACTIONS = (
    Action(
        id="event.emit",
        title="Emit an event",
        description="Says that something happened: starts workflows that listen and wakes runs that wait for it.",
        icon="megaphone",
        inputs=EventEmitInputs,
        outputs=EventEmitOutputs,
        where="local",
        idempotency="The event is kept in the same transaction as the step's outcome: it is emitted exactly once.",
        timeout=30.0,
        errors=(ErrorType.INVALID_INPUT, ErrorType.EVENT_CHAIN_TOO_DEEP, ErrorType.TIMEOUT),
        aliases=("emit_event", "send_event", "publish_event"),
        examples=(
            {
                "title": "Tell others that a deal was won",
                "inputs": {"type": "crm.deal.won", "subject": "deal/7", "data": {"deal_id": "7", "amount": 1200}},
            },
        ),
    ),
)
