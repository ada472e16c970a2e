"""A hundred starts at once, through several processes: each limit holds."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from app.services import retrying, runs, upkeep
from app.services.errors import TooMany
from app.services.platform import Platform
from app.temporal.upkeep import Duty
from tests.integration.services.limited import (
    KEY,
    a_workflow,
    an_hour_later,
    ended,
    hundred_starts,
    is_being_cancelled,
    rows,
    swept,
    under_way,
)
from tests.support.engine import Engine


async def test_a_hundred_starts_at_once_have_as_many_under_way_as_the_limit_says_and_the_others_in_order(
    engine: Engine, three: Sequence[Platform]
) -> None:
    workflow_id = await a_workflow(engine, concurrency={"key": KEY, "limit": 3})
    started = await hundred_starts(engine, three, workflow_id)
    assert all(isinstance(each, runs.Started) for each in started), started
    found = await rows(engine)
    assert Counter((run.status, run.queue) for run in found) == {("running", None): 3, ("pending", "concurrency"): 97}
    waiting = [run for run in found if run.queue]
    assert waiting[0].waiting_for == {"kind": "concurrency", "event": None, "until": None}
    # Three end at once, seen by three processes: three others begin, those that were asked for first.
    await asyncio.gather(*(ended(engine, run, platform=one) for run, one in zip(under_way(found), three, strict=True)))
    begun = under_way(await rows(engine))
    assert [run.id for run in begun] == [run.id for run in waiting[:3]]
    assert all(run.waiting_for is None and run.temporal_run_id for run in begun)


async def test_a_hundred_starts_at_once_that_may_not_wait_are_refused_beyond_the_limit(
    engine: Engine, three: Sequence[Platform]
) -> None:
    workflow_id = await a_workflow(engine, concurrency={"key": KEY, "limit": 3, "excess": "reject"})
    started = await hundred_starts(engine, three, workflow_id)
    refused = [each for each in started if isinstance(each, TooMany)]
    assert (len(refused), refused[0].code, refused[0].retry_after > 0) == (97, "concurrency_limit_reached", True)
    assert len(await rows(engine)) == 3


async def test_a_hundred_starts_at_once_leave_the_youngest_when_each_replaces_the_one_before(
    engine: Engine, three: Sequence[Platform]
) -> None:
    workflow_id = await a_workflow(engine, concurrency={"key": KEY, "limit": 1, "excess": "replace"})
    started = await hundred_starts(engine, three, workflow_id)
    assert all(isinstance(each, runs.Started) for each in started), started
    found = await rows(engine)
    # One was let in and is being cancelled; one waits for its end; all between them never began.
    assert Counter(run.status for run in found) == {"running": 1, "pending": 1, "cancelled": 98}
    [old], [new] = under_way(found), [run for run in found if run.queue]
    assert old.replaced_by is not None
    assert not old.cancel_due
    assert await is_being_cancelled(engine, old)
    never = next(run for run in found if run.status == "cancelled")
    assert "took its place" in never.error["message"]
    await ended(engine, old, "cancelled")
    assert [run.id for run in under_way(await rows(engine))] == [new.id]


async def test_a_hundred_starts_at_once_with_one_key_are_one_run(engine: Engine, three: Sequence[Platform]) -> None:
    workflow_id = await a_workflow(engine, run_once_per=KEY)
    started = await hundred_starts(engine, three, workflow_id)
    assert all(isinstance(each, runs.Started) for each in started), started
    [run] = await rows(engine)
    assert {each.run.id for each in started if isinstance(each, runs.Started)} == {run.id}
    assert sum(each.created for each in started if isinstance(each, runs.Started)) == 1
    await ended(engine, run, "failed")
    again = await runs.start(engine.platform, engine.workspace_id, workflow_id, input={"contact": "ada"})
    assert (again.run.id, again.created) == (run.id, False)
    # A retry stands for the run it repeats.
    retried = await retrying.retry(engine.platform, engine.workspace_id, run.id)
    assert (retried.retry_of, retried.status) == (run.id, "running")


async def test_a_hundred_starts_at_once_begin_as_the_hour_takes_them(engine: Engine, three: Sequence[Platform]) -> None:
    workflow_id = await a_workflow(engine, max_runs_per_hour=40)
    await hundred_starts(engine, three, workflow_id)
    found = await rows(engine)
    assert Counter((run.status, run.queue) for run in found) == {("running", None): 40, ("pending", "rate"): 60}
    assert sorted(run.rate_number or 0 for run in under_way(found)) == list(range(1, 41))
    waiting = [run for run in found if run.queue]
    assert {run.waiting_for["kind"] for run in waiting} == {"rate"}
    assert waiting[0].waiting_for["until"] is not None
    await swept(engine)
    assert len(under_way(await rows(engine))) == 40
    await an_hour_later(engine)
    await asyncio.gather(*(upkeep.tend(one, Duty.STARTS, [str(engine.workspace_id)]) for one in three))
    begun = under_way(await rows(engine))
    assert len(begun) == 80
    assert [run.id for run in begun if run.rate_number > 40] == [run.id for run in waiting[:40]]


async def test_a_hundred_starts_at_once_beyond_the_hour_are_told_when_to_come_again(
    engine: Engine, three: Sequence[Platform]
) -> None:
    workflow_id = await a_workflow(engine, max_runs_per_hour=40, excess="reject")
    started = await hundred_starts(engine, three, workflow_id)
    refused = [each for each in started if isinstance(each, TooMany)]
    assert (len(refused), len(await rows(engine))) == (60, 40)
    assert all(each.code == "rate_limit_reached" and 3500 < each.retry_after <= 3600 for each in refused)


async def test_a_second_start_of_a_key_that_meets_a_full_place_answers_with_the_first_run_as_well(
    engine: Engine, three: Sequence[Platform]
) -> None:
    workflow_id = await a_workflow(engine, run_once_per=KEY, concurrency={"limit": 1, "excess": "reject"})
    started = await hundred_starts(engine, three, workflow_id)
    assert len({each.run.id for each in started if isinstance(each, runs.Started)}) == 1
    assert all(isinstance(each, runs.Started) for each in started), started
