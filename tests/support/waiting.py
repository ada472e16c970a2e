"""Waiting for something to become true, with a deadline. Tests use this instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    check: Callable[[], T | Awaitable[T]], *, within: float = 20.0, every: float = 0.05, what: str = ""
) -> T:
    """Call `check` until what it gives is true, and answer that. An AssertionError inside counts as not yet.

    Fails with `what`, or the check's last word, after `within` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        last: object = None
        try:
            value = check()
            last = found = await value if inspect.isawaitable(value) else value
            if found:
                return found
        except AssertionError as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within} s: {what or check}; last: {last!r}")
        await asyncio.sleep(every)
