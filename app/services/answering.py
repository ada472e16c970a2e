"""The answer a run gives the HTTP call that started it: kept when a `respond` step is done, waited for by that call.

The step commits it, so that a caller sees it at once and a repeat of the call gets the same; the run goes on meanwhile.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from app.db.models import Run
from app.definition.durations import format_moment
from app.services import launching, runs
from app.services.errors import Unavailable
from app.services.launching import has_ended
from app.services.platform import Platform
from app.store import responses as store
from app.store import run_rows
from app.temporal.child_messages import KeepResponse, KeptResponse

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.25
"""Seconds between two looks for an answer while no news come: a caller that waits long notices no difference, the
database does."""
NEWS_PAUSE = 1.0
"""The same while news come: the look is for those that got lost."""
NOTE_SECONDS = 0.25
"""Most runs that are waited for have ended by then, and need not be noted as begun before."""


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
    platform.news.tell(run_id)
    if not found:
        # The run is gone, and with it all who could ask.
        return KeptResponse(answered=False, status=answer.status)
    path, status = found[0]
    return KeptResponse(answered=path == answer.path, status=status)


async def wait_for_answer(platform: Platform, run: Run, seconds: float) -> Run:
    """The run's row once it has answered or ended, or as it was last seen when `seconds` are over.

    Sees to it that a run started with `noted_later` is noted.
    """
    if run.response is not None or has_ended(run):
        return run
    clock = asyncio.get_running_loop()
    deadline = clock.time() + seconds
    with platform.news.awaited(run.id) as news:
        if run.status == "running" and run.started_at is None:
            found = await _look(platform, run, news, min(deadline, clock.time() + NOTE_SECONDS))
            if found is not None and found.temporal_run_id is not None:
                return found
            run = await launching.note(platform, run)
            if found is not None or has_ended(run):
                deadline = clock.time()
        found = await _look(platform, run, news, deadline)
    if found is None:
        with suppress(Unavailable):
            found = await runs.get(platform, run.workspace_id, run.id, live=False)
    return found or run


async def _look(platform: Platform, run: Run, news: asyncio.Event, until: float) -> Run | None:
    """The run's row once it has answered or ended; None when it was not seen to by then."""
    clock, pause = asyncio.get_running_loop(), FIRST_PAUSE
    while (left := until - clock.time()) > 0:
        longest = NEWS_PAUSE if platform.news.heard else pause
        if not await _comes(news, min(left, longest)) and left < longest:
            return None
        pause = min(pause * 1.5, LONGEST_PAUSE)
        with suppress(Unavailable):  # the run goes on without the database, so its caller is not told that it does not
            (rows,) = await platform.database.run(
                run.workspace_id, run_rows.row(run.workspace_id, run.id, answered=True)
            )
            if rows:
                return run_rows.read(rows)
    return None


async def _comes(news: asyncio.Event, seconds: float) -> bool:
    """Whether news come within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    news.clear()
    return True
