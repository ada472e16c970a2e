"""Workspaces take turns in handing runs over to Temporal, so that one that starts thousands does not have the single
run of another wait behind them.

A workspace that is alone has some places, as many as make its starts no slower by the number. Beside another one it has
one, and leaves time to the others between its starts, as long as more of its own wait. Another one counts while it
starts something, and for a few turns after: what a start of one costs the others is so many of their turns, however
seldom or often it comes. Nothing is decided here about whether a run may begin; each process of the API and each worker
keeps its own turns.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

PLACES_ALONE = 8
TURNS_AFTER = 8
"""For so many turns of anybody a workspace counts after its last one: by then the run it started is done, if it is
short, and who makes one after the other has begun the next. With half of it the others' places, taken all at once, fall
into runs that take twenty times as long as their starts."""
LEFT_TO_OTHERS = 3.0
"""What a workspace leaves to others between two of its starts, as a multiple of the time the last one took. Measured
beside single runs, one after the other: with this both workspaces get about half of what there is (`make bench`)."""
MOST_LEFT_SECONDS = 0.5
"""No longer than this: a start that Temporal held up for a minute does not hold up the next one for three."""


class NoTurn(Exception):
    """The turn did not come within the time that was given."""


@dataclass(slots=True, eq=False)
class _Lane:
    """The starts of one workspace."""

    running: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    again_at: float = 0.0
    """No further start before, though there is a place."""
    until: int = 0
    """With none under way it counts beside others until the process has begun so many turns."""


class Turns:
    """The turns of one process."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """`clock` gives seconds from any start; default the event loop's."""
        self._lanes: dict[UUID, _Lane] = {}
        self._clock = clock
        self._begun = 0
        """Turns that anybody ever got."""

    @asynccontextmanager
    async def turn(self, workspace_id: UUID, *, within: float | None = None) -> AsyncIterator[None]:
        """Wait for the workspace's turn, and hold a place for the block. Raises `NoTurn` if it does not come `within`
        so many seconds."""
        lane = self._lanes.setdefault(workspace_id, _Lane())
        await self._enter(lane, within)
        began = self._now()
        try:
            yield
        finally:
            lane.running -= 1
            lane.until = self._begun + TURNS_AFTER
            now = self._now()
            if lane.waiting and self._shared(lane):
                lane.again_at = now + min((now - began) * LEFT_TO_OTHERS, MOST_LEFT_SECONDS)
            self._let_in(lane)
            self._forget()

    async def _enter(self, lane: _Lane, within: float | None) -> None:
        if not lane.waiting and lane.running < self._places(lane) and self._now() >= lane.again_at:
            self._begin(lane)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append(place)
        try:
            async with asyncio.timeout(within):
                await place
        except TimeoutError:
            self._give_up(lane, place)
            raise NoTurn from None
        except asyncio.CancelledError:
            self._give_up(lane, place)
            raise

    def _begin(self, lane: _Lane) -> None:
        lane.running += 1
        self._begun += 1

    def _give_up(self, lane: _Lane, place: asyncio.Future[None]) -> None:
        """Nobody waits for the place any more: it is the next one's, if it was given at this very moment."""
        if place.cancelled():
            with suppress(ValueError):  # passed over already
                lane.waiting.remove(place)
        else:
            lane.running -= 1
            self._let_in(lane)
        self._forget()

    def _let_in(self, lane: _Lane) -> None:
        """Give free places to those who wait, the first first."""
        while lane.waiting and lane.running < self._places(lane):
            rest = lane.again_at - self._now()
            if rest > 0:
                asyncio.get_running_loop().call_later(rest, self._let_in, lane)
                return
            place = lane.waiting.popleft()
            if not place.done():
                self._begin(lane)
                place.set_result(None)

    def _places(self, lane: _Lane) -> int:
        return 1 if self._shared(lane) else PLACES_ALONE

    def _shared(self, lane: _Lane) -> bool:
        """Whether another workspace starts runs now, or did so a few turns ago."""
        return any(one is not lane and self._counts(one) for one in self._lanes.values())

    def _counts(self, lane: _Lane) -> bool:
        return bool(lane.running or lane.waiting) or lane.until > self._begun

    def _forget(self) -> None:
        for workspace_id, one in list(self._lanes.items()):
            if not self._counts(one):
                del self._lanes[workspace_id]

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()
