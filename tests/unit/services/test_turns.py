"""Whose start comes next: a workspace that is alone waits for nobody, one beside others leaves them room."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from app.services.turns import LATELY_SECONDS, LEFT_TO_OTHERS, PLACES_ALONE, Turns

MANY, SINGLE = uuid4(), uuid4()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Starts:
    """Starts that last until they are let go."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name, workspace) -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._one(name, workspace))
        await settle()

    async def end(self, name) -> None:
        self._ends[name].set()
        await settle()

    async def _one(self, name, workspace) -> None:
        async with self._turns.turn(workspace):
            self.begun.append(name)
            await self._ends[name].wait()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def starts(clock):
    made = Starts(Turns(clock))
    yield made
    for task in made.tasks.values():
        task.cancel()
    await asyncio.gather(*made.tasks.values(), return_exceptions=True)


async def test_a_workspace_that_is_alone_has_all_places_and_no_more(starts):
    for number in range(PLACES_ALONE + 2):
        await starts.ask(f"m{number}", MANY)
    assert starts.begun == [f"m{number}" for number in range(PLACES_ALONE)]
    await starts.end("m3")
    assert starts.begun[PLACES_ALONE:] == [f"m{PLACES_ALONE}"]


async def test_another_workspace_begins_at_once_however_many_wait(starts):
    for number in range(PLACES_ALONE + 50):
        await starts.ask(f"m{number}", MANY)
    await starts.ask("single", SINGLE)
    assert starts.begun[-1] == "single"


async def test_beside_others_a_workspace_has_one_place(starts, clock):
    await starts.ask("single", SINGLE)
    await starts.end("single")
    await starts.ask("m0", MANY)
    await starts.ask("m1", MANY)
    assert starts.begun == ["single", "m0"]


async def test_beside_others_it_leaves_them_time_between_its_starts(starts, clock, monkeypatch):
    later = []
    monkeypatch.setattr(
        asyncio.get_running_loop(), "call_later", lambda seconds, act, *given: later.append((seconds, act, given))
    )
    await starts.ask("single", SINGLE)
    for name in ("m0", "m1"):
        await starts.ask(name, MANY)
    clock.now += 0.5
    await starts.end("m0")
    assert starts.begun == ["single", "m0"]
    [(seconds, act, given)] = later
    assert seconds == pytest.approx(0.5 * LEFT_TO_OTHERS)
    clock.now += seconds
    act(*given)
    await settle()
    assert starts.begun == ["single", "m0", "m1"]


async def test_a_start_that_was_held_up_does_not_hold_up_the_next_one_for_longer(starts, clock, monkeypatch):
    later = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda seconds, *_: later.append(seconds))
    for name, workspace in (("single", SINGLE), ("m0", MANY), ("m1", MANY)):
        await starts.ask(name, workspace)
    clock.now += 60
    await starts.end("m0")
    assert later == [LATELY_SECONDS]


async def test_who_has_no_more_waiting_leaves_nothing(starts, clock):
    await starts.ask("m0", MANY)
    await starts.ask("s0", SINGLE)
    clock.now += 0.5
    await starts.end("s0")
    await starts.ask("s1", SINGLE)
    assert starts.begun == ["m0", "s0", "s1"]


async def test_the_others_are_forgotten_after_a_while(starts, clock):
    await starts.ask("single", SINGLE)
    await starts.end("single")
    clock.now += LATELY_SECONDS + 0.1
    for number in range(3):
        await starts.ask(f"m{number}", MANY)
    assert starts.begun == ["single", "m0", "m1", "m2"]


async def test_who_gives_up_waiting_holds_no_place(starts, clock):
    await starts.ask("single", SINGLE)
    for name in ("m0", "m1", "m2"):
        await starts.ask(name, MANY)
    starts.tasks["m1"].cancel()
    clock.now += LATELY_SECONDS + 0.1
    await starts.end("single")
    await starts.end("m0")
    assert starts.begun == ["single", "m0", "m2"]


async def test_a_start_that_fails_gives_its_place_back(clock):
    turns = Turns(clock)
    async with AsyncExitStack() as others:
        await others.enter_async_context(turns.turn(SINGLE))
        with pytest.raises(RuntimeError):
            async with turns.turn(MANY):
                raise RuntimeError
        async with asyncio.timeout(5), turns.turn(MANY):
            pass
