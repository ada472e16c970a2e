"""Whose start comes next: a workspace that is alone waits for nobody, one beside others leaves them room."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from app.services.turns import LEFT_TO_OTHERS, MOST_LEFT_SECONDS, PLACES_ALONE, TURNS_AFTER, NoTurn, Turns

MANY, SINGLE, THIRD = uuid4(), uuid4(), uuid4()


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
    clock.now += 0.1
    await starts.end("m0")
    assert starts.begun == ["single", "m0"]
    [(seconds, act, given)] = later
    assert seconds == pytest.approx(0.1 * LEFT_TO_OTHERS)
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
    assert later == [MOST_LEFT_SECONDS]


async def test_who_has_no_more_waiting_leaves_nothing(starts, clock):
    await starts.ask("m0", MANY)
    await starts.ask("s0", SINGLE)
    clock.now += 0.5
    await starts.end("s0")
    await starts.ask("s1", SINGLE)
    assert starts.begun == ["m0", "s0", "s1"]


async def test_another_counts_for_a_few_turns_after_its_last_however_short_they_are(starts):
    """The clock stands still: what passes is turns."""
    await starts.ask("single", SINGLE)
    await starts.end("single")
    for number in range(TURNS_AFTER + PLACES_ALONE):
        await starts.ask(f"m{number}", MANY)
    for number in range(TURNS_AFTER - 1):
        assert starts.begun[1:] == [f"m{each}" for each in range(number + 1)]
        await starts.end(f"m{number}")
    assert len(starts.begun[TURNS_AFTER:]) == PLACES_ALONE


async def test_a_start_now_and_then_costs_the_others_a_few_pauses_each_time(starts, clock, monkeypatch):
    later = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda _seconds, *act: later.append(act))
    for number in range(100):
        await starts.ask(f"m{number}", MANY)
    paused, ended = 0, 0
    for single in ("s0", "s1", "s2"):
        await starts.ask(single, SINGLE)
        await starts.end(single)
        for _ in range(20):
            clock.now += 0.01
            await starts.end(f"m{ended}")
            ended += 1
            clock.now += 0.011 * LEFT_TO_OTHERS
            due, later[:] = later[:], []
            for act, *given in due:
                act(*given)
                await settle()
            paused += len(due)
    # Those that were under way when it came end as well: no more begins after them than after the others.
    assert paused <= 3 * (PLACES_ALONE + TURNS_AFTER) < ended


async def test_who_has_started_nothing_for_some_turns_is_forgotten(clock):
    turns = Turns(clock)
    for _ in range(50):
        async with turns.turn(uuid4()):
            pass
    assert len(turns._lanes) <= TURNS_AFTER


async def test_who_gives_up_waiting_holds_no_place(starts):
    await starts.ask("single", SINGLE)
    for name in ("m0", "m1", "m2"):
        await starts.ask(name, MANY)
    starts.tasks["m1"].cancel()
    await starts.end("single")
    await starts.end("m0")
    assert starts.begun == ["single", "m0", "m2"]


async def test_a_turn_that_does_not_come_in_time_is_no_turn_and_holds_no_place(starts):
    await starts.ask("single", SINGLE)
    await starts.ask("m0", MANY)
    with pytest.raises(NoTurn):
        async with starts._turns.turn(MANY, within=0):
            pytest.fail("nobody's turn")
    await starts.ask("m1", MANY)
    await starts.end("m0")
    assert starts.begun == ["single", "m0", "m1"]


async def test_a_free_place_is_taken_however_short_the_time(clock):
    async with Turns(clock).turn(SINGLE, within=0):
        await settle()


async def test_a_place_that_comes_as_the_waiting_ends_goes_to_the_next(starts):
    for name, workspace in (("single", SINGLE), ("m0", MANY), ("m1", MANY), ("m2", MANY)):
        await starts.ask(name, workspace)
    starts._ends["m0"].set()
    await asyncio.sleep(0)
    assert starts.tasks["m0"].done()
    starts.tasks["m1"].cancel()
    await settle()
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
