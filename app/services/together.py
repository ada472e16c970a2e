"""Calls that come at about the same time become one. What is called, and what it does, is the caller's subject."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[K, T, R]):
    """Gathers items of a key while the items before them are being sent. The first one is sent at once."""

    def __init__(self, send: Callable[[K, Sequence[T]], Awaitable[Sequence[R]]], *, most: int) -> None:
        """`send` answers for each item, in their order; it gets `most` of a key at once, and one call at a time."""
        self._send = send
        self._most = most
        self._waiting: dict[K, list[tuple[T, asyncio.Future[R]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, key: K, item: T) -> R:
        """The answer for this item. Raises what `send` raised for those it went with."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if key in self._waiting:
            self._waiting[key].append((item, answer))
        else:
            self._waiting[key] = [(item, answer)]
            task = asyncio.create_task(self._send_all(key), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _send_all(self, key: K) -> None:
        try:
            while waiting := self._waiting[key]:
                together, self._waiting[key] = waiting[: self._most], waiting[self._most :]
                await self._send_some(key, together)
        finally:
            for _, answer in self._waiting.pop(key):
                answer.cancel()

    async def _send_some(self, key: K, together: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._send(key, [item for item, _ in together])
        except Exception as error:
            for _, answer in together:
                if not answer.done():
                    answer.set_exception(error)
        except BaseException:
            for _, answer in together:
                answer.cancel()
            raise
        else:
            for (_, answer), value in zip(together, answers, strict=True):
                if not answer.done():
                    answer.set_result(value)
