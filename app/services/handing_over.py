"""Handing committed events over to dispatch without having anybody wait for it: a few at a time, so that a burst does
not take the process from those who ask it for something else.

Nothing is lost here: what a process leaves undone, because too much waits or because it ends, upkeep finds.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from app.services.platform import Platform

MOST_WAITING = 2000
MOST_TOGETHER = 40
RUSH_SECONDS = 1.0
RUSH_LOOKS = 20
AT_ONCE_WAITED_FOR = 16
"""Events that are dispatched at once because somebody waits for what they start."""

Key = tuple[str, str]
"""Source and id of an event: all that is held of one that waits, however large it is."""
Dispatch = Callable[["Platform", UUID, list[Key]], Awaitable[list[list[str]]]]
"""Dispatches committed events of a workspace; answers with the ids of the runs that each has started."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Where:
    platform: "Platform"
    workspace_id: UUID
    dispatch: Dispatch


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    event: Key
    done: asyncio.Future[list[str]]


class HandingOver:
    """The events that wait for dispatch in this process."""

    def __init__(self) -> None:
        self._waiting: dict[_Where, deque[_Waiting]] = {}
        """Those of each workspace; the one whose turn is next first."""
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._gate = asyncio.Semaphore(AT_ONCE_WAITED_FOR)

    def later(
        self, platform: "Platform", workspace_id: UUID, event: Key, dispatch: Dispatch
    ) -> asyncio.Future[list[str]] | None:
        """Have an event dispatched in its turn. The ids of what it starts, where its turn is now; else
        None."""
        idle = self._task is None or self._task.done()
        if self._count >= MOST_WAITING:
            return None
        done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        where = _Where(platform, workspace_id, dispatch)
        self._waiting.setdefault(where, deque()).append(_Waiting(event, done))
        self._count += 1
        if idle:
            # Of no one request: it works for all that come meanwhile.
            self._task = asyncio.create_task(self._work(), context=Context())
        return done if idle else None

    async def now(self, platform: "Platform", workspace_id: UUID, event: Key, dispatch: Dispatch) -> list[str]:
        """Dispatch an event, with not too many others; the ids of the runs it starts. Raises what `dispatch`
        raises."""
        async with self._gate:
            return (await dispatch(platform, workspace_id, [event]))[0]

    async def close(self) -> None:
        """Leave what waits to upkeep."""
        self._waiting.clear()
        self._count = 0
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        while self._waiting:
            where = next(iter(self._waiting))
            await _after_the_rush(where.platform)
            await self._dispatch(where, self._next(where))

    def _next(self, where: _Where) -> list[_Waiting]:
        """Some of a workspace's, whose turn comes again after all others."""
        waiting = self._waiting.pop(where)
        together = [waiting.popleft() for _ in range(min(MOST_TOGETHER, len(waiting)))]
        if waiting:
            self._waiting[where] = waiting
        self._count -= len(together)
        return together

    async def _dispatch(self, where: _Where, together: list[_Waiting]) -> None:
        started: list[list[str]] = []
        try:
            started = await where.dispatch(where.platform, where.workspace_id, [each.event for each in together])
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
