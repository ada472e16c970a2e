"""Run control over all runs that match a filter, one page of them at a time. What is done to each is the caller's.

A walk over the pages takes each run once, in the order of their ids, although what is done to runs changes which of
them match; runs that are asked for later (retries, for one) are none of its business. One that refuses stops no other.
Where it matters (the end of a run lets in the next one) those that wait to be let in are taken before all others.
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

ControlQueued: TypeAlias = Callable[[Sequence[UUID]], Awaitable[Sequence[UUID]]]
"""Does it at once to those of these runs that wait to be let in; answers which those were."""

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


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a walk has come: when it began, the run it took last, and whether it is still among those in a queue."""

    began: datetime
    after: UUID | None = None
    in_queue: bool = False

    def cursor(self) -> str:
        return encode_cursor([None if self.after is None else str(self.after), self.began.isoformat(), self.in_queue])


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
    queued: ControlQueued | None = None,
) -> Controlled:
    """Do `control` to at most `limit` runs of the filter, ten at a time; the page is shorter when that takes long.

    With `queued` it is done to those that wait to be let in before it is done to any other, the last of them first.
    Raises `Invalid` for a cursor of something else, and `Unavailable` without a database.
    """
    place = decode_cursor(cursor, _read_place)
    async with platform.database.transaction(workspace_id) as session:
        place = place or _Place(await store.clock(session), in_queue=queued is not None)
        filter_ = replace(filter_, asked_until=place.began)
        matched = await store.count(session, workspace_id, filter_)
    done: list[Outcome] = []
    if queued is not None and place.in_queue:
        done, place = await _control_queued(platform, workspace_id, filter_, queued, place, limit=limit)
    if place.in_queue:
        return Controlled(done, matched, place.cursor())
    async with platform.database.transaction(workspace_id) as session:
        found = await store.ids(
            session,
            workspace_id,
            filter_,
            after=place.after,
            limit=limit - len(done) + 1,
            unless_ended_unbegun_since=None if queued is None else place.began,
        )
    outcomes = await _control_each(found[: limit - len(done)], control)
    await _show_statuses(platform, workspace_id, outcomes)
    if outcomes:
        place = replace(place, after=outcomes[-1].run_id)
    return Controlled([*done, *outcomes], matched, place.cursor() if len(outcomes) < len(found) else None)


async def _control_queued(
    platform: Platform, workspace_id: UUID, filter_: RunFilter, queued: ControlQueued, place: _Place, *, limit: int
) -> tuple[list[Outcome], _Place]:
    """The runs of the page that wait to be let in. One that begins meanwhile is left to the other part of the walk.

    They are taken from the last to the first, for it is the earlier ones that have places to leave to them.
    """
    async with platform.database.transaction(workspace_id) as session:
        found = await store.queued_ids(session, workspace_id, filter_, after=place.after, limit=limit + 1)
    taken = set(await queued(found[:limit])) if found else set()
    outcomes = [Outcome(run_id) for run_id in found if run_id in taken]
    await _show_statuses(platform, workspace_id, outcomes)
    if len(found) > limit:
        return outcomes, replace(place, after=found[limit - 1])
    return outcomes, _Place(place.began)


async def _control_each(run_ids: Sequence[UUID], control: Control) -> list[Outcome]:
    """What became of the first of these runs, of as many as there was time for."""
    page = _Page(deque(run_ids))
    deadline = asyncio.get_running_loop().time() + BEGIN_SECONDS
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_take(page, control, deadline))
    return [page.outcomes[run_id] for run_id in run_ids if run_id in page.outcomes]


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


def _read_place(key: Json) -> _Place:
    after, began, in_queue = key
    moment = datetime.fromisoformat(began)
    if moment.tzinfo is None or type(in_queue) is not bool:
        raise ValueError("no place in a walk")
    return _Place(moment, None if after is None else UUID(after), in_queue)
