"""Taking events in: each is committed before anything looks for who wants it, and dispatched at once.

A wait is committed before it looks for events: neither can miss the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db.engine import Statement
from app.db.models import Event
from app.json import JsonObject
from app.services.dispatching import dispatch
from app.services.envelopes import check, row_of
from app.services.listening import Listening, Look
from app.services.platform import Platform
from app.store import events as store


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one event: the runs it started and those it was delivered to, as ids."""

    id: str
    duplicate: bool
    started: list[str]
    woke: list[str]


async def ingest(
    platform: Platform,
    workspace_id: UUID,
    events: Sequence[JsonObject],
    *,
    only: UUID | None = None,
    noted: Statement | None = None,
) -> list[Ingested]:
    """Take events (CloudEvents envelopes with `data`), commit them, then dispatch them; answers in their order.

    The same `source` and `id` does it once: a repeat answers with what the first one did, and finishes its dispatch if
    that was cut short. With `only` they start that workflow alone and wake nobody. `noted` is sent with them, in their
    transaction. Raises `TooLarge` or `Invalid` before anything is taken.
    """
    check(events, platform.settings.max_event_bytes)
    rows: dict[tuple[str, str], JsonObject] = {}
    for event in events:
        rows.setdefault((event["source"], event["id"]), row_of(event, only=only))
    taken, listening = await _add(platform, workspace_id, list(rows.values()), noted)
    new = {(event.source, event.id) for event in taken}
    if len(new) < len(rows):
        async with platform.database.transaction(workspace_id) as session:
            repeated = [(row["source"], row["id"]) for row in rows.values() if (row["source"], row["id"]) not in new]
            # Who may want one that came before was asked as of now.
            taken, listening = [*taken, *await store.find(session, workspace_id, repeated)], None
    did = await dispatch(platform, workspace_id, taken, listening)
    answers: list[Ingested] = []
    for event in events:
        row = rows[event["source"], event["id"]]
        key = (row["source"], row["id"])
        started, woke = did[key]
        answers.append(Ingested(event["id"], key not in new, started, woke))
        new.discard(key)
    return answers


async def _add(
    platform: Platform, workspace_id: UUID, rows: Sequence[JsonObject], noted: Statement | None
) -> tuple[list[Event], dict[str, Listening] | None]:
    """Commit events, then ask who may want them: in one round trip. Answers with those that are new."""
    events = {(row["source"], row["id"]): _event(workspace_id, row) for row in rows}
    look = Look(platform, workspace_id, [store.envelope(event) for event in events.values()])
    adding = [*store.add(workspace_id, rows), *([] if noted is None else [noted])]
    added, found = await platform.database.run_in_turn(workspace_id, adding, look.statements())
    received = {(source, id): at for source, id, at in added[1]}
    for key, at in received.items():
        events[key].received_at = at
    return [event for key, event in events.items() if key in received], await look.read(found)


def _event(workspace_id: UUID, row: JsonObject) -> Event:
    """The row as it is inserted."""
    time, only = row["time"], row["only_workflow"]
    columns: dict[str, Any] = {
        **row,
        "time": None if time is None else datetime.fromisoformat(time),
        "only_workflow": None if only is None else UUID(only),
    }
    return Event(workspace_id=workspace_id, started=[], woke=[], dispatched_at=None, **columns)
