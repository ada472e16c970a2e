"""Runs that wait to be let in: a place that comes free goes to the next one, and what was let in begins.

A run's end gives its place back by itself (its row says that it ended); what writes the end calls `release`, so that
the next one begins at once. Whatever gets lost in between, and the passing of the hour, is for `sweep`, which upkeep
calls. Nothing is held in memory: every process may do all of it at any time.
"""

import logging
from collections.abc import Sequence
from uuid import UUID

from app.db.models import Run, Version
from app.definition.ordering import ORDERED
from app.services import standing
from app.services.admission import limits_while_active, replaced_error, waiting_for
from app.services.errors import ServiceError, Unavailable
from app.services.launching import PENDING_FOR, TEMPORAL_ERRORS, launch, tell_to_cancel
from app.services.platform import Platform
from app.services.steering import ask, is_unknown
from app.store import limits as store
from app.store import runs
from app.temporal.messages import JournalState

MOST = 50
"""Most runs of a workflow that are let in together, and most keys looked at: its starts wait meanwhile."""
NO_LIMIT = 1_000_000_000

logger = logging.getLogger(__name__)


async def begin(
    platform: Platform,
    run: Run,
    *,
    version: Version | None = None,
    workspace_name: str | None = None,
    journal: JournalState | None = None,
    noted_later: bool = False,
) -> Run:
    """Hand a new run over to Temporal, or, where it must wait, have those cancelled that it replaces."""
    if run.queue is None:
        return await launch(
            platform, run, version=version, workspace_name=workspace_name, journal=journal, noted_later=noted_later
        )
    if run.queue == "concurrency":
        try:
            await _cancel_replaced(platform, run.workspace_id, MOST, by=run.id)
        except Unavailable as error:
            # The run is kept: to say that it was not would make its caller start another.
            logger.warning("what run %s replaces is cancelled later: %s", run.id, error.detail)
    return run


async def release(platform: Platform, workspace_id: UUID, workflow_id: UUID, key: str | None) -> None:
    """A run of the workflow with this key has ended: let in who waits for its place. Never raises.

    To be called when the end is committed: whoever decides at the same time sees the end, or is seen here.
    """
    if key is not None:
        await _let_in_now(platform, workspace_id, workflow_id, [key])


async def wake(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> None:
    """The workflow is active again, or its limits have changed: let in whoever may begin by now. Never raises."""
    await _let_in_now(platform, workspace_id, workflow_id, None)


async def sweep(platform: Platform, workspace_id: UUID, limit: int) -> int:
    """Let in whoever may begin by now in the workspace, about `limit` runs at most; answers how many that were."""
    await _end_replaced(platform, workspace_id, limit)
    await _cancel_replaced(platform, workspace_id, limit)
    async with platform.database.transaction(workspace_id) as session:
        workflow_ids = await store.queues(session, workspace_id)
    done = 0
    for workflow_id in workflow_ids:
        while done < limit:
            let_in = await _let_in(platform, workspace_id, workflow_id, None)
            done += let_in
            if let_in < MOST:
                break
    return done


async def _let_in_now(platform: Platform, workspace_id: UUID, workflow_id: UUID, keys: Sequence[str] | None) -> None:
    """As `_let_in`; what fails of it is left to `sweep`."""
    try:
        await _let_in(platform, workspace_id, workflow_id, keys)
    except ServiceError as error:
        logger.warning("who waits to be let in by workflow %s is let in later: %s", workflow_id, error.detail)
    except Exception:
        logger.exception("who waits to be let in by workflow %s is let in later", workflow_id)


async def _let_in(platform: Platform, workspace_id: UUID, workflow_id: UUID, keys: Sequence[str] | None) -> int:
    """Give free places of these keys (None: any) and what the hour takes to who waits; answers how many began. Nobody
    begins while the workflow is paused or archived, or the workspace suspended."""
    if await standing.state_of(platform, workspace_id) != "active":
        return 0
    begun: list[Run] = []
    async with platform.database.transaction(workspace_id) as session:
        limits, active = await limits_while_active(session, workspace_id, workflow_id)
        if not active:
            return 0
        concurrency = limits.concurrency if limits is not None else None
        per_hour = limits.per_hour if limits is not None else None
        places = concurrency.limit if concurrency is not None else NO_LIMIT
        await store.lock(session, workspace_id, workflow_id)
        if keys is None:
            keys = await store.free_keys(
                session, workspace_id, workflow_id, places=places, one_by_one=ORDERED, most=MOST
            )
        hour = None
        if per_hour is not None and keys:
            hour = waiting_for("rate", await store.opens_at(session, workspace_id, workflow_id, per_hour))
        room = MOST
        for key in keys:
            own = 1 if key.startswith(ORDERED) else places
            moved = await store.give_places(
                session, workspace_id, workflow_id, key, places=own, waiting=hour, most=room
            )
            room -= len(moved)
            begun += [run for run in moved if run.queue is None]
        begun += await store.let_in(session, workspace_id, workflow_id, per_hour=per_hour, most=MOST)
    for run in begun:
        if (await launch(platform, run)).status == "pending":
            break  # Temporal is away: upkeep starts them all
    return len(begun)


async def _cancel_replaced(platform: Platform, workspace_id: UUID, limit: int, *, by: UUID | None = None) -> None:
    """Have Temporal cancel runs that were replaced (by this one). What it cannot be told now, it is told later."""
    async with platform.database.transaction(workspace_id) as session:
        replaced = await store.to_cancel(session, workspace_id, limit=limit, by=by)
    for run_id in replaced:
        await tell_to_cancel(platform, workspace_id, run_id)


async def _end_replaced(platform: Platform, workspace_id: UUID, limit: int) -> None:
    """End runs that were replaced while Temporal was away and that it never got; one it has is cancelled there.

    As long as it cannot be asked they stay as they are, and nobody starts them.
    """
    async with platform.database.transaction(workspace_id) as session:
        replaced = await store.replaced_unbegun(session, workspace_id, older_than=PENDING_FOR, limit=limit)
    for run in replaced:
        try:
            await ask(platform, run.id)
        except TEMPORAL_ERRORS as error:
            if not is_unknown(error):
                return
            await _end_unbegun(platform, run)
        else:
            await tell_to_cancel(platform, workspace_id, run.id)


async def _end_unbegun(platform: Platform, run: Run) -> None:
    """Should it be handed over at this very moment, whoever does so finds that it has ended and cancels it."""
    async with platform.database.transaction(run.workspace_id) as session:
        error = replaced_error(run.replaced_by)
        ended = await runs.end(
            session, run.workspace_id, run.id, status="cancelled", error=error, only_from=["pending"]
        )
    if ended is not None:
        await release(platform, run.workspace_id, run.workflow_id, run.concurrency_key)
