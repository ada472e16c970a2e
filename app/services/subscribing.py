"""What the triggers of a definition listen to, and what a run started by one of them is given. Pure: nothing is read.

Everything that comes in from outside becomes an event first. A delivery to a webhook and a submission of a form are for
one trigger of one workflow: their events have that trigger's own source, and nothing else does. A form has its source
from its name, as its address does: what was sent to it is its own whatever place its trigger has in the next version.
"""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from app.db.values import as_kept
from app.definition import conditions
from app.definition.errors import ExpressionError
from app.definition.event_keys import EventKey, key_of
from app.definition.model import Definition
from app.definition.triggers import AnyTrigger, EventTrigger, FormTrigger, MessageTrigger, WebhookTrigger
from app.json import Json, JsonObject
from app.store.subscriptions import Listen

WEBHOOK_EVENT = "system.webhook.received"
FORM_EVENT = "form.submission.received"


def listens(workflow_id: UUID, definition: Definition) -> Iterator[Listen]:
    """What the workflow listens to while a version with this definition is active."""
    for position, trigger in enumerate(definition.all_triggers):
        listen = _listen(workflow_id, position, trigger)
        if listen is not None:
            yield replace(listen, key=key_of_filter(listen.filter))


def source_of(workflow_id: UUID, position: int) -> str:
    """The source of events that are for this trigger of the workflow alone."""
    return f"/v1/workflows/{workflow_id}/triggers/{position}"


def source_of_form(workflow_id: UUID, form_id: str | None) -> str:
    """The source of a form's events, which no other form's have; None is the one without a name."""
    return f"/v1/workflows/{workflow_id}/forms" + ("" if form_id is None else f"/{form_id}")


def given(kind: str, envelope: JsonObject) -> Json:
    """What `trigger` holds in a run that a trigger of this kind starts for the event."""
    data = envelope.get("data")
    return data.get("fields") if kind == "form" and isinstance(data, dict) else data


def key_of_filter(filter: Json) -> EventKey | None:
    """By what an event finds the subscription: made of the filter as it will be read again. There is no run yet whose
    data it could name."""
    if filter is None:
        return None
    try:
        match, context = conditions.bind(filter, {})
    except ExpressionError:
        return None
    return key_of(as_kept(match), context)


def _listen(workflow_id: UUID, position: int, trigger: AnyTrigger) -> Listen | None:
    match trigger:
        case EventTrigger():
            options = {} if trigger.ordered_by is None else {"ordered_by": trigger.ordered_by}
            return Listen(
                position=position,
                kind="event",
                event=trigger.event,
                source=trigger.source,
                filter=trigger.filter,
                options=options,
            )
        case WebhookTrigger():
            return Listen(
                position=position, kind="webhook", event=WEBHOOK_EVENT, source=source_of(workflow_id, position)
            )
        case FormTrigger():
            source = source_of_form(workflow_id, trigger.form_id)
            return Listen(position=position, kind="form", event=FORM_EVENT, source=source)
        case MessageTrigger():
            return Listen(
                position=position,
                kind="message",
                event=trigger.event,
                source=trigger.source,
                filter=trigger.filter,
                options=_of_message(trigger),
            )
        case _:
            return None


def _of_message(trigger: MessageTrigger) -> JsonObject:
    """What else the trigger says; how its messages are answered only where it says so."""
    answered = {name: getattr(trigger, name) for name in ("timeout", "greeting", "language", "max_seconds")}
    if trigger.respond != "at_once":
        answered["respond"] = trigger.respond
    said = {name: value for name, value in answered.items() if value is not None}
    return {"connection": trigger.connection, "conversation": trigger.conversation, **said}
