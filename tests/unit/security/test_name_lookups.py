"""Look-ups of names: one workspace's slow names hold up its own, and those of nobody else."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.security.name_lookups import NameLookups

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]


class Slow:
    """A resolver that answers names with `slow` in them when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = threading.Event()

    def __call__(self, host: str, _port: int) -> Any:
        self.asked.append(host)
        if "slow" in host:
            self.answers.wait(20)
        return FOUND


@contextmanager
def slow() -> Iterator[Slow]:
    resolver = Slow()
    try:
        yield resolver
    finally:
        resolver.answers.set()


async def test_one_with_slow_names_takes_its_share_of_the_threads_and_no_more() -> None:
    with slow() as resolver:
        names = NameLookups(resolver, threads=4, share=2, seconds=60)
        waits = [asyncio.create_task(names.addresses(f"slow-{number}", 443, "one")) for number in range(10)]
        await asyncio.sleep(0)
        assert await names.addresses("quick", 443, "other") == FOUND
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        # Nobody waits any more, and the threads are still at it: the share stays taken.
        held = asyncio.create_task(names.addresses("also-quick", 443, "one"))
        assert await names.addresses("another", 443, "other") == FOUND
        assert not held.done()
        assert sorted(resolver.asked) == ["another", "quick", "slow-0", "slow-1"]
        resolver.answers.set()
        assert await held == FOUND


async def test_a_name_nobody_answers_is_given_up() -> None:
    with slow() as resolver, pytest.raises(TimeoutError):
        await NameLookups(resolver, seconds=0.01).addresses("slow", 443, "one")


async def test_an_answer_is_remembered_for_a_moment_whoever_asks() -> None:
    with slow() as resolver:
        names = NameLookups(resolver, share=1)
        for asker in ("one", "other"):
            assert await names.addresses("quick", 443, asker) == FOUND
        await asyncio.gather(*(names.addresses("together", 443, "one") for _ in range(20)))
        assert resolver.asked == ["quick", "together"]


async def test_what_is_not_found_is_not_remembered() -> None:
    def none(_host: str, _port: int) -> Any:
        raise socket.gaierror("no")

    names = NameLookups(none, share=1)
    for _ in range(3):
        with pytest.raises(socket.gaierror):
            await names.addresses("nobody", 443, "one")


def test_it_serves_one_event_loop_after_another() -> None:
    with slow() as resolver:
        names = NameLookups(resolver, share=1, seconds=60, known_seconds=0)

        async def left() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(names.addresses("slow", 443, "one"), 0.01)

        async def asked() -> None:
            assert await names.addresses("quick", 443, "one") == FOUND

        asyncio.run(left())
        asyncio.run(asked())
