"""A worker takes as many tasks as it walks at once, and those that wait for local activities beside."""

import asyncio
from typing import Any

from worker.slots import Slots

CONTEXT: Any = None


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_there_are_so_many_places_and_one_that_is_given_back_is_taken_by_who_waits():
    slots = Slots(places=2)
    await slots.reserve_slot(CONTEXT)
    await slots.reserve_slot(CONTEXT)
    assert slots.try_reserve_slot(CONTEXT) is None
    third = asyncio.create_task(slots.reserve_slot(CONTEXT))
    await settle()
    assert not third.done()
    slots.release_slot(CONTEXT)
    await settle()
    assert third.done()
    assert slots.try_reserve_slot(CONTEXT) is None


async def test_runs_that_wait_for_local_activities_keep_no_place_from_others_until_they_go_on():
    slots = Slots(places=1)
    await slots.reserve_slot(CONTEXT)
    second = asyncio.create_task(slots.reserve_slot(CONTEXT))
    await settle()
    assert not second.done()
    slots.rests("run")
    await settle()
    assert second.done()
    slots.goes_on("run")
    assert slots.try_reserve_slot(CONTEXT) is None
    slots.release_slot(CONTEXT)
    assert slots.try_reserve_slot(CONTEXT) is None
    slots.release_slot(CONTEXT)
    assert slots.try_reserve_slot(CONTEXT) is not None


async def test_there_is_a_most_however_many_wait_for_local_activities():
    slots = Slots(places=1, most=2)
    for run_id in ("a", "b", "c"):
        slots.rests(run_id)
    assert [slots.try_reserve_slot(CONTEXT) is not None for _ in range(3)] == [True, True, False]


async def test_who_gives_up_waiting_holds_no_place():
    slots = Slots(places=1)
    await slots.reserve_slot(CONTEXT)
    gives_up = asyncio.create_task(slots.reserve_slot(CONTEXT))
    waits = asyncio.create_task(slots.reserve_slot(CONTEXT))
    await settle()
    gives_up.cancel()
    await settle()
    slots.release_slot(CONTEXT)
    await settle()
    assert waits.done()
    assert slots.try_reserve_slot(CONTEXT) is None


async def test_a_place_given_to_one_who_gives_up_at_that_moment_is_not_lost():
    slots = Slots(places=1)
    await slots.reserve_slot(CONTEXT)
    gives_up = asyncio.create_task(slots.reserve_slot(CONTEXT))
    await settle()
    slots.release_slot(CONTEXT)
    gives_up.cancel()
    await settle()
    assert slots.try_reserve_slot(CONTEXT) is not None
