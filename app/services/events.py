"""Events: take them in, then do what they do, starting subscribed workflows and waking the runs that wait for them.

An event is committed before anything looks for who wants it, and a wait before it looks for events: neither can miss
the other. Whatever an event does carries an id made from the event, so that doing it again changes nothing; a crash
between the two halves is made good by `dispatch_pending`.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

from temporalio.service import RPCError, RPCStatusCode

from app.db.models import Event, Subscription, Wait
from app.definition import conditions
from app.definition.durations import parse_moment
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services import runs, subscribing
from app.services.errors import Conflict, Invalid, NotFound, TooLarge
from app.services.launching import TEMPORAL_ERRORS, handle_of
from app.services.platform import Platform
from app.services.waiting import Waiting, waiting_for
from app.store import events as store
from app.store import subscriptions, waits
from app.temporal.messages import DeliveredEvent
from app.temporal.names import DELIVER_EVENT_SIGNAL

MAX_EVENTS = 1000
MAX_ID_BYTES = 256
MAX_SOURCE_BYTES = 1024
MAX_TYPE_BYTES = 512
SINCE_TOLERANCE = timedelta(seconds=45)
"""An event may be received this long before a wait's `since` and still end it: it was being committed meanwhile. Longer
than a statement may take, since `received_at` is when the event's transaction began."""
UNDISPATCHED_FOR = timedelta(seconds=2)
SIGNAL_SECONDS = 5.0
REFUSED = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION)
STARTS_AT_ONCE = 10
FITS_AT_ONCE = 100
"""Conditions evaluated before other requests get their turn: thousands of runs may wait for one type."""

logger = logging.getLogger(__name__)

_COLUMNS = ("id", "source", "type", "subject", "time", "data")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one event: the runs it started and those it was delivered to, as ids."""

    id: str
    duplicate: bool
    started: list[str]
    woke: list[str]


@dataclass(slots=True)
class _Dispatch:
    """An event on its way: whom it concerns, and what it has done so far."""

    event: Event
    envelope: JsonObject
    starts: dict[UUID, str] = field(default_factory=dict)
    """Kinds of the triggers it fits, by workflow."""
    waiting: dict[UUID, list[str]] = field(default_factory=dict)
    """Paths of the waits it ends, by run."""
    later: dict[UUID, list[str]] = field(default_factory=dict)
    """Those among them that began after it was received."""
    started: set[str] = field(default_factory=set)
    woke: set[str] = field(default_factory=set)
    done: bool = True

    @property
    def name(self) -> str:
        """The event, for the log."""
        return f"event {self.event.id!r} of {self.event.source!r}"


async def ingest(
    platform: Platform, workspace_id: UUID, events: Sequence[JsonObject], *, only: UUID | None = None
) -> list[Ingested]:
    """Take events (CloudEvents envelopes with `data`), commit them, then dispatch them; answers in their order.

    The same `source` and `id` does it once: a repeat answers with what the first one did, and finishes its dispatch if
    that was cut short. With `only` they start that workflow alone and wake nobody. Raises `TooLarge` or `Invalid`
    before anything is taken.
    """
    check(events, platform.settings.max_event_bytes)
    rows: dict[tuple[str, str], JsonObject] = {}
    for event in events:
        rows.setdefault((event["source"], event["id"]), {**_row(event), "only_workflow": only})
    async with platform.database.transaction(workspace_id) as session:
        new = await store.add(session, workspace_id, list(rows.values()))
        stored = {(row.source, row.id): row for row in await store.find(session, workspace_id, list(rows))}
    dispatched = await _dispatch(platform, workspace_id, [stored[key] for key in rows])
    answers: list[Ingested] = []
    for event in events:
        key = (event["source"], event["id"])
        started, woke = dispatched[key]
        answers.append(Ingested(event["id"], key not in new, started, woke))
        new.discard(key)
    return answers


async def dispatch_pending(
    platform: Platform, workspace_id: UUID, limit: int, *, older_than: timedelta = UNDISPATCHED_FOR
) -> int:
    """Finish the dispatch of events that a crash, or a Temporal that was away, cut short; answers how many are done."""
    async with platform.database.transaction(workspace_id) as session:
        found = await store.undispatched(session, workspace_id, older_than=older_than, limit=limit)
    if not found:
        return 0
    await _dispatch(platform, workspace_id, found)
    async with platform.database.transaction(workspace_id) as session:
        now = await store.find(session, workspace_id, [(event.source, event.id) for event in found])
    return sum(event.dispatched_at is not None for event in now)


async def _dispatch(
    platform: Platform, workspace_id: UUID, events: Sequence[Event]
) -> dict[tuple[str, str], tuple[list[str], list[str]]]:
    """Do what these events do, those aside that are done already; `(started, woke)` by `(source, id)`."""
    undone = [event for event in events if event.dispatched_at is None]
    todo = await _whom(platform, workspace_id, undone) if undone else []
    gate = asyncio.Semaphore(STARTS_AT_ONCE)
    await asyncio.gather(*(_start(platform, gate, one, *start) for one in todo for start in one.starts.items()))
    for one in todo:
        await _wake(platform, one)
    if todo:
        async with platform.database.transaction(workspace_id) as session:
            # In one order everywhere, as they were inserted.
            for one in sorted(todo, key=lambda one: (one.event.source, one.event.id)):
                await store.note_dispatch(
                    session, one.event, started=sorted(one.started), woke=sorted(one.woke), done=one.done
                )
    now = {(one.event.source, one.event.id): (sorted(one.started), sorted(one.woke)) for one in todo}
    before = {(event.source, event.id): (event.started, event.woke) for event in events}
    return before | now


async def _whom(platform: Platform, workspace_id: UUID, events: Sequence[Event]) -> list[_Dispatch]:
    """For each event the workflows whose trigger, and the runs whose wait it fits."""
    latest = max(event.received_at for event in events)
    listening: dict[tuple[str, str], Sequence[Subscription]] = {}
    waiting: dict[str, Waiting] = {}
    found = [
        _Dispatch(event, store.envelope(event), started=set(event.started), woke=set(event.woke)) for event in events
    ]
    async with platform.database.transaction(workspace_id) as session:
        for type_, source in {(event.type, event.source) for event in events}:
            listening[type_, source] = await subscriptions.listening(session, workspace_id, type_, source)
        for type_ in {event.type for event in events}:
            envelopes = [one.envelope for one in found if one.event.type == type_]
            waiting[type_] = await waiting_for(session, workspace_id, type_, envelopes, latest + SINCE_TOLERANCE)
    for one in found:
        await _match(one, listening[one.event.type, one.event.source], waiting[one.event.type].may_take(one.envelope))
    await _leave_out_taken(platform, workspace_id, [one for one in found if one.later])
    return found


async def _match(found: _Dispatch, listening: Sequence[Subscription], waiting: Sequence[Wait]) -> None:
    """Note the runs and workflows the event is for."""
    event, envelope = found.event, found.envelope
    if event.only_workflow is not None:
        waiting, listening = (), [one for one in listening if one.workflow_id == event.only_workflow]
    for place, wait in enumerate(waiting, start=1):
        if _in_time(wait, event) and conditions.event_matches(wait.match, envelope, wait.context):
            found.waiting.setdefault(wait.run_id, []).append(wait.path)
            if wait.since > event.received_at:
                found.later.setdefault(wait.run_id, []).append(wait.path)
        if place % FITS_AT_ONCE == 0:
            await asyncio.sleep(0)
    for one in listening:
        if one.workflow_id not in found.starts and conditions.event_matches(one.filter, envelope, {}):
            found.starts[one.workflow_id] = one.kind


async def _leave_out_taken(platform: Platform, workspace_id: UUID, found: Sequence[_Dispatch]) -> None:
    """An event that one wait of a run has taken ends no wait that the run began afterwards: it would count twice.

    That wait's row tells what it took, and is written with the later wait's at the latest.
    """
    if not found:
        return
    async with platform.database.transaction(workspace_id) as session:
        for one in found:
            for run_id in await waits.takers(session, one.event, list(one.later)):
                paths = [path for path in one.waiting[run_id] if path not in one.later[run_id]]
                if paths:
                    one.waiting[run_id] = paths
                else:
                    del one.waiting[run_id]


def _in_time(wait: Wait, event: Event) -> bool:
    """Whether the event came while the run waited: a run no worker walks just now closes its wait late."""
    begun = wait.since <= event.received_at + SINCE_TOLERANCE
    return begun and (wait.until is None or event.received_at <= wait.until)


async def _start(platform: Platform, gate: asyncio.Semaphore, one: _Dispatch, workflow_id: UUID, kind: str) -> None:
    """Start the workflow for the event. One that was paused or deleted meanwhile, or cannot take it, is left out."""
    attributes = {name: value for name, value in one.envelope.items() if name != "data"}
    key = run_key(one.event.source, one.event.id)
    async with gate:
        try:
            started = await runs.start(
                platform,
                one.event.workspace_id,
                workflow_id,
                input=subscribing.given(kind, one.envelope),
                idempotency_key=key,
                trigger_type=kind,
                event=attributes,
            )
        except (NotFound, Conflict, TooLarge) as refusal:
            logger.warning("%s starts no run of workflow %s: %s", one.name, workflow_id, refusal)
            return
    run = started.run
    if run.idempotency_key != key:
        # `run_once_per`: another event began that run, and it may well wait for this one.
        return
    if runs.has_ended(run) and run.started_at is None:
        logger.warning("%s began no run of workflow %s: %s", one.name, workflow_id, run.error)
        return
    one.started.add(str(run.id))


async def _wake(platform: Platform, one: _Dispatch) -> None:
    """Deliver the event to the runs that wait for it. A run it started itself never waits for it."""
    for run_id, paths in one.waiting.items():
        if str(run_id) in one.started:
            continue
        try:
            async with asyncio.timeout(SIGNAL_SECONDS):
                handle = await handle_of(platform, run_id)
                await handle.signal(
                    DELIVER_EVENT_SIGNAL,
                    DeliveredEvent(event=one.envelope, paths=paths),
                    rpc_timeout=timedelta(seconds=SIGNAL_SECONDS),
                )
        except TEMPORAL_ERRORS as error:
            if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                continue  # the run has ended and waits for nothing any more
            if isinstance(error, RPCError) and error.status in REFUSED:
                # Again would be the same: it must not stand in the way of what can be delivered.
                logger.error("%s is refused by Temporal for run %s: %s", one.name, run_id, error)
                continue
            logger.warning("%s is not yet delivered to run %s: %s", one.name, run_id, error)
            one.done = False
            continue
        one.woke.add(str(run_id))


def run_key(source: str, id: str) -> str:
    """The idempotency key of runs an event starts; no two events share one, whatever colons are in them."""
    return f"event:{quote(source, safe='/')}:{id}"


def _row(event: JsonObject) -> JsonObject:
    time = event.get("time")
    return {
        "id": event["id"],
        "source": event["source"],
        "type": event["type"],
        "subject": event.get("subject"),
        "time": None if time is None else parse_moment(time),
        "data": event.get("data"),
        "extensions": {name: value for name, value in event.items() if name not in _COLUMNS and name != "specversion"},
    }


def check(events: Sequence[JsonObject], max_bytes: int) -> None:
    """Refuse envelopes that are too many or too large. Raises `TooLarge` or `Invalid`."""
    if not 1 <= len(events) <= MAX_EVENTS:
        raise Invalid("invalid_event", f"Send 1 to {MAX_EVENTS} events at once, not {len(events)}.")
    problems: list[Problem] = []
    for index, event in enumerate(events):
        at = f"[{index}]." if len(events) > 1 else ""
        for name, limit in (("id", MAX_ID_BYTES), ("source", MAX_SOURCE_BYTES), ("type", MAX_TYPE_BYTES)):
            if (size := len(event[name].encode())) > limit:
                problems.append(Problem(f"{at}{name}", f"has {size} bytes, more than the {limit} it may have"))
        if (size := _size(event)) > max_bytes:
            which = f"Event {index} of the list" if at else "The event"
            raise TooLarge("event_too_large", f"{which} has {size} bytes, more than the {max_bytes} it may have.")
    if problems:
        raise Invalid("invalid_event", "; ".join(f"{one.path}: {one.message}" for one in problems), problems)


def _size(event: Json) -> int:
    return len(json.dumps(event, ensure_ascii=False).encode())
