"""A small map that forgets: for answers worth keeping for seconds. Holds no rule about what may be kept."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """At most `size` entries, each for `seconds`; the oldest goes first. For use from one event loop."""

    def __init__(self, *, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._entries: dict[K, tuple[float, V]] = {}
        self._forgotten = 0

    def get(self, key: K) -> V | None:
        """The value put under `key`, unless its time is over."""
        entry = self._entries.get(key)
        if entry is None or entry[0] < time.monotonic():
            return None
        return entry[1]

    @property
    def forgotten(self) -> int:
        """How often something was forgotten, so that what was read before can be told from what was read after."""
        return self._forgotten

    def put(self, key: K, value: V, *, forgotten: int | None = None) -> None:
        """Keep `value` from now on; not if something was forgotten since that count was read, since the value may be
        from before it."""
        if forgotten is not None and forgotten != self._forgotten:
            return
        self._entries.pop(key, None)
        self._entries[key] = (time.monotonic() + self._seconds, value)
        while len(self._entries) > self._size:
            del self._entries[next(iter(self._entries))]

    def forget(self, key: K) -> None:
        """Keep nothing under `key`."""
        self._forgotten += 1
        self._entries.pop(key, None)

    def forget_those(self, which: Callable[[V], bool]) -> None:
        """Forget every value of which this is true."""
        self._forgotten += 1
        for key in [key for key, (_, value) in self._entries.items() if which(value)]:
            del self._entries[key]

    def clear(self) -> None:
        """Forget everything."""
        self._forgotten += 1
        self._entries.clear()
