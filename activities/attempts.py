"""How an attempt is made around what it does: heartbeats beside it, patience with a database that is away, and a commit
that is seen through. What is attempted is not known here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from temporalio import activity

from app.services.errors import Unavailable

HEARTBEAT_SECONDS = 2.0
LAST_COMMIT_SECONDS = 10.0

_log = logging.getLogger(__name__)
T = TypeVar("T")


async def until_available(call: Callable[[], Awaitable[T]]) -> T:
    """Wait for the database as long as it is away: doing an effect without its outcome row could do it twice."""
    pause = 0.1
    while True:
        try:
            return await call()
        except Unavailable as error:
            _log.warning("database unavailable, trying again in %.1f s: %s", pause, error.detail)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


async def finished(commit: Coroutine[Any, Any, None], *, patience: float | None) -> bool:
    """See a commit through. The effect has happened, so a cancellation that comes now is too late to be one.

    While the database is away a cancelled attempt (its worker stops, say) waits only so long; the next one has the key.
    False when it was not done within `patience` seconds: Temporal lets a local activity go on for half an hour and then
    has it made again.
    """
    task = asyncio.create_task(commit)
    try:
        done, _ = await asyncio.wait([task], timeout=patience)
        if not done:
            task.cancel()
            await asyncio.wait([task])
            return not task.cancelled() and task.exception() is None
        task.result()
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=LAST_COMMIT_SECONDS)
        if not task.done():
            task.cancel()
            raise
        task.result()
    return True


@asynccontextmanager
async def after(seconds: float, call: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Make the call beside the block once that has taken so long; it is over when the block is. A block that is quick
    costs no task."""
    tasks: list[asyncio.Task[None]] = []
    timer = asyncio.get_running_loop().call_later(seconds, lambda: tasks.append(asyncio.create_task(call())))
    try:
        yield
    finally:
        timer.cancel()
        for task in tasks:
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Tell Temporal that the attempt is alive, so that a dead worker is noticed within its heartbeat timeout."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            activity.heartbeat()

    if activity.info().is_local:
        yield
        return
    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
