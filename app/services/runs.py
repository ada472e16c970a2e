"""Runs: look into one, wait for its end, cancel it. How one is started is `starting`'s subject."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from temporalio.client import WorkflowFailureError

from app.db.models import Run
from app.json import Json, JsonObject
from app.services import audit, queues
from app.services.errors import Conflict, NotFound, Unavailable
from app.services.launching import TEMPORAL_ERRORS, handle_of, has_ended, launch, start_pending
from app.services.live import StepView, timeline_of, with_timeline
from app.services.live import steps as live_steps
from app.services.paging import Page, decode_cursor, page_of, plain_text, whole_number
from app.services.platform import Platform
from app.services.starting import Started, start
from app.services.steering import DESCRIBE_SECONDS, ask, is_under_way, is_unknown
from app.services.telling import tell_end
from app.store import limits, run_rows
from app.store import runs as store
from app.store.runs import RunFilter
from app.temporal.messages import Timeline

__all__ = [
    "RunFilter", "Started", "StepView", "cancel", "cancel_queued", "get", "has_ended", "launch", "list_",
    "request_cancel", "start", "start_pending", "steps", "timeline", "wait_for_end",
]  # fmt: skip

CANCEL_SECONDS = 5.0
POLL_SECONDS = 0.1
SETTLE_SECONDS = 2.0


async def get(platform: Platform, workspace_id: UUID, run_id: UUID, *, live: bool = True) -> Run:
    """The run, brought up to what Temporal says of it while it is under way. Raises `NotFound`."""
    (found,) = await platform.database.run(workspace_id, run_rows.row(workspace_id, run_id))
    run = run_rows.read(found)
    if run is None:
        raise NotFound("run_not_found", f"There is no run {run_id}.")
    return with_timeline(run, await timeline_of(platform, run)) if live else run


async def list_(
    platform: Platform,
    workspace_id: UUID,
    filter_: RunFilter,
    *,
    newest_first: bool = True,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Run]:
    """Runs as their rows stand, in the order they were asked for. Raises `Invalid` for a cursor of another list."""
    after = decode_cursor(cursor, UUID)
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(
            session, workspace_id, filter_, after=after, newest_first=newest_first, limit=limit + 1
        )
    return page_of(found, limit, lambda run: str(run.id))


async def steps(
    platform: Platform,
    workspace_id: UUID,
    run_id: UUID,
    *,
    with_attempts: bool = False,
    limit: int = 200,
    cursor: str | None = None,
) -> Page[StepView]:
    """The run's step records in the order they began, those in flight too. Raises `NotFound`, `Invalid`."""
    run = await get(platform, workspace_id, run_id, live=False)
    after = decode_cursor(cursor, _read_step_place) or (-1, "")
    found = await live_steps(platform, run, after=after, limit=limit + 1, with_attempts=with_attempts)
    return page_of(found, limit, lambda view: [view.step.sequence, view.step.path])


async def timeline(platform: Platform, workspace_id: UUID, run_id: UUID) -> Timeline | None:
    """What the run's Temporal workflow says of itself; None when that cannot be had within two seconds."""
    return await timeline_of(platform, await get(platform, workspace_id, run_id, live=False))


async def cancel(platform: Platform, workspace_id: UUID, run_id: UUID) -> Run:
    """Cancel the run and answer with it as it is then, after five seconds at the latest: its `finally` may take longer.

    Raises `NotFound`, `Conflict` (`run_finished`), and `Unavailable` while Temporal cannot be reached.
    """
    run = await get(platform, workspace_id, run_id, live=False)
    if has_ended(run):
        raise Conflict("run_finished", f"Run {run_id} has ended already ({run.status}); there is nothing to cancel.")
    cancelled = await request_cancel(platform, run, by_hand=True)
    if cancelled is not None:
        return cancelled
    await audit.note_done(platform.database, workspace_id, "run.cancel", run_id, run.workflow_name, before=_status(run))
    run = await wait_for_end(platform, run, CANCEL_SECONDS)
    if has_ended(run) or await is_under_way(platform, run_id):
        return run
    async with platform.database.transaction(workspace_id) as session:
        lost = await store.end(
            session, workspace_id, run_id, status="cancelled", error=_cancelled("Temporal no longer had it")
        )
    if lost is not None:
        await queues.release(platform, workspace_id, run.workflow_id, run.concurrency_key)
        await tell_end(platform, lost)
    return lost or await get(platform, workspace_id, run_id, live=False)


async def request_cancel(platform: Platform, run: Run, *, by_hand: bool = False) -> Run | None:
    """Have the run cancelled without waiting for it; the row of one that had not begun, which is cancelled at once.
    `by_hand`: it is this very run that whoever asks wants cancelled.

    Raises `Unavailable` while Temporal cannot be reached. A run Temporal does not have is left as it is.
    """
    if run.status == "pending" and not await _was_begun(platform, run):
        async with platform.database.transaction(run.workspace_id) as session:
            cancelled = await store.end(
                session, run.workspace_id, run.id, status="cancelled", error=_cancelled("before it began"),
                only_from=["pending"],
            )  # fmt: skip
            if cancelled is not None and by_hand:
                await audit.note(session, "run.cancel", run.id, run.workflow_name, before=_status(run))
        if cancelled is not None:
            await _ask_temporal_to_cancel(platform, run.id, must=False)
            await queues.release(platform, run.workspace_id, run.workflow_id, run.concurrency_key)
            await tell_end(platform, cancelled)
            return cancelled
    await _ask_temporal_to_cancel(platform, run.id, must=True)
    return None


async def cancel_queued(platform: Platform, workspace_id: UUID, run_ids: Sequence[UUID]) -> list[UUID]:
    """Cancel those of these runs that wait to be let in; answers which those were. Raises `Unavailable`.

    All of a workflow end before anybody is let in behind them: none of them begins in the place of another.
    """
    ended: list[UUID] = []
    async with platform.database.transaction(workspace_id) as session:
        workflow_ids = await limits.queued_in(session, workspace_id, run_ids)
    for workflow_id in workflow_ids:
        async with platform.database.transaction(workspace_id) as session:
            await limits.lock(session, workspace_id, workflow_id)
            found = await limits.end_queued(
                session, workspace_id, workflow_id, run_ids, error=_cancelled("before it began")
            )
            for run in found:
                await audit.note(session, "run.cancel", run.id, run.workflow_name, before={"status": "pending"})
        ended += [run.id for run in found]
        for key in dict.fromkeys(run.concurrency_key for run in found):
            await queues.release(platform, workspace_id, workflow_id, key)
        for run in found:
            await tell_end(platform, run)
    return ended


async def _was_begun(platform: Platform, run: Run) -> bool:
    """Whether Temporal has a pending run already: its row does not say so yet."""
    if run.queue is not None:
        return False
    try:
        return await ask(platform, run.id)
    except TEMPORAL_ERRORS:
        return False


async def wait_for_end(platform: Platform, run: Run, seconds: float) -> Run:
    """The run's row once it has ended, or as it was last seen when `seconds` are over."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + seconds
    if not has_ended(run) and run.status != "pending":
        deadline = min(deadline, await _temporal_end(platform, run, deadline))
    while True:
        with suppress(Unavailable):  # the run goes on without the database, so its caller is not told that it does not
            run = await get(platform, run.workspace_id, run.id, live=False)
        left = deadline - clock.time()
        if has_ended(run) or left <= 0:
            return run
        await asyncio.sleep(min(POLL_SECONDS, left))


async def _temporal_end(platform: Platform, run: Run, deadline: float) -> float:
    """Wait for the end in Temporal; answers until when the row, which is written just before, may still be missing."""
    clock = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(deadline):
            await (await handle_of(platform, run.id)).result()
    except WorkflowFailureError:
        pass
    except TEMPORAL_ERRORS as error:
        if not is_unknown(error):
            return deadline
    return clock.time() + SETTLE_SECONDS


async def _ask_temporal_to_cancel(platform: Platform, run_id: UUID, *, must: bool) -> None:
    """Raises `Unavailable` when Temporal `must` be told and cannot be reached. It need not know the run."""
    seconds = CANCEL_SECONDS if must else CANCEL_SECONDS - DESCRIBE_SECONDS  # it was asked for the run before
    try:
        async with asyncio.timeout(seconds):
            await (await handle_of(platform, run_id)).cancel(rpc_timeout=timedelta(seconds=seconds))
    except TEMPORAL_ERRORS as error:
        if must and not is_unknown(error):
            raise Unavailable("temporal_unavailable", "Temporal cannot be reached; try again in a moment.") from error


def _read_step_place(key: Json) -> tuple[int, str]:
    return whole_number(key[0], bits=64), plain_text(key[1])


def _status(run: Run) -> JsonObject:
    return {"status": run.status}


def _cancelled(how: str) -> JsonObject:
    return {"type": "cancelled", "message": f"the run was cancelled ({how})"}
