"""How many workflow tasks the worker takes at once: as many as it begins soon.

What it has taken, no other worker can begin, and workspaces take turns in Temporal's queue alone: a backlog that one
worker has swallowed is walked in the order in which it came. A run that waits for its local activities takes nobody's
time, however long that lasts, and counts only towards the most there may be.
"""

import asyncio
import threading
from collections import deque

from temporalio.worker import (
    CustomSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
)

PLACES = 16
"""Tasks that are walked, and polls for them: a poll holds a place before there is a task for it."""
MOST = 100
"""With runs that wait for local activities."""


class Slots(CustomSlotSupplier):
    """The places of one worker. Called by the worker's loop and by threads of the SDK."""

    def __init__(self, places: int = PLACES, most: int = MOST) -> None:
        self._places = places
        self._most = most
        self._lock = threading.Lock()
        self._given = 0
        self._resting: set[str] = set()
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()

    def rests(self, run_id: str) -> None:
        """The run waits for local activities."""
        with self._lock:
            self._resting.add(run_id)
            self._let_in()

    def goes_on(self, run_id: str) -> None:
        """It does no longer."""
        with self._lock:
            self._resting.discard(run_id)

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait for a place."""
        with self._lock:
            if self._take():
                return SlotPermit()
            place = asyncio.get_running_loop().create_future()
            self._waiting.append((asyncio.get_running_loop(), place))
        try:
            await place
        except asyncio.CancelledError:
            with self._lock:
                if place.done() and not place.cancelled():
                    self._given -= 1
                self._waiting = deque(each for each in self._waiting if each[1] is not place)
                self._let_in()
            raise
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """A place if there is one now."""
        with self._lock:
            return SlotPermit() if self._take() else None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """A poll and its task count alike."""

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """A place is free again."""
        with self._lock:
            self._given -= 1
            self._let_in()

    def _take(self) -> bool:
        if self._given >= self._most or self._given - len(self._resting) >= self._places:
            return False
        self._given += 1
        return True

    def _let_in(self) -> None:
        while self._waiting and self._take():
            loop, place = self._waiting.popleft()
            loop.call_soon_threadsafe(self._give, place)

    def _give(self, place: "asyncio.Future[None]") -> None:
        """In the loop of the one who waits, who may have given up meanwhile."""
        if not place.done():
            place.set_result(None)
            return
        with self._lock:
            self._given -= 1
            self._let_in()
