"""Events that steps of runs emit: committed together with what the step did, dispatched once that is committed.

An emitted event says what caused it. How many events a chain has is counted, so that workflows which start or wake each
other end: an event beyond `MAX_CHAIN` is refused, and the step that tried to emit it fails.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import execute
from app.json import JsonObject
from app.services.dispatching import dispatch
from app.services.envelopes import check, row_of
from app.services.errors import NotFound
from app.services.platform import Platform
from app.store import emitting
from app.store import events as store

MAX_CHAIN = 20
"""Events each of which was caused by the one before."""

logger = logging.getLogger(__name__)


class ChainTooDeep(Exception):
    """The event would be one more than a chain may have; the message is for people."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event that was emitted; `duplicate` when the same source and id came before."""

    id: str
    source: str
    type: str
    duplicate: bool


async def emit(
    session: AsyncSession,
    workspace_id: UUID,
    run_id: UUID,
    step_path: str,
    events: Sequence[JsonObject],
    *,
    max_event_bytes: int,
) -> list[Emitted]:
    """Have a step of the run emit these events in the transaction of what it does, as the last thing in it: whoever
    dispatches in order waits for that. `dispatch_emitted` is to be called once it is committed, and upkeep does what is
    left of it.

    Envelopes have `id` and `type`; without `source` they are of the run's workflow (`/workflows/<slug>`). Raises
    `Invalid` and `TooLarge` for an envelope that cannot be taken, `NotFound` (`run_not_found`) and `ChainTooDeep`.
    """
    emitter = await emitting.emitter(session, workspace_id, run_id)
    if emitter is None:
        raise NotFound("run_not_found", f"There is no run {run_id}.")
    depth = emitter.cause_depth + 1
    whole = [{"source": f"/workflows/{emitter.slug or emitter.workflow_id}", **event} for event in events]
    if depth > MAX_CHAIN:
        raise _too_deep(emitter, run_id, step_path, whole)
    check(whole, max_event_bytes)
    cause = {"run_id": str(run_id), "step_path": step_path, "depth": depth}
    rows = {(row["source"], row["id"]): row for row in (row_of(event, cause) for event in whole)}
    lock, add = store.add(workspace_id, list(rows.values()))
    await execute(session, lock)
    new = {(source, id) for source, id, _ in await execute(session, add)}
    return [Emitted(id, source, row["type"], (source, id) not in new) for (source, id), row in rows.items()]


async def dispatch_emitted(
    platform: Platform, workspace_id: UUID, emitted: Sequence[Emitted]
) -> dict[tuple[str, str], tuple[list[str], list[str]]]:
    """Do what these events do; `(started, woke)` by `(source, id)`."""
    async with platform.database.transaction(workspace_id) as session:
        events = await store.find(session, workspace_id, [(one.source, one.id) for one in emitted])
    return await dispatch(platform, workspace_id, events)


def _too_deep(emitter: emitting.Emitter, run_id: UUID, step_path: str, events: Sequence[JsonObject]) -> ChainTooDeep:
    types = ", ".join(sorted({str(event["type"]) for event in events}))
    logger.error(
        "run %s of workflow %r (%s) emits no event %s at %s: it is the end of a chain of %d events, each caused by the "
        "one before. Workflows that start or wake each other must not do so without end.",
        run_id, emitter.workflow_name, emitter.workflow_id, types, step_path, emitter.cause_depth,
    )  # fmt: skip
    return ChainTooDeep(
        f'"{types}" would be event {emitter.cause_depth + 1} of a chain in which each was caused by the one before, '
        f'and a chain has at most {MAX_CHAIN}: the workflow "{emitter.workflow_name}" is part of a circle of workflows '
        "that start or wake each other. Break it.",
    )
