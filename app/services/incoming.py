"""Messages as they come in: which connection an address is of, and from there to events and to answers.

A message is an event before whoever brought it is answered. The provider's id of it is the event's: told again, it does
nothing again. What a provider's request means is `app.inbound`'s.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.db.values import clean_json
from app.definition.durations import parse as parse_duration
from app.definition.triggers.message import message_event, message_source
from app.inbound.message import Message
from app.json import Json, JsonObject
from app.security import message_addresses as tokens
from app.services import answering, connections, events, runs, standing
from app.services.connections import ResolvedConnection
from app.services.errors import Conflict, NotFound, Unavailable
from app.services.platform import Platform
from app.store import messages as store

LONGEST_ANSWER_SECONDS = 10.0
"""Twilio waits fifteen seconds for an answer; the rest is for the way."""
EVENTS_AT_ONCE = 100


@dataclass(frozen=True)
class Door:
    """Where a request came in: the address's token, and the connection it is of."""

    token: str
    workspace_id: UUID
    connection_id: UUID
    connection: ResolvedConnection


def now() -> datetime:
    """When something came in that does not say when it was sent."""
    return datetime.now(UTC)


async def door(platform: Platform, token: str) -> Door:
    """Whose address this is. Raises `NotFound` (`address_not_found`) for any other, whatever is wrong with it, and
    `Unavailable` when the connection cannot be used just now: the provider is to come again."""
    workspace_id = tokens.workspace_of(token)
    row = None
    if workspace_id is not None:
        async with platform.database.transaction(workspace_id) as session:
            row = await store.connection_at(session, workspace_id, tokens.digest(token))
    if workspace_id is None or row is None:
        raise NotFound("address_not_found", "No messages are taken at this address.")
    await standing.require_open(platform, workspace_id)
    try:
        return Door(token, workspace_id, row.id, connections.opened(platform, row))
    except Conflict as error:
        raise Unavailable("connection_unusable", "Messages cannot be taken at this address just now.") from error


async def take(
    platform: Platform, workspace_id: UUID, connection: str, messages: Sequence[Message]
) -> list[events.Ingested]:
    """Make events of messages that came in over the connection of this name, and dispatch them."""
    envelopes: list[JsonObject] = [clean_json(message.envelope(connection)) for message in messages]
    done: list[events.Ingested] = []
    for start in range(0, len(envelopes), EVENTS_AT_ONCE):
        done += await events.ingest(platform, workspace_id, envelopes[start : start + EVENTS_AT_ONCE])
    return done


async def take_and_answer(platform: Platform, door: Door, message: Message) -> JsonObject | None:
    """As `take` for one message; answers with what the `respond` step of the run it started says (`body`, `headers`),
    if the run's trigger says that the step answers and it does so in time. None: there is no answer."""
    clock = asyncio.get_running_loop()
    came = clock.time()
    seconds = await _answered_by_step(platform, door, message)
    [taken] = await take(platform, door.workspace_id, door.connection.name, [message])
    if not seconds:
        return None
    with suppress(Unavailable, NotFound):  # it is taken, whatever can be told of its run
        for run_id in taken.started:
            run = await runs.get(platform, door.workspace_id, UUID(run_id), live=False)
            if run.workflow_id in seconds:
                left = seconds[run.workflow_id] - (clock.time() - came)
                run = await answering.wait_for_answer(platform, run, left)
                return run.response
    return None


async def listening(platform: Platform, door: Door, message_type: str) -> list[store.Listening]:
    """The triggers that messages of this type over this connection are for."""
    async with platform.database.transaction(door.workspace_id) as session:
        return await store.listening(session, door.workspace_id, message_type, message_source(door.connection.name))


async def _answered_by_step(platform: Platform, door: Door, message: Message) -> dict[UUID, float]:
    """Workflows whose runs answer such messages themselves, and how many seconds they have."""
    return {
        each.workflow_id: _seconds(each.options.get("timeout"))
        for each in await listening(platform, door, message_event(message.channel))
        if each.options.get("respond") == "by_step"
    }


def _seconds(timeout: Json) -> float:
    if timeout is None:
        return LONGEST_ANSWER_SECONDS
    return min(parse_duration(timeout).total_seconds(), LONGEST_ANSWER_SECONDS)
