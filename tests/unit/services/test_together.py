"""Calls that come at about the same time become one, and each gets its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from app.services.together import Together


class Sender:
    """Doubles numbers, once it may."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.open = asyncio.Event()

    async def __call__(self, key: str, items: Sequence[int]) -> list[int]:
        self.calls.append((key, list(items)))
        await self.open.wait()
        if 13 in items:
            raise ValueError("13")
        return [2 * item for item in items]


async def begun(together: Together[str, int, int], *calls: tuple[str, int]) -> list[asyncio.Task[int]]:
    tasks = [asyncio.ensure_future(together(key, item)) for key, item in calls]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_one_is_sent_goes_together() -> None:
    sender = Sender()
    together = Together(sender, most=10)
    tasks = await begun(together, ("a", 1))
    tasks += await begun(together, ("a", 2), ("b", 3), ("a", 4))
    assert sender.calls == [("a", [1]), ("b", [3])]
    sender.open.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert sender.calls == [("a", [1]), ("b", [3]), ("a", [2, 4])]


async def test_no_more_than_the_most_go_together() -> None:
    sender = Sender()
    sender.open.set()
    together = Together(sender, most=2)
    assert await asyncio.gather(*(together("a", number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert [len(items) for _, items in sender.calls] == [2, 2, 1]


async def test_a_failure_is_told_to_those_that_went_together_alone() -> None:
    sender = Sender()
    together = Together(sender, most=10)
    first = await begun(together, ("a", 1))
    second = await begun(together, ("a", 13), ("a", 2))
    sender.open.set()
    assert await first[0] == 2
    for task in second:
        with pytest.raises(ValueError, match="13"):
            await task
    assert await together("a", 3) == 6


async def test_who_gives_up_takes_nobody_along() -> None:
    sender = Sender()
    together = Together(sender, most=10)
    await begun(together, ("a", 1))
    gone, stays = await begun(together, ("a", 2), ("a", 3))
    gone.cancel()
    sender.open.set()
    assert await stays == 6
