"""Handing committed events over to dispatch without having anybody wait for it: a few at a time, so that a burst does
not take the process from those who ask it for something else.

Nothing is lost here: what a process leaves undone, because too much waits or because it ends, upkeep finds.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING
from uuid import UUID

from app.json import JsonObject

if TYPE_CHECKING:
    from app.services.platform import Platform

MOST_WAITING = 2000
MOST_BYTES = 64 * 1024 * 1024
"""Of all that waits, as it was sent."""
MOST_TOGETHER = 40
RUSH_SECONDS = 1.0
RUSH_LOOKS = 20
AT_ONCE_WAITED_FOR = 16
"""Events that are dispatched at once because somebody waits for what they start."""

Ingest = Callable[["Platform", UUID, list[JsonObject]], Awaitable[list[list[str]]]]
"""Dispatches committed events of a workspace; answers with the ids of the runs that each has started."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    platform: "Platform"
    workspace_id: UUID
    event: JsonObject
    ingest: Ingest
    size: int
    done: asyncio.Future[list[str]]


class HandingOver:
    """The events that wait for dispatch in this process."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._gate = asyncio.Semaphore(AT_ONCE_WAITED_FOR)

    def later(
        self, platform: "Platform", workspace_id: UUID, event: JsonObject, ingest: Ingest, *, size: int
    ) -> asyncio.Future[list[str]] | None:
        """Have an event of so many bytes dispatched in its turn. The ids of what it starts, where its turn is now; else
        None."""
        idle = self._task is None or self._task.done()
        if len(self._waiting) >= MOST_WAITING or self._bytes + size > MOST_BYTES:
            return None
        done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(platform, workspace_id, event, ingest, size, done))
        self._bytes += size
        if idle:
            self._task = asyncio.create_task(self._work())
        return done if idle else None

    async def now(self, platform: "Platform", workspace_id: UUID, event: JsonObject, ingest: Ingest) -> list[str]:
        """Dispatch an event, with not too many others; the ids of the runs it starts. Raises what `ingest` raises."""
        async with self._gate:
            return (await ingest(platform, workspace_id, [event]))[0]

    async def close(self) -> None:
        """Leave what waits to upkeep."""
        self._waiting.clear()
        self._bytes = 0
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        while self._waiting:
            first = self._waiting[0]
            await _after_the_rush(first.platform)
            together: list[_Waiting] = []
            while self._waiting and len(together) < MOST_TOGETHER and _alike(self._waiting[0], first):
                together.append(self._waiting.popleft())
            self._bytes -= sum(each.size for each in together)
            await self._dispatch(first, together)

    async def _dispatch(self, first: _Waiting, together: list[_Waiting]) -> None:
        started: list[list[str]] = []
        try:
            started = await first.ingest(first.platform, first.workspace_id, [each.event for each in together])
        except Exception as error:
            logger.warning("%d events are dispatched later: %s", len(together), error or type(error).__name__)
        finally:
            for each, runs in zip_longest(together, started):
                if each.done.done():
                    continue
                if runs is None:
                    each.done.cancel()
                else:
                    each.done.set_result(runs)


async def _after_the_rush(platform: "Platform") -> None:
    """While deliveries wait for their turn to be kept, what they start comes second, but not last."""
    for _ in range(RUSH_LOOKS):
        if not platform.deliveries.crowded:
            return
        await asyncio.sleep(RUSH_SECONDS / RUSH_LOOKS)


def _alike(one: _Waiting, other: _Waiting) -> bool:
    return (one.platform, one.workspace_id, one.ingest) == (other.platform, other.workspace_id, other.ingest)
