"""One event on its way to those it concerns, and the start of a run for it, which nothing that is wrong with the one
workflow turns into a failure of the dispatch."""

import logging
from dataclasses import dataclass, field
from uuid import UUID

from app.db.models import Event
from app.definition import conditions, event_types
from app.json import JsonObject
from app.services import runs, subscribing
from app.services.envelopes import name_of, run_key
from app.services.errors import ServiceError, Unavailable
from app.services.platform import Platform
from app.services.starting import ConversationUnderWay
from app.store import events as store
from app.store.listening import Heard

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class OnItsWay:
    """An event, whom it concerns, and what it has done so far."""

    event: Event
    envelope: JsonObject
    starts: dict[UUID, Heard] = field(default_factory=dict)
    """The subscription it fits, by workflow."""
    waiting: dict[UUID, list[str]] = field(default_factory=dict)
    """Paths of the waits it ends, by run."""
    later: dict[UUID, list[str]] = field(default_factory=dict)
    """Those among them that began after it was received."""
    workflow_of: dict[UUID, UUID] = field(default_factory=dict)
    """The workflows of these runs."""
    talks: dict[UUID, str] = field(default_factory=dict)
    """The contact, by the runs among them that are in conversation from now on."""
    started: set[str] = field(default_factory=set)
    woke: set[str] = field(default_factory=set)
    done: bool = True

    @classmethod
    def of(cls, event: Event) -> "OnItsWay":
        """The event as it was left."""
        return cls(event, store.envelope(event), started=set(event.started), woke=set(event.woke))

    @property
    def name(self) -> str:
        """The event, for the log."""
        return name_of(self.event)


def fits(heard: Heard, envelope: JsonObject) -> bool:
    """Whether an event of the right type is one the subscription is about. A message says in its data over which
    connection it came."""
    if heard.source not in (None, envelope["source"]):
        return False
    connection, data = heard.options.get("connection"), envelope.get("data")
    if connection is not None and not (isinstance(data, dict) and data.get("connection") == connection):
        return False
    return conditions.event_matches(heard.filter, envelope, {})


def hears(heard: Heard, envelope: JsonObject) -> bool:
    """Whether any event is one the subscription is about."""
    return event_types.fits(heard.event, envelope["type"]) and fits(heard, envelope)


async def start(
    platform: Platform,
    one: OnItsWay,
    workflow_id: UUID,
    kind: str,
    *,
    ordered: bool = False,
    conversation: str | None = None,
) -> bool:
    """Start the workflow for the event; False when it was not started and may be another time.

    A workflow that was paused or deleted meanwhile, or cannot take the event, is left out. Raises
    `ConversationUnderWay`.
    """
    attributes = {name: value for name, value in one.envelope.items() if name != "data"}
    key = run_key(one.event.source, one.event.id)
    try:
        started = await runs.start(
            platform,
            one.event.workspace_id,
            workflow_id,
            input=subscribing.given(kind, one.envelope),
            idempotency_key=key,
            trigger_type=kind,
            event=attributes,
            received_at=one.event.received_at if ordered else None,
            conversation=conversation,
        )
    except ConversationUnderWay:
        raise
    except Unavailable as error:
        logger.warning("%s does not yet start a run of workflow %s: %s", one.name, workflow_id, error.detail)
        one.done = False
        return False
    except ServiceError as refusal:
        logger.warning("%s starts no run of workflow %s: %s", one.name, workflow_id, refusal)
        return True
    except Exception:
        # Tried again after all others: it must not stand in their way.
        logger.exception("%s could start no run of workflow %s", one.name, workflow_id)
        one.done = False
        return True
    run = started.run
    if run.idempotency_key != key:
        # `run_once_per`: another event began that run, and it may well wait for this one.
        return True
    if runs.has_ended(run) and run.started_at is None:
        logger.warning("%s began no run of workflow %s: %s", one.name, workflow_id, run.error)
        return True
    one.started.add(str(run.id))
    return True
