"""Names to addresses, in threads of their own: one who asks for names that nobody answers holds up no one else.

A look-up that is not waited for any more still keeps its thread until the system's resolver gives up, so each asker has
a share of the threads and no more. Which of the addresses may be reached is `egress.py`'s to say.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

THREADS = 64
SHARE = 4
"""Look-ups of one asker at the same time."""
LOOKUP_SECONDS = 10.0
"""How long a look-up may take, the wait for a thread included."""
KNOWN_SECONDS = 5.0
MOST_KNOWN = 1000

Found: TypeAlias = Sequence[tuple[Any, ...]]
"""What `socket.getaddrinfo` answers."""
Ask: TypeAlias = Callable[[str, int], Found]


def _ask_system(host: str, port: int) -> Found:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class NameLookups:
    """One for a process; serves one event loop after another, and several."""

    def __init__(
        self,
        ask: Ask = _ask_system,
        *,
        threads: int = THREADS,
        share: int = SHARE,
        seconds: float = LOOKUP_SECONDS,
        known_seconds: float = KNOWN_SECONDS,
    ) -> None:
        self._ask = ask
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")
        self._share = share
        self._seconds = seconds
        self._known_seconds = known_seconds
        self._known: dict[tuple[str, int], tuple[float, Found]] = {}
        # A share is forgotten when nobody waits for it and no thread works on it.
        self._shares: WeakValueDictionary[tuple[object, asyncio.AbstractEventLoop], asyncio.Semaphore] = (
            WeakValueDictionary()
        )

    async def addresses(self, host: str, port: int, asker: object) -> Found:
        """What the system's resolver says, which is remembered for a moment. Raises `TimeoutError` and `OSError`."""
        if (found := self._remembered(host, port)) is not None:
            return found
        loop = asyncio.get_running_loop()
        key = (asker, loop)
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = asyncio.Semaphore(self._share)
        async with asyncio.timeout(self._seconds):
            await share.acquire()
            if (found := self._remembered(host, port)) is not None:
                share.release()
                return found
            # Given back by the thread: who waits may be gone long before.
            asked = self._threads.submit(self._ask, host, port)
            asked.add_done_callback(partial(self._tell, loop, share, (host, port)))
            return await asyncio.wrap_future(asked)

    def _tell(
        self,
        loop: asyncio.AbstractEventLoop,
        share: asyncio.Semaphore,
        name: tuple[str, int],
        asked: Future[Found],
    ) -> None:
        with suppress(RuntimeError):  # of a loop that is closed, with all who waited in it
            loop.call_soon_threadsafe(self._settle, share, name, asked)

    def _settle(self, share: asyncio.Semaphore, name: tuple[str, int], asked: Future[Found]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            self._remember(name, asked.result())
        share.release()

    def _remembered(self, host: str, port: int) -> Found | None:
        until, found = self._known.get((host, port), (0.0, ()))
        return found if monotonic() < until else None

    def _remember(self, name: tuple[str, int], found: Found) -> None:
        self._known.pop(name, None)
        self._known[name] = (monotonic() + self._known_seconds, found)
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
