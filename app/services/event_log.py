"""The log of events: find them, see what one did, and let it happen once more. How events are taken in is `events`'s.

A replay is a new event that says the same; what it does it does because somebody asked for it, and once for each time
they did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.models import Event
from app.definition import conditions
from app.definition.event_types import fits
from app.definition.model import Definition
from app.definition.parse import parse
from app.json import Json
from app.services import audit, events, subscribing
from app.services.audit import Made
from app.services.errors import Conflict, NotFound
from app.services.events import Ingested
from app.services.paging import Page, decode_cursor, encode_cursor, page_of, plain_text
from app.services.platform import Platform
from app.store import event_log as store
from app.store import events as rows
from app.store import versions, workflows
from app.store.event_log import EventFilter, Logged, Place, Touched

__all__ = ["Did", "EventFilter", "Logged", "Replayed", "Seen", "get", "list_", "replay"]

REPLAY_OF = "replayof"
"""The extension attribute of a replay: the id of the event it repeats."""


@dataclass(frozen=True, slots=True)
class Did:
    """A run that an event started or woke. `paths` are the waits that took it, where they are known."""

    run: Touched
    effect: str
    """`started` or `woke`."""
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """An event and the runs it concerned, those aside that are deleted meanwhile."""

    event: Event
    runs: Sequence[Did]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay."""

    result: Ingested
    seen: Seen


async def list_(
    platform: Platform,
    workspace_id: UUID,
    filter_: EventFilter,
    *,
    with_data: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Logged]:
    """A page of the log, newest first. With a text to look for it may hold fewer events than there are, or none, and
    yet lead to a next one. Raises `Invalid` (`invalid_cursor`)."""
    after = decode_cursor(cursor, _read_place)
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(session, workspace_id, filter_, after=after, limit=limit + 1, with_data=with_data)
        page = page_of(found, limit, lambda event: _key(event.place))
        if filter_.text is None or page.next_cursor is not None:
            return page
        place = await store.looked_until(session, workspace_id, filter_, after=after)
    return Page(page.items, None if place is None else encode_cursor(_key(place)))


async def get(platform: Platform, workspace_id: UUID, id: str, *, source: str | None = None) -> Seen:
    """One event with what it did. Raises `NotFound`, and `Conflict` (`which_event`) when several sources have the id
    and none is named."""
    async with platform.database.transaction(workspace_id) as session:
        return await _seen(session, await _one(session, workspace_id, id, source))


async def replay(
    platform: Platform,
    workspace_id: UUID,
    id: str,
    *,
    source: str | None = None,
    only: UUID | None = None,
    idempotency_key: str | None = None,
) -> Replayed:
    """Let an event happen once more: a new one of the same type, source, subject, time and data. With `only` it starts
    that workflow alone and wakes nobody. The same `idempotency_key` makes one replay of the event.

    Raises `NotFound`, `Conflict` (`which_event`, `workflow_not_active`, `event_not_for_workflow`,
    `idempotency_key_reused`) and what `events.ingest` raises.
    """
    async with platform.database.transaction(workspace_id) as session:
        event = await _one(session, workspace_id, id, source)
        new_id = _replay_id(event, idempotency_key)
        before = await rows.find(session, workspace_id, [(event.source, new_id)])
        if only is not None and not before:
            await _check_workflow(session, event, only)
    # Nobody's step caused it: it begins a chain of its own.
    said = {name: value for name, value in rows.envelope(event).items() if name != "caused_by"}
    envelope = {**said, "id": new_id, REPLAY_OF: event.id}
    told = {"source": event.source, "new_event_id": new_id, "only_workflow": None if only is None else str(only)}
    noted = audit.statement("event.replay", event.id, event.type, after=told, made=Made("event", new_id))
    [result] = await events.ingest(platform, workspace_id, [envelope], only=only, noted=noted)
    async with platform.database.transaction(workspace_id) as session:
        made = await _one(session, workspace_id, new_id, event.source)
        if made.only_workflow != only:
            raise Conflict(
                "idempotency_key_reused",
                f"This Idempotency-Key made the replay {made.id!r} for another workflow_id; use a new key.",
            )
        return Replayed(result, await _seen(session, made))


async def _one(session: AsyncSession, workspace_id: UUID, id: str, source: str | None) -> Event:
    found = await store.of_id(session, workspace_id, id, source)
    if not found:
        of = "" if source is None else f" of {source[:200]!r}"
        raise NotFound("event_not_found", f"There is no event {id[:200]!r}{of}; GET /v1/events lists them.")
    if len(found) > 1:
        told = ", ".join(event.source for event in found)
        told += ", …" if len(found) == store.MANY_SOURCES else ""
        raise Conflict("which_event", f"Several sources have an event {id!r}: say which by ?source= ({told}).")
    return found[0]


async def _seen(session: AsyncSession, event: Event) -> Seen:
    started, woke = _ids(event.started), _ids(event.woke)
    runs = {run.id: run for run in await store.touched(session, event.workspace_id, started + woke)}
    paths = await store.paths_taken(session, event, woke)
    did = [Did(runs[run_id], "started", ()) for run_id in started if run_id in runs]
    did += [Did(runs[run_id], "woke", paths.get(run_id, ())) for run_id in woke if run_id in runs]
    return Seen(event, did)


async def _check_workflow(session: AsyncSession, event: Event, workflow_id: UUID) -> None:
    """Whether the workflow would be started by such an event."""
    workflow = await workflows.find(session, event.workspace_id, workflow_id)
    if workflow is None:
        raise NotFound("workflow_not_found", f"There is no workflow {workflow_id}.")
    if workflow.status != "active":
        raise Conflict(
            "workflow_not_active",
            f'The workflow "{workflow.name}" is {workflow.status}: publish or activate it, then replay the event.',
        )
    version = await versions.find(session, event.workspace_id, workflow_id, workflow.active_version or 0)
    if version is not None and _takes(workflow_id, parse(version.definition), event):
        return
    raise Conflict(
        "event_not_for_workflow",
        f'No trigger of the workflow "{workflow.name}" takes this event: its type is {event.type!r}, its source '
        f"{event.source!r}. Start a run of it instead.",
    )


def _takes(workflow_id: UUID, definition: Definition, event: Event) -> bool:
    envelope = rows.envelope(event)
    return any(
        fits(one.event, event.type)
        and one.source in (None, event.source)
        and conditions.event_matches(one.filter, envelope, {})
        for one in subscribing.listens(workflow_id, definition)
    )


def _replay_id(event: Event, key: str | None) -> str:
    """A new id; under a key always the same one for this event."""
    return str(uuid7() if key is None else uuid5(NAMESPACE_URL, f"replay {event.source!r} {event.id!r} {key!r}"))


def _ids(texts: Sequence[str]) -> list[UUID]:
    return [UUID(one) for one in texts]


def _key(place: Place) -> Json:
    return [place.received_at.isoformat(), place.source, place.id]


def _read_place(key: Json) -> Place:
    moment, source, id = key
    received = datetime.fromisoformat(moment)
    if received.tzinfo is None:
        raise ValueError("no moment")
    return Place(received, plain_text(source), plain_text(id))
