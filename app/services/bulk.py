"""Run control over all runs that match a filter, one page of them at a time. What is done to each is the caller's.

A walk over the pages takes each run once, in the order of their ids, although what is done to runs changes which of
them match; runs that are asked for later (retries, for one) are none of its business. One that refuses stops no other.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from app.db.models import Run
from app.json import Json
from app.services.errors import ServiceError, Unavailable
from app.services.paging import decode_cursor, encode_cursor
from app.services.platform import Platform
from app.store import runs as store
from app.store.runs import RunFilter

AT_ONCE = 10
BEGIN_SECONDS = 15.0
"""No further run is begun with after this; those that are left make the next page."""

Control: TypeAlias = Callable[[UUID], Awaitable[Run]]
"""Does something to a run; answers with it as it is then, or with the new run that takes its place."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """What became of one run: `done`, `refused` by the run or its state, or `failed` because a part was down.

    `status` is the run's status after; None for a run deleted meanwhile, or while the database is away.
    """

    run_id: UUID
    outcome: Literal["done", "refused", "failed"] = "done"
    status: str | None = None
    new_run_id: UUID | None = None
    error: ServiceError | None = None


@dataclass(frozen=True, slots=True)
class Controlled:
    """One page of a walk: `matched` counts all runs that match now, taken or not."""

    outcomes: Sequence[Outcome]
    matched: int
    next_cursor: str | None


@dataclass(slots=True)
class _Page:
    """The runs of a page: those still to be taken, and what became of the others."""

    waiting: deque[UUID]
    outcomes: dict[UUID, Outcome] = field(default_factory=dict)


async def control_all(
    platform: Platform,
    workspace_id: UUID,
    filter_: RunFilter,
    control: Control,
    *,
    limit: int,
    cursor: str | None = None,
) -> Controlled:
    """Do `control` to at most `limit` runs of the filter, ten at a time; the page is shorter when that takes long.

    Raises `Invalid` for a cursor of something else, and `Unavailable` without a database.
    """
    place = decode_cursor(cursor, _read_place)
    async with platform.database.transaction(workspace_id) as session:
        after, began = place or (None, await store.clock(session))
        filter_ = replace(filter_, asked_until=began)
        found = await store.ids(session, workspace_id, filter_, after=after, limit=limit + 1)
        matched = await store.count(session, workspace_id, filter_)
    page = _Page(deque(found[:limit]))
    deadline = asyncio.get_running_loop().time() + BEGIN_SECONDS
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_take(page, control, deadline))
    outcomes = [page.outcomes[run_id] for run_id in found if run_id in page.outcomes]
    await _show_statuses(platform, workspace_id, outcomes)
    more = len(outcomes) < len(found)
    next_cursor = encode_cursor([str(outcomes[-1].run_id), began.isoformat()]) if more else None
    return Controlled(outcomes, matched, next_cursor)


async def _take(page: _Page, control: Control, deadline: float) -> None:
    """Take runs in their order, so that those taken are always the first ones of the page, and at least one."""
    clock = asyncio.get_running_loop()
    while page.waiting and (clock.time() < deadline or not page.outcomes):
        run_id = page.waiting.popleft()
        page.outcomes[run_id] = await _outcome(run_id, control)


async def _outcome(run_id: UUID, control: Control) -> Outcome:
    try:
        run = await control(run_id)
    except Unavailable as error:
        return Outcome(run_id, "failed", error=error)
    except ServiceError as error:
        return Outcome(run_id, "refused", error=error)
    except Exception:
        logger.exception("control of run %s broke", run_id)
        broken = ServiceError("internal_error", f"Something broke here at run {run_id}; the log of the API holds it.")
        return Outcome(run_id, "failed", error=broken)
    if run.id == run_id:
        return Outcome(run_id, status=run.status)
    return Outcome(run_id, new_run_id=run.id)


async def _show_statuses(platform: Platform, workspace_id: UUID, outcomes: Sequence[Outcome]) -> None:
    """Where the control did not answer with the run itself, its row says how it stands."""
    unknown = [each.run_id for each in outcomes if each.status is None]
    if not unknown:
        return
    try:
        async with platform.database.transaction(workspace_id) as session:
            statuses = await store.statuses(session, workspace_id, unknown)
    except Unavailable as error:
        # What was done is done: its answer must not be lost for a detail.
        logger.warning("the status of %d runs cannot be told: %s", len(unknown), error.detail)
        return
    for each in outcomes:
        each.status = each.status or statuses.get(each.run_id)


def _read_place(key: Json) -> tuple[UUID, datetime]:
    began = datetime.fromisoformat(key[1])
    if began.tzinfo is None:
        raise ValueError("no moment")
    return UUID(key[0]), began
