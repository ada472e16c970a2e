"""Limits of how many runs a workflow has: their shapes, and how a key's value is told from another's.

Whether a run may begin is decided where the runs are counted, not here.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from app.definition.base import Document
from app.definition.errors import ExpressionError
from app.definition.values import described
from app.json import Json

if TYPE_CHECKING:
    from app.definition.model import Settings
    from app.definition.triggers.event import EventTrigger

MAX_RUNS_PER_HOUR = 1_000_000
MAX_CONCURRENT = 1_000
"""Most places a key may have: they are counted at each start."""
MAX_KEY_CHARS = 200
"""A longer key is kept as its digest."""

KeyText = Annotated[str, Field(min_length=1)]


class Concurrency(Document):
    """How many runs with the same key may be under way at once, and what becomes of one more."""

    key: KeyText | None = Field(
        None,
        description="Runs with the same value share the places; may hold expressions over what starts the run. Absent "
        "= all runs of the workflow share them. A value of null or an empty text: no limit for this run.",
    )
    limit: int = Field(ge=1, le=MAX_CONCURRENT, description="Most runs with one key that are under way at once.")
    excess: Literal["queue", "reject", "replace"] = Field(
        "queue",
        description="What becomes of one more: it waits for its turn, is refused, or takes the place of the oldest, "
        "which is cancelled.",
    )


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """The limits of a workflow that has any."""

    per_hour: int | None
    rejects: bool
    """What is more than `per_hour` is refused, not delayed."""
    once_per: str | None
    concurrency: Concurrency | None
    ordered: tuple["EventTrigger", ...] = ()
    """All triggers by events, where one of them asks for an order."""

    @classmethod
    def of(cls, settings: "Settings", events: Sequence["EventTrigger"] = ()) -> "RunLimits | None":
        """Those that settings, and triggers by events, ask for; None when they ask for none."""
        ordered = any(trigger.ordered_by is not None for trigger in events)
        limited = (settings.max_runs_per_hour, settings.run_once_per, settings.concurrency)
        if not ordered and limited == (None, None, None):
            return None
        return cls(
            per_hour=settings.max_runs_per_hour,
            rejects=settings.excess == "reject",
            once_per=settings.run_once_per,
            concurrency=settings.concurrency,
            ordered=tuple(events) if ordered else (),
        )


def key_text(value: Json) -> str | None:
    """The value of a key as text: `"7"` and `7` are two keys, `7` and `7.0` one. None for null and an empty text.

    Raises ExpressionError for a list or an object.
    """
    if value is None or value == "":
        return None
    if isinstance(value, list | dict):
        hint = "name a part of it, or join its parts to one text"
        raise ExpressionError(f"a key is a text, a number or a boolean, not {described(value)}", hint=hint)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value)
    return text if len(text) <= MAX_KEY_CHARS else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
