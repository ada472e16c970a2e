"""Doing what events do: starting the workflows that listen and waking the runs that wait.

Whatever an event does carries an id made from the event, so that doing it again changes nothing; a crash before all is
done is made good by `dispatch_pending`. What cannot be done for one of those it concerns keeps nothing from the others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from temporalio.service import RPCError, RPCStatusCode

from app.db.models import Event
from app.definition import conditions
from app.services import conversations, ordering, standing
from app.services.errors import Unavailable
from app.services.launching import TEMPORAL_ERRORS, handle_of
from app.services.listening import SINCE_TOLERANCE, Listening, look
from app.services.platform import Platform
from app.services.reacting import OnItsWay, fits, start
from app.store import events as store
from app.store import waits
from app.store.events import Dispatched
from app.store.listening import Heard, OpenWait
from app.temporal.messages import DeliveredEvent
from app.temporal.names import DELIVER_EVENT_SIGNAL

UNDISPATCHED_FOR = timedelta(seconds=2)
SIGNAL_SECONDS = 5.0
REFUSED = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION)
STARTS_AT_ONCE = 20
SIGNALS_AT_ONCE = 20
FITS_AT_ONCE = 100
"""Conditions evaluated before other requests get their turn: thousands may listen to one type."""

logger = logging.getLogger(__name__)

Key = tuple[str, str]


async def dispatch_pending(
    platform: Platform, workspace_id: UUID, limit: int, *, older_than: timedelta = UNDISPATCHED_FOR
) -> int:
    """Finish the dispatch of events that a crash, or a Temporal that was away, cut short; answers how many are done."""
    async with platform.database.transaction(workspace_id) as session:
        found = await store.undispatched(session, workspace_id, older_than=older_than, limit=limit)
    if not found:
        return 0
    await dispatch(platform, workspace_id, sorted(found, key=lambda event: (event.received_at, event.source, event.id)))
    async with platform.database.transaction(workspace_id) as session:
        now = await store.find(session, workspace_id, [(event.source, event.id) for event in found])
    return sum(event.dispatched_at is not None for event in now)


async def dispatch(
    platform: Platform, workspace_id: UUID, events: Sequence[Event], listening: Mapping[str, Listening] | None = None
) -> dict[Key, tuple[list[str], list[str]]]:
    """Do what these events do, in the order of which they are given, those aside that are done already; `(started,
    woke)` by `(source, id)`. `listening`: who may want them, where the caller has asked after they were committed."""
    todo = [OnItsWay.of(event) for event in events if event.dispatched_at is None]
    if todo:
        try:
            await _act(platform, workspace_id, todo, listening)
        except Unavailable as error:
            # They are kept: to say that they were not would have their sender send them again.
            logger.warning("the dispatch of %d events is finished later: %s", len(todo), error.detail)
        except Exception:
            logger.exception("%s could not be dispatched", todo[0].name if len(todo) == 1 else f"{len(todo)} events")
            todo = await _one_by_one(platform, workspace_id, todo)
    now = {(one.event.source, one.event.id): (sorted(one.started), sorted(one.woke)) for one in todo}
    before = {(event.source, event.id): (event.started, event.woke) for event in events}
    return before | now


async def _act(
    platform: Platform, workspace_id: UUID, todo: Sequence[OnItsWay], listening: Mapping[str, Listening] | None
) -> None:
    may_start = await standing.state_of(platform, workspace_id) == "active"
    if listening is None:
        latest = max(one.event.received_at for one in todo)
        listening = await look(platform, workspace_id, [one.envelope for one in todo], latest)
    for one in todo:
        await _match(one, listening[one.event.type])
    await _leave_out_taken(platform, workspace_id, [one for one in todo if one.later])
    if may_start:
        await _start_all(platform, workspace_id, todo)
    else:
        _put_off_starts(todo)
    await _wake_all(platform, workspace_id, todo)
    did = [Dispatched(one.event.source, one.event.id, sorted(one.started), sorted(one.woke), one.done) for one in todo]
    if len(did) == 1:
        await platform.dispatches.note(workspace_id, did[0])
    else:
        await platform.dispatches.note_all(workspace_id, did)


async def _one_by_one(platform: Platform, workspace_id: UUID, failed: Sequence[OnItsWay]) -> list[OnItsWay]:
    """Do what each of the events does by itself: one that cannot be dispatched must not take others with it, and is
    tried again after them."""
    again = [OnItsWay.of(one.event) for one in failed]
    for one in again:
        try:
            if len(again) > 1:
                await _act(platform, workspace_id, [one], None)
                continue
        except Unavailable as error:
            logger.warning("the dispatch of %s is finished later: %s", one.name, error.detail)
            break
        except Exception:
            logger.exception("%s could not be dispatched", one.name)
        did = Dispatched(one.event.source, one.event.id, sorted(one.started), sorted(one.woke), done=False)
        try:
            await platform.dispatches.note(workspace_id, did)
        except Unavailable as error:
            logger.warning("the dispatch of %s is finished later: %s", one.name, error.detail)
            break
    return again


async def _match(found: OnItsWay, listening: Listening) -> None:
    """Note the runs and workflows the event is for."""
    event, envelope = found.event, found.envelope
    waiting = listening.waits.of(envelope) if event.only_workflow is None else ()
    for place, wait in enumerate(waiting, start=1):
        if (
            _is_news(wait, event)
            and _in_time(wait, event)
            and conditions.event_matches(wait.match, envelope, wait.context)
        ):
            found.waiting.setdefault(wait.run_id, []).append(wait.path)
            found.workflow_of[wait.run_id] = wait.workflow_id
            if wait.since > event.received_at:
                found.later.setdefault(wait.run_id, []).append(wait.path)
        if place % FITS_AT_ONCE == 0:
            await asyncio.sleep(0)
    for place, heard in enumerate(listening.subscriptions.of(envelope), start=1):
        meant = event.only_workflow in (None, heard.workflow_id)
        if meant and heard.workflow_id not in found.starts and fits(heard, envelope):
            found.starts[heard.workflow_id] = heard
        if place % FITS_AT_ONCE == 0:
            await asyncio.sleep(0)


def _is_news(wait: OpenWait, event: Event) -> bool:
    """Whether the event was not delivered to the wait by an earlier dispatch, which was not done with all of it."""
    return str(wait.run_id) not in event.woke or (event.tried_at is not None and wait.since > event.tried_at)


def _in_time(wait: OpenWait, event: Event) -> bool:
    """Whether the event came while the run waited: a run no worker walks just now closes its wait late."""
    begun = wait.since <= event.received_at + SINCE_TOLERANCE
    return begun and (wait.until is None or event.received_at <= wait.until)


async def _leave_out_taken(platform: Platform, workspace_id: UUID, found: Sequence[OnItsWay]) -> None:
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


def _put_off_starts(todo: Sequence[OnItsWay]) -> None:
    """Nothing new starts in a suspended workspace: events that would start something wait until it is resumed. Runs
    under way go on, and are woken, except where a message either wakes a run or begins one."""
    for one in todo:
        talks = {workflow_id for workflow_id, heard in one.starts.items() if heard.options.get("conversation")}
        for run_id in [run_id for run_id in one.waiting if one.workflow_of[run_id] in talks]:
            del one.waiting[run_id]
        one.done = one.done and not one.starts


async def _start_all(platform: Platform, workspace_id: UUID, todo: Sequence[OnItsWay]) -> None:
    """Start what the events start: at once, one after the other, or unless a conversation is under way."""
    gate = asyncio.Semaphore(STARTS_AT_ONCE)
    acts: list[Awaitable[None]] = []
    in_order: dict[UUID, list[tuple[OnItsWay, Heard]]] = {}
    talks: dict[tuple[UUID, str], list[OnItsWay]] = {}
    for one in todo:
        for workflow_id, heard in one.starts.items():
            contact = one.event.subject
            if heard.options.get("ordered_by") is not None:
                in_order.setdefault(workflow_id, []).append((one, heard))
            elif heard.options.get("conversation") and contact:
                talks.setdefault((workflow_id, contact), []).append(one)
            else:
                acts.append(_gated(gate, _start(platform, one, heard)))
    acts += [ordering.start_in_order(platform, gate, *each) for each in in_order.items()]
    acts += [_gated(gate, conversations.pass_on(platform, *key, each)) for key, each in talks.items()]
    if acts:
        await _all(acts)


async def _start(platform: Platform, one: OnItsWay, heard: Heard) -> None:
    await start(platform, one, heard.workflow_id, heard.kind)


async def _wake_all(platform: Platform, workspace_id: UUID, todo: Sequence[OnItsWay]) -> None:
    """Deliver the events to the runs that wait for them, those for one run in their order. A run that an event started
    itself never waits for it."""
    deliveries: dict[UUID, list[OnItsWay]] = {}
    for one in todo:
        for run_id in one.waiting:
            if str(run_id) not in one.started:
                deliveries.setdefault(run_id, []).append(one)
    gate = asyncio.Semaphore(SIGNALS_AT_ONCE)
    if deliveries:
        await _all([_gated(gate, _deliver(platform, workspace_id, *each)) for each in deliveries.items()])


async def _deliver(platform: Platform, workspace_id: UUID, run_id: UUID, events: Sequence[OnItsWay]) -> None:
    for one in events:
        depth, contact = store.depth_of(one.event.caused_by), one.talks.get(run_id)
        if depth or contact:
            # Before it can do anything that it is woken for.
            joined = store.join_chain(workspace_id, run_id, depth=depth, conversation=contact)
            await platform.database.run(workspace_id, joined)
        await _wake(platform, one, run_id)


async def _wake(platform: Platform, one: OnItsWay, run_id: UUID) -> None:
    try:
        async with asyncio.timeout(SIGNAL_SECONDS):
            handle = await handle_of(platform, run_id)
            await handle.signal(
                DELIVER_EVENT_SIGNAL,
                DeliveredEvent(event=one.envelope, paths=one.waiting[run_id]),
                rpc_timeout=timedelta(seconds=SIGNAL_SECONDS),
            )
    except TEMPORAL_ERRORS as error:
        if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
            return  # the run has ended and waits for nothing any more
        if isinstance(error, RPCError) and error.status in REFUSED:
            # Again would be the same: it must not stand in the way of what can be delivered.
            logger.error("%s is refused by Temporal for run %s: %s", one.name, run_id, error)
            return
        logger.warning("%s is not yet delivered to run %s: %s", one.name, run_id, error)
        one.done = False
        return
    one.woke.add(str(run_id))


async def _gated(gate: asyncio.Semaphore, act: Awaitable[None]) -> None:
    async with gate:
        await act


async def _all(acts: Sequence[Awaitable[None]]) -> None:
    """Do them together. What one raises is raised when all are over."""
    if len(acts) == 1:
        await acts[0]
        return
    for failure in await asyncio.gather(*acts, return_exceptions=True):
        if isinstance(failure, BaseException):
            raise failure
