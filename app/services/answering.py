"""The answer a run gives the HTTP call that started it: kept when a `respond` step is done, waited for by that call.

The step commits it, so that a caller sees it at once and a repeat of the call gets the same; the run goes on meanwhile.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from app.db.models import Run
from app.definition.durations import format_moment
from app.services import runs
from app.services.errors import Unavailable
from app.services.launching import has_ended
from app.services.platform import Platform
from app.services.published import published
from app.store import responses as store
from app.store import versions
from app.temporal.child_messages import KeepResponse, KeptResponse

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.25
"""Seconds between two looks for an answer: a caller that waits long notices no difference, the database does."""


async def keep(platform: Platform, answer: KeepResponse) -> KeptResponse:
    """Make this the run's answer unless another step was first. Raises `Unavailable` without a database."""
    workspace_id, run_id = UUID(answer.workspace_id), UUID(answer.run_id)
    response = {
        "path": answer.path,
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "at": format_moment(datetime.now(UTC)),
    }
    statements = [store.kept(workspace_id, run_id)]
    if not answer.found_only:
        statements.insert(0, store.keep(workspace_id, run_id, response))
    *_, found = await platform.database.run(workspace_id, *statements)
    if not found:
        # The run is gone, and with it all who could ask.
        return KeptResponse(answered=False, status=answer.status)
    path, status = found[0]
    return KeptResponse(answered=path == answer.path, status=status)


async def wait_for_answer(platform: Platform, run: Run, seconds: float) -> Run:
    """The run's row once it has answered or ended, or as it was last seen when `seconds` are over."""
    if run.response is not None or not await _may_answer(platform, run):
        return run if run.response is not None else await runs.wait_for_end(platform, run, seconds)
    clock = asyncio.get_running_loop()
    deadline, pause = clock.time() + seconds, FIRST_PAUSE
    while (left := deadline - clock.time()) > 0:
        with suppress(Unavailable):  # the run goes on without the database, so its caller is not told that it does not
            (found,) = await platform.database.run(run.workspace_id, store.answered(run.workspace_id, run.id))
            if found:
                break
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)
    with suppress(Unavailable):
        run = await runs.get(platform, run.workspace_id, run.id, live=False)
    return run


async def _may_answer(platform: Platform, run: Run) -> bool:
    """Whether the run has a step that could answer."""
    if has_ended(run):
        return False
    async with platform.database.transaction(run.workspace_id) as session:
        version = await versions.find(session, run.workspace_id, run.workflow_id, run.version)
    return version is not None and published(version).responds
