"""Starting runs in the order their events were received in, where a trigger asks for it (`ordered_by`).

Runs with the same value share one place, as runs under `settings.concurrency` do, and wait for it in the order of their
events. What is seen to here is that none gets into that line before one whose event came earlier: an event that was
received first may be dispatched last, by another process or after a crash. So whoever starts a run for an event starts
those of earlier events before; to start a run twice changes nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.db.models import Event
from app.definition.errors import ExpressionError
from app.definition.ordering import order_key
from app.json import JsonObject
from app.services.envelopes import run_key
from app.services.platform import Platform
from app.services.reacting import OnItsWay, hears, start
from app.store import events as store
from app.store import listening, runs
from app.store.listening import Heard

MOST_AT_ONCE = 500

Place = tuple[OnItsWay, Heard]


async def start_in_order(platform: Platform, gate: asyncio.Semaphore, workflow_id: UUID, own: Sequence[Place]) -> None:
    """Start the workflow for these events, and before each for the earlier ones of its line."""
    lines: dict[str, list[Place]] = {}
    alone: list[Place] = []
    for one, heard in own:
        key = _key(heard, one.envelope)
        if key is None:
            # No order, or one that cannot be told: that becomes a run that says so and never began.
            alone.append((one, heard))
        else:
            lines.setdefault(key, []).append((one, heard))
    if lines:
        await _add_earlier(platform, workflow_id, lines)
    starts = [_start_alone(platform, gate, workflow_id, *each) for each in alone]
    await asyncio.gather(*starts, *(_start_line(platform, gate, workflow_id, line) for line in lines.values()))


async def _start_alone(
    platform: Platform, gate: asyncio.Semaphore, workflow_id: UUID, one: OnItsWay, heard: Heard
) -> None:
    async with gate:
        await start(platform, one, workflow_id, heard.kind)


async def _start_line(platform: Platform, gate: asyncio.Semaphore, workflow_id: UUID, line: Sequence[Place]) -> None:
    reached = True
    for one, heard in sorted(line, key=lambda place: _moment(place[0].event)):
        if reached:
            async with gate:
                reached = await start(platform, one, workflow_id, heard.kind, ordered=True)
        else:
            one.done = False


async def _add_earlier(platform: Platform, workflow_id: UUID, lines: dict[str, list[Place]]) -> None:
    """Add to each line the events before its last one that nobody has started a run for."""
    own = [one.event for line in lines.values() for one, _ in line]
    workspace_id, known = own[0].workspace_id, {(event.source, event.id) for event in own}
    _, heard = await platform.database.run_in_turn(
        workspace_id, [store.settle(workspace_id)], [listening.of_workflow(workspace_id, workflow_id)]
    )
    _, subscriptions = listening.read_subscriptions(heard[0])
    last = {key: max(_moment(one.event) for one, _ in line) for key, line in lines.items()}
    for event in await _undispatched(platform, workspace_id, workflow_id, subscriptions, max(last.values())[0]):
        envelope = store.envelope(event)
        fitting = next((each for each in subscriptions if hears(each, envelope)), None)
        key = _key(fitting, envelope) if fitting is not None else None
        if fitting is None or key not in lines or (event.source, event.id) in known:
            continue
        if _moment(event) < last[key]:
            lines[key].append((OnItsWay.of(event), fitting))


async def _undispatched(
    platform: Platform, workspace_id: UUID, workflow_id: UUID, subscriptions: Sequence[Heard], until: datetime
) -> list[Event]:
    """Events of the types the workflow takes in order that were received by then, not dispatched to the end, and for
    which it has no run yet."""
    patterns = sorted({each.event for each in subscriptions if each.options.get("ordered_by") is not None})
    found: list[Event] = []
    after: Event | None = None
    while patterns:
        async with platform.database.transaction(workspace_id) as session:
            page = await store.undispatched_until(
                session, workspace_id, workflow_id, patterns, until, after=after, limit=MOST_AT_ONCE
            )
            keys = {(event.source, event.id): run_key(event.source, event.id) for event in page}
            begun = await runs.with_keys(session, workspace_id, workflow_id, list(keys.values()))
        found += [event for event in page if keys[event.source, event.id] not in begun]
        if len(page) < MOST_AT_ONCE:
            break
        after = page[-1]
    return found


def _key(heard: Heard, envelope: JsonObject) -> str | None:
    try:
        return order_key(heard.options.get("ordered_by"), envelope)
    except ExpressionError:
        return None


def _moment(event: Event) -> tuple[datetime, str, str]:
    return event.received_at, event.source, event.id
