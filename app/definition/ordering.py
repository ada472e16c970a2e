"""Order among the runs that events start: which trigger an event fits, and the key that `ordered_by` gives it. Pure."""

from collections.abc import Sequence

from app.definition import event_types
from app.definition.conditions import EVENT_NAMES, event_matches
from app.definition.expressions import evaluate
from app.definition.run_limits import key_text
from app.definition.triggers.event import EventTrigger
from app.json import JsonObject

ORDERED = "order:"
"""What keys of an order begin with, and no key of `settings.concurrency` does."""


def trigger_for(triggers: Sequence[EventTrigger], event: JsonObject) -> EventTrigger | None:
    """The first of the triggers that the event (its envelope with `data`) fits."""
    return next((trigger for trigger in triggers if _fits(trigger, event)), None)


def order_key(ordered_by: str | None, event: JsonObject) -> str | None:
    """What runs have in common that begin one after the other; None where no order is asked for.

    Raises ExpressionError when it cannot be evaluated for this event, or gives a list or an object.
    """
    if ordered_by is None:
        return None
    names = {"event": event, **{name: event.get(name) for name in EVENT_NAMES if name != "event"}}
    key = key_text(evaluate(ordered_by, names))
    return None if key is None else f"{ORDERED}{key}"


def _fits(trigger: EventTrigger, event: JsonObject) -> bool:
    if not event_types.fits(trigger.event, event["type"]) or trigger.source not in (None, event["source"]):
        return False
    return event_matches(trigger.filter, event, {})
