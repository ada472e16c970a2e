"""Workspaces take turns in handing runs over to Temporal, so that one that starts thousands does not have the single
run of another wait behind them.

A workspace that is alone has some places, as many as make its starts no slower by the number. While another one has
started something lately it has one, and leaves time to the others between its starts, as long as more of its own wait.
Nothing is decided here about whether a run may begin; each process of the API and each worker keeps its own turns.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

PLACES_ALONE = 8
LATELY_SECONDS = 2.0
LEFT_TO_OTHERS = 3.0
"""What a workspace leaves to others between two of its starts, as a multiple of the time the last one took. Measured
beside single runs, one after the other: with this both workspaces get about half of what there is (`make bench`)."""
MOST_LEFT_SECONDS = LATELY_SECONDS
"""No longer than others count: a start that Temporal held up for a minute does not hold up the next one for three."""


@dataclass(slots=True, eq=False)
class _Lane:
    """The starts of one workspace."""

    running: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    again_at: float = 0.0
    """No further start before, though there is a place."""
    last: float = 0.0
    """When one was asked for."""


class Turns:
    """The turns of one process."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """`clock` gives seconds from any start; default the event loop's."""
        self._lanes: dict[UUID, _Lane] = {}
        self._clock = clock

    @asynccontextmanager
    async def turn(self, workspace_id: UUID) -> AsyncIterator[None]:
        """Wait for the workspace's turn, and hold a place for the block."""
        lane = self._lanes.setdefault(workspace_id, _Lane())
        lane.last = self._now()
        await self._enter(lane)
        began = self._now()
        try:
            yield
        finally:
            lane.running -= 1
            now = self._now()
            if lane.waiting and self._shared(lane):
                lane.again_at = now + min((now - began) * LEFT_TO_OTHERS, MOST_LEFT_SECONDS)
            self._let_in(lane)
            self._forget()

    async def _enter(self, lane: _Lane) -> None:
        if not lane.waiting and lane.running < self._places(lane) and self._now() >= lane.again_at:
            lane.running += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                lane.running -= 1
                self._let_in(lane)
            raise

    def _let_in(self, lane: _Lane) -> None:
        """Give free places to those who wait, the first first."""
        while lane.waiting and lane.running < self._places(lane):
            rest = lane.again_at - self._now()
            if rest > 0:
                asyncio.get_running_loop().call_later(rest, self._let_in, lane)
                return
            place = lane.waiting.popleft()
            if not place.done():
                lane.running += 1
                place.set_result(None)

    def _places(self, lane: _Lane) -> int:
        return 1 if self._shared(lane) else PLACES_ALONE

    def _shared(self, lane: _Lane) -> bool:
        """Whether another workspace starts runs now, or has lately."""
        since = self._now() - LATELY_SECONDS
        return any(
            one is not lane and (one.running or one.waiting or one.last >= since) for one in self._lanes.values()
        )

    def _forget(self) -> None:
        since = self._now() - LATELY_SECONDS
        for workspace_id, one in list(self._lanes.items()):
            if not one.running and not one.waiting and one.last < since:
                del self._lanes[workspace_id]

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()
