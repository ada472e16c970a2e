"""Runs that steps of other runs start: start one, cancel one, and settle what the end of a parent or a child brings.

How a parent is told is `telling`'s subject. What could not be told or cancelled is left for upkeep.
"""

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from app.db.models import Run, Workflow
from app.services import runs
from app.services.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, TooMany, Unavailable
from app.services.launching import TEMPORAL_ERRORS, has_ended
from app.services.parents import Parent
from app.services.platform import Platform
from app.services.telling import tell_again, tell_end
from app.store import children as store
from app.store import workflows
from app.temporal.child_messages import CancelChild, StartChild, StartedChild

AFTER_END_SECONDS = 10.0
MOST_AT_AN_END = 200
AT_ONCE = 5
LONGEST_REFUSAL = 2_000

logger = logging.getLogger(__name__)


async def start_child(platform: Platform, asked: StartChild) -> StartedChild:
    """The run that the step starts; the one that is there when it was asked for before.

    What only a change by people, or time, can mend is answered as `refused`. A run that has ended already is told of
    once more. Raises `Unavailable` without a database.
    """
    workspace_id, parent_id = UUID(asked.workspace_id), UUID(asked.run_id)
    async with platform.database.transaction(workspace_id) as session:
        run = await store.with_key(session, workspace_id, parent_id, asked.key)
    if run is None and asked.found_only:
        return StartedChild()
    if run is None:
        try:
            run = await _start(platform, workspace_id, parent_id, asked)
        except (NotFound, Conflict, Invalid, TooLarge, TooMany, Forbidden) as refusal:
            why = f"no run of {asked.workflow!r}: {refusal.detail}"[:LONGEST_REFUSAL]
            return StartedChild(refused=why, later=isinstance(refusal, TooMany))
        if run.idempotency_key != asked.key:
            once = f"it runs once per key (settings.run_once_per), which was run {run.id}."
            return StartedChild(refused=f"no run of {asked.workflow!r}: {once}"[:LONGEST_REFUSAL])
    elif run.status == "pending":
        run = await runs.launch(platform, run)
    elif has_ended(run) and asked.waits:
        # A task that was lost may have started it; what it was told since then the step that begins anew has not kept.
        await tell_again(platform, run)
    return StartedChild(run_id=str(run.id), workflow_name=run.workflow_name)


async def cancel_child(platform: Platform, given_up: CancelChild) -> None:
    """Have the run of a step that gave it up cancelled. Raises `Unavailable` when that cannot be made sure of."""
    workspace_id = UUID(given_up.workspace_id)
    async with platform.database.transaction(workspace_id) as session:
        run = await store.with_key(session, workspace_id, UUID(given_up.run_id), given_up.key)
        if run is not None:
            # Nobody waits for its end any more.
            await store.settle(session, workspace_id, run.id)
    if run is not None and not has_ended(run):
        await runs.request_cancel(platform, run)


async def after_end(platform: Platform, workspace_id: UUID, run_id: UUID) -> None:
    """A run has ended: tell the parent that waits for it, and cancel the children it waited for.

    What that takes too long for, or what fails of it, is upkeep's: the end is recorded, and must not be held up.
    """
    try:
        async with asyncio.timeout(AFTER_END_SECONDS):
            async with platform.database.transaction(workspace_id) as session:
                found = await store.unsettled_by(session, workspace_id, run_id, limit=MOST_AT_AN_END)
            await _settle_all(platform, found)
    except (Unavailable, TimeoutError) as error:
        logger.warning("what the end of run %s brings is left for upkeep: %s", run_id, error or "it takes too long")


async def settle_pending(platform: Platform, workspace_id: UUID, limit: int) -> int:
    """Tell and cancel what a crash, or a Temporal that was away, left; answers how many are settled."""
    async with platform.database.transaction(workspace_id) as session:
        found = await store.unsettled(session, workspace_id, limit=limit)
    return await _settle_all(platform, found)


async def _start(platform: Platform, workspace_id: UUID, parent_id: UUID, asked: StartChild) -> Run:
    async with platform.database.transaction(workspace_id) as session:
        workflow = await workflows.named(session, workspace_id, asked.workflow)
    if workflow is None:
        raise NotFound("workflow_not_found", "there is no workflow with this slug or id.")
    _require_published(workflow)
    started = await runs.start(
        platform,
        workspace_id,
        workflow.id,
        input=asked.inputs,
        idempotency_key=asked.key,
        trigger_type="workflow",
        parent=Parent(parent_id, asked.path, asked.waits),
    )
    return started.run


def _require_published(workflow: Workflow) -> None:
    if workflow.status == "active":
        return
    ways = {"draft": "publish it", "paused": "activate it again", "archived": "activate it again"}
    way = ways.get(workflow.status, "activate it")
    raise Conflict("workflow_not_active", f'the workflow "{workflow.name}" is {workflow.status}: {way}.')


async def _settle_all(platform: Platform, found: Sequence[Run]) -> int:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(run: Run) -> bool:
        async with gate:
            return await _settle(platform, run)

    return sum(await asyncio.gather(*map(one, found)))


async def _settle(platform: Platform, run: Run) -> bool:
    """Whether nothing is left to be done."""
    if has_ended(run):
        return await tell_end(platform, run)
    try:
        await runs.request_cancel(platform, run)
    except (*TEMPORAL_ERRORS, Unavailable) as error:
        logger.warning("run %s and its parent %s are left for upkeep: %s", run.id, run.parent_run_id, error)
        return False
    async with platform.database.transaction(run.workspace_id) as session:
        await store.settle(session, run.workspace_id, run.id)
    return True
