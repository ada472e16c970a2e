"""Hiding texts that must not be kept, wherever and in whatever spelling they come back. Knows nobody's secrets, and
keeps none longer than who asks for it: nothing is made of them in advance.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.json import Json
from app.security.spellings import Spelling, readings, replaced, spellings

HIDDEN = "***"
SHORTEST = 4
"""Characters from which a text is hidden: a shorter one stands everywhere."""
LONG = 32 * 1024
"""Characters to be looked through, for one text after the other; more of them are no work for an event loop."""

_BETWEEN = "\0"
"""Stands between texts that are looked through together: no escape goes on beyond it."""
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="masks")

T = TypeVar("T")


class Mask:
    """Texts to hide in what others answer: as they are, in URLs, in JSON, and in base64 (Basic authorization)."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def add(self, text: str) -> None:
        """Hide this text from now on."""
        if len(text) >= SHORTEST:
            self._texts.add(text)

    def hidden(self, value: Json) -> Json:
        """The value with the texts hidden, at any depth, in keys and in numbers too."""
        if not self._texts:
            return value
        # As they are now: this may be a thread's work, and more are added by others.
        texts = tuple(self._texts)
        together = _BETWEEN.join(_texts_in(value))
        read = readings(together)
        # Seldom one of them is there at all: then nothing has to be looked at piece by piece.
        known = [
            spelling
            for text in texts
            if len(text) <= len(together)
            for spelling in spellings(text)
            if any(reading.has(spelling) for reading in read)
        ]
        return _without(value, known) if known else value

    async def hidden_aside(self, value: Json) -> Json:
        """The same; in a thread where it takes long."""
        if not self._takes_long(value):
            return self.hidden(value)
        return await aside(lambda: self.hidden(value))

    def _takes_long(self, value: Json) -> bool:
        if not self._texts:
            return False
        left = (LONG - sum(map(len, self._texts))) // len(self._texts)
        return left < 0 or any((left := left - len(text) - 1) < 0 for text in _texts_in(value))


async def aside(do: Callable[[], T]) -> T:
    """What it gives, done in one of few threads: whose texts are long does not stop the others' process."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, do)


def _texts_in(value: Json) -> Iterator[str]:
    """All that may hold a secret, numbers too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts_in(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _texts_in(part)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield repr(value)


def _without(value: Json, known: list[Spelling]) -> Json:
    if isinstance(value, str):
        return replaced(value, known, HIDDEN)
    if isinstance(value, list):
        return [_without(part, known) for part in value]
    if isinstance(value, dict):
        return {_without(name, known): _without(part, known) for name, part in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = repr(value)
        return value if replaced(text, known, HIDDEN) == text else HIDDEN
    return value
