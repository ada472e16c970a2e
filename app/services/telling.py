"""Telling who waits for a run how it ended: the run whose step started it, and the moment of the schedule that did.

The end is committed before it is told, and that it was told is noted after: a crash between the two tells it again,
which changes nothing. What cannot be told is left for upkeep.
"""

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from temporalio.service import RPCError

from app.db.models import Run
from app.services.errors import Unavailable
from app.services.launching import TEMPORAL_ERRORS, handle_of
from app.services.platform import Platform
from app.services.steering import is_unknown
from app.store import children as store
from app.temporal.child_messages import ChildEnded
from app.temporal.names import CHILD_ENDED_SIGNAL, RUN_ENDED_SIGNAL

SIGNAL_SECONDS = 5.0

logger = logging.getLogger(__name__)


async def tell_end(platform: Platform, run: Run) -> bool:
    """Tell the parent or the schedule that waits for this run, which has ended; answers whether nothing is left to be
    done. Never raises because a part is down."""
    if run.told_workflow is not None:
        await tell_schedule(platform, run.id, run.told_workflow)
    if not run.parent_waits:
        return True
    try:
        await _signal(platform, run)
        async with platform.database.transaction(run.workspace_id) as session:
            await store.settle(session, run.workspace_id, run.id)
    except (*TEMPORAL_ERRORS, Unavailable) as error:
        logger.warning("the end of run %s is told its parent %s by upkeep: %s", run.id, run.parent_run_id, error)
        return False
    return True


async def tell_schedule(platform: Platform, run_id: UUID, waiting: str) -> None:
    """Tell the moment of a schedule that waits for this run, which has ended. Never raises: upkeep repeats it until the
    schedule has counted the end."""
    try:
        await tell_scheduled(platform, waiting)
    except TEMPORAL_ERRORS as error:
        logger.warning("the end of run %s is told its schedule by upkeep: %s", run_id, error)


async def tell_scheduled(platform: Platform, waiting: str) -> None:
    """As `tell_schedule`, by the id of the Temporal workflow that waits. Raises one of `TEMPORAL_ERRORS`."""
    async with asyncio.timeout(SIGNAL_SECONDS):
        handle = (await platform.temporal.client()).get_workflow_handle(waiting)
        await handle.signal(RUN_ENDED_SIGNAL, rpc_timeout=timedelta(seconds=SIGNAL_SECONDS))


async def tell_again(platform: Platform, run: Run) -> None:
    """Tell it a parent that may have been told before, and lost it. Raises `Unavailable` when that cannot be noted."""
    async with platform.database.transaction(run.workspace_id) as session:
        await store.unsettle(session, run.workspace_id, run.id)
    run.parent_waits = True
    await tell_end(platform, run)


async def _signal(platform: Platform, run: Run) -> None:
    """Raises one of `TEMPORAL_ERRORS`. A parent that has ended need not hear of it."""
    assert run.parent_run_id is not None, "only children are told of"
    ended = ChildEnded(
        key=run.idempotency_key or "",
        path=run.parent_path or "",
        run_id=str(run.id),
        workflow_name=run.workflow_name,
        status=run.status,
        output=run.output,
        error=run.error,
    )
    try:
        async with asyncio.timeout(SIGNAL_SECONDS):
            handle = await handle_of(platform, run.parent_run_id)
            await handle.signal(CHILD_ENDED_SIGNAL, ended, rpc_timeout=timedelta(seconds=SIGNAL_SECONDS))
    except RPCError as error:
        if not is_unknown(error):
            raise
