"""A small map that forgets: for answers worth keeping for seconds. Holds no rule about what may be kept."""

import time
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """At most `size` entries, each for `seconds`; the oldest goes first. For use from one event loop."""

    def __init__(self, *, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._entries: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """The value put under `key`, unless its time is over."""
        entry = self._entries.get(key)
        if entry is None or entry[0] < time.monotonic():
            return None
        return entry[1]

    def put(self, key: K, value: V) -> None:
        """Keep `value` from now on."""
        self._entries.pop(key, None)
        self._entries[key] = (time.monotonic() + self._seconds, value)
        while len(self._entries) > self._size:
            del self._entries[next(iter(self._entries))]

    def forget(self, key: K) -> None:
        """Keep nothing under `key`."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
