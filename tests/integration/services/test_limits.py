"""A workflow's limits hold whoever starts runs, however many at once from several processes, and survive restarts."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select, text, update

from app.db.models import Run
from app.json import Json, JsonObject
from app.services import records, retrying, runs, upkeep
from app.services.errors import Conflict, Invalid, TooMany
from app.services.platform import Platform, open_platform
from app.store import limits
from app.temporal.upkeep import Duty
from tests.conftest import DatabaseUrls, TestWorkspace
from tests.integration.services.building import a_batch
from tests.support.engine import Engine
from tests.support.own_worker import engine_without_worker

STEPS = [{"id": "wait", "type": "wait_for_event", "event": "shop.order.paid"}]
KEY = "{{ trigger.contact }}"
HUNDRED = 100


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Runs are begun in Temporal, where no worker takes them: each ends when its test says so."""
    return engine_without_worker(platform, workspace.id, monkeypatch)


@pytest.fixture
async def three(platform: Platform) -> AsyncIterator[Sequence[Platform]]:
    """As many processes have: pools and connections of their own."""
    async with open_platform(platform.settings) as second, open_platform(platform.settings) as third:
        yield (platform, second, third)


async def a_workflow(engine: Engine, **settings: Json) -> UUID:
    event = {"type": "event", "event": "shop.order.placed"}
    return await engine.publish({"triggers": [{"type": "manual"}, event], "settings": settings, "steps": STEPS})


async def rows(engine: Engine) -> list[Run]:
    """All runs of the workspace in the order they were asked for."""
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await session.scalars(select(Run).order_by(Run.id)))


async def ended(engine: Engine, run: Run, status: str = "completed", platform: Platform | None = None) -> None:
    """The run reports its end, as a worker has it do."""
    await records.record_batch(platform or engine.platform, a_batch(engine.workspace_id, run.id, status=status))


async def swept(engine: Engine) -> None:
    report = await upkeep.tend(engine.platform, Duty.STARTS, [str(engine.workspace_id)])
    assert report.trouble == []


async def hundred_starts(
    engine: Engine, three: Sequence[Platform], workflow_id: UUID, **input: Json
) -> list[runs.Started | BaseException]:
    starts = [
        runs.start(three[number % 3], engine.workspace_id, workflow_id, input={"contact": "ada", **input})
        for number in range(HUNDRED)
    ]
    return await asyncio.gather(*starts, return_exceptions=True)


def under_way(found: Sequence[Run]) -> list[Run]:
    return [run for run in found if run.status == "running"]


async def an_hour_later(engine: Engine) -> None:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(update(Run).values(started_at=Run.started_at - timedelta(hours=1)))


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
    assert await _is_being_cancelled(engine, old)
    never = next(run for run in found if run.status == "cancelled")
    assert "took its place" in never.error["message"]
    await ended(engine, old, "cancelled")
    assert [run.id for run in under_way(await rows(engine))] == [new.id]


async def _is_being_cancelled(engine: Engine, run: Run) -> bool:
    events = [event async for event in (await engine.handle(run)).fetch_history_events()]
    return any(event.HasField("workflow_execution_cancel_requested_event_attributes") for event in events)


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


async def test_the_hour_slides_with_the_starts(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, max_runs_per_hour=2)
    first, second, third, fourth = [await engine.start(workflow_id) for _ in range(4)]
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(
            update(Run).where(Run.id == first.id).values(started_at=Run.started_at - timedelta(minutes=61))
        )
    await swept(engine)
    now = {run.id: run.status for run in await rows(engine)}
    assert [now[run.id] for run in (second, third, fourth)] == ["running", "running", "pending"]


async def test_no_more_begin_at_once_than_the_hour_takes_when_temporal_was_away_for_hours(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await a_workflow(engine, max_runs_per_hour=2)

    async def away(*_: Any) -> None:
        raise OSError("no Temporal")

    with monkeypatch.context() as outage:
        outage.setattr("app.services.launching._start", away)
        for number in range(6):
            await engine.start(workflow_id, input=number)
        await _asked_for(engine, timedelta(hours=5))
        await swept(engine)
        assert Counter((run.status, run.queue) for run in await rows(engine)) == {
            ("pending", None): 2,
            ("pending", "rate"): 4,
        }
    await swept(engine)
    await swept(engine)
    assert len(under_way(await rows(engine))) == 2


async def test_a_run_that_is_cancelled_before_temporal_had_it_leaves_its_part_of_the_hour(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await a_workflow(engine, max_runs_per_hour=1)

    async def away(*_: Any) -> None:
        raise OSError("no Temporal")

    with monkeypatch.context() as outage:
        outage.setattr("app.services.launching._start", away)
        first, second = [await engine.start(workflow_id, input=number) for number in range(2)]
    await engine.cancel(first)
    await swept(engine)
    assert [run.id for run in under_way(await rows(engine))] == [second.id]


async def _asked_for(engine: Engine, ago: timedelta) -> None:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(update(Run).values(created_at=Run.created_at - ago))


async def test_keys_do_not_share_places_and_a_key_of_nothing_has_no_limit(engine: Engine) -> None:
    workflow_id = await a_workflow(
        engine, concurrency={"key": "{{ trigger.contact | default(none) }}", "limit": 1, "excess": "reject"}
    )
    for contact in ("ada", "bob", 7, "7", True, "x" * 5000, None, None, "", ""):
        await engine.start(workflow_id, input={"contact": contact})
    await engine.start(workflow_id, input={})
    for contact in ("ada", 7.0, "7", True, "x" * 5000):
        with pytest.raises(TooMany):
            await engine.start(workflow_id, input={"contact": contact})
    assert {len(run.concurrency_key or "") <= 200 for run in await rows(engine)} == {True}


async def test_without_a_key_all_runs_of_the_workflow_share_the_places(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 2})
    other = await a_workflow(engine, concurrency={"limit": 2})
    started = [await engine.start(workflow_id, input=number) for number in range(3)]
    assert [run.status for run in started] == ["running", "running", "pending"]
    assert (await engine.start(other)).status == "running"


async def test_a_key_that_cannot_be_had_is_the_requests_mistake(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"key": KEY, "limit": 1})
    with pytest.raises(Invalid) as told:
        await engine.start(workflow_id, input={"name": "Ada"})
    assert told.value.code == "invalid_limit_key"
    assert [problem.path for problem in told.value.problems] == ["settings.concurrency.key"]
    assert "contact" in told.value.detail
    with pytest.raises(Invalid, match="not a list"):
        await engine.start(workflow_id, input={"contact": ["ada"]})
    assert await rows(engine) == []


async def test_what_an_event_cannot_start_is_a_run_that_people_find(engine: Engine) -> None:
    await a_workflow(engine, concurrency={"key": KEY, "limit": 1, "excess": "reject"})
    first = await engine.send("shop.order.placed", {"contact": "ada"})
    for _ in range(2):
        # A second dispatch of the event comes to the same.
        second = await engine.send("shop.order.placed", {"contact": "ada"}, id="second")
        third = await engine.send("shop.order.placed", {"name": "Ada"}, id="third")
    assert [len(each.started) for each in (first, second, third)] == [1, 0, 0]
    [_, skipped, unreadable] = await rows(engine)
    assert (skipped.status, skipped.error["type"], skipped.trigger_event_id) == ("cancelled", "limit_reached", "second")
    assert (unreadable.status, unreadable.error["type"]) == ("failed", "expression")
    assert "settings.concurrency.key" in unreadable.error["message"]
    assert skipped.finished_at is not None
    assert skipped.concurrency_key is None
    # It takes no place, and a retry of it is judged like any start.
    with pytest.raises(TooMany):
        await retrying.retry(engine.platform, engine.workspace_id, skipped.id)
    await ended(engine, (await rows(engine))[0])
    assert (await retrying.retry(engine.platform, engine.workspace_id, skipped.id)).status == "running"


async def test_an_event_for_a_key_that_ran_starts_nothing(engine: Engine) -> None:
    await a_workflow(engine, run_once_per=KEY)
    first = await engine.send("shop.order.placed", {"contact": "ada"})
    again = await engine.send("shop.order.placed", {"contact": "ada"})
    assert (len(first.started), again.started) == (1, [])
    assert len(await rows(engine)) == 1


async def test_a_second_start_of_a_key_that_meets_a_full_place_answers_with_the_first_run_as_well(
    engine: Engine, three: Sequence[Platform]
) -> None:
    workflow_id = await a_workflow(engine, run_once_per=KEY, concurrency={"limit": 1, "excess": "reject"})
    started = await hundred_starts(engine, three, workflow_id)
    assert len({each.run.id for each in started if isinstance(each, runs.Started)}) == 1
    assert all(isinstance(each, runs.Started) for each in started), started


async def test_the_same_request_twice_is_one_run_whatever_the_limits_say(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 1, "excess": "reject"}, max_runs_per_hour=5)
    asked = [engine.start(workflow_id, input={"a": 1}, idempotency_key="order-1") for _ in range(5)]
    assert len({run.id for run in await asyncio.gather(*asked)}) == 1
    with pytest.raises(Conflict):
        await engine.start(workflow_id, input={"a": 2}, idempotency_key="order-1")


async def test_a_run_that_is_cancelled_in_the_queue_gives_its_turn_to_the_next(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 1})
    first, second, third = [await engine.start(workflow_id, input=number) for number in range(3)]
    cancelled = await engine.cancel(second)
    assert (cancelled.status, cancelled.queue, cancelled.waiting_for) == ("cancelled", None, None)
    await ended(engine, first)
    assert [run.id for run in under_way(await rows(engine))] == [third.id]


async def test_a_run_that_waits_for_the_hour_has_its_place_and_gives_it_back_when_cancelled(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 1}, max_runs_per_hour=1)
    first, second, third = [await engine.start(workflow_id, input=number) for number in range(3)]
    await ended(engine, first)
    assert [run.queue for run in await rows(engine)] == [None, "rate", "concurrency"]
    await engine.cancel(second)
    assert [run.queue for run in await rows(engine)] == [None, None, "rate"]
    await an_hour_later(engine)
    await swept(engine)
    assert [run.id for run in under_way(await rows(engine))] == [third.id]


async def test_what_waits_begins_after_everything_was_restarted_and_the_release_was_lost(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await a_workflow(engine, concurrency={"key": KEY, "limit": 1})
    for contact in ("ada", "ada", "bob", "bob"):
        await engine.start(workflow_id, input={"contact": contact})

    async def lost(*_: Any) -> None: ...

    with monkeypatch.context() as died:
        died.setattr("app.services.queues.release", lost)
        for run in under_way(await rows(engine)):
            await ended(engine, run)
    assert under_way(await rows(engine)) == []
    async with open_platform(engine.platform.settings) as restarted:
        found = await upkeep.look(restarted, upkeep.Look(limit=1000))
        assert str(engine.workspace_id) in found.work["starts"]
        await upkeep.tend(restarted, Duty.STARTS, [str(engine.workspace_id)])
    assert [run.concurrency_key for run in under_way(await rows(engine))] == ['"ada"', '"bob"']


async def test_who_waits_is_not_taken_for_a_run_whose_start_was_lost(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 1})
    first, second = [await engine.start(workflow_id, input=number) for number in range(2)]
    assert await runs.start_pending(engine.platform, engine.workspace_id, 10, older_than=timedelta()) == 0
    await swept(engine)
    assert [run.id for run in under_way(await rows(engine))] == [first.id]
    assert (await engine.row(second)).queue == "concurrency"


async def test_the_active_versions_limits_count_for_all_versions(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 1, "excess": "reject"})
    await engine.start(workflow_id)
    await _republish(engine, workflow_id, concurrency={"limit": 2})
    old, queued = [await engine.start(workflow_id, version=1, input=number) for number in range(2)]
    assert (old.status, queued.queue) == ("running", "concurrency")
    await _republish(engine, workflow_id)
    await swept(engine)
    assert len(under_way(await rows(engine))) == 3


async def _republish(engine: Engine, workflow_id: UUID, **settings: Json) -> None:
    from app.services import workflows  # noqa: PLC0415 - what only this needs

    definition: JsonObject = {"settings": settings, "steps": STEPS}
    await workflows.pause(engine.platform, engine.workspace_id, workflow_id)
    await workflows.update(engine.platform, engine.workspace_id, workflow_id, {"definition": definition})
    await workflows.publish(engine.platform, engine.workspace_id, workflow_id, comment=None, published_by="test")


async def test_a_replaced_run_is_cancelled_later_when_temporal_could_not_be_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 1, "excess": "replace"})
    old = await engine.start(workflow_id)

    async def away(*_: Any) -> bool:
        return False

    with monkeypatch.context() as died:
        died.setattr("app.services.launching._cancel_quietly", away)
        new = await engine.start(workflow_id)
    assert (await engine.row(old)).cancel_due
    assert not await _is_being_cancelled(engine, old)
    await swept(engine)
    assert await _is_being_cancelled(engine, old)
    row = await engine.row(old)
    assert (row.cancel_due, row.replaced_by) == (False, new.id)


async def test_limits_count_the_runs_of_their_own_workspace_alone(
    engine: Engine, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services.workspaces import create_workspace  # noqa: PLC0415 - what only this needs

    workflow_id = await a_workflow(engine, concurrency={"limit": 1})
    first, second = [await engine.start(workflow_id, input=number) for number in range(2)]
    stranger, _ = await create_workspace(platform, "Stranger")
    async with platform.database.transaction(stranger.workspace_id) as session:
        assert await limits.queues(session, engine.workspace_id) == []
        assert await limits.free_keys(session, engine.workspace_id, workflow_id, places=9, most=9) == []
        for _ in range(2):
            given = await limits.give_places(
                session, engine.workspace_id, workflow_id, '"*"', places=9, waiting=None, most=9
            )
            assert given == []
    assert [(await engine.row(run)).queue for run in (first, second)] == [None, "concurrency"]


async def test_each_look_at_the_limits_is_one_into_an_index_among_very_many_runs(
    engine: Engine, database_urls: DatabaseUrls
) -> None:
    """The plans PostgreSQL makes, as the role that row-level security binds."""
    workflow_id = await a_workflow(engine, concurrency={"key": KEY, "limit": 1}, max_runs_per_hour=100)
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(
            text(
                """
                INSERT INTO runs (workspace_id, id, workflow_id, workflow_name, version, status, trigger_type,
                                  concurrency_key, queue, rate_number, started_at, finished_at)
                SELECT :workspace_id, gen_random_uuid(), :workflow_id, 'Test', 1,
                       CASE number % 3 WHEN 0 THEN 'completed' ELSE 'pending' END, 'manual',
                       CASE WHEN number % 3 < 2 THEN '"ada"' END,
                       CASE number % 3 WHEN 1 THEN 'concurrency' WHEN 2 THEN 'rate' END,
                       CASE number % 3 WHEN 0 THEN number END, now() - interval '2 hours',
                       CASE number % 3 WHEN 0 THEN now() END
                FROM generate_series(1, 30000) AS number
                """
            ),
            {"workspace_id": engine.workspace_id, "workflow_id": workflow_id},
        )
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        owner.execute("ANALYZE runs")  # as autovacuum does after so many
    asked = {
        "workspace_id": engine.workspace_id, "workflow_id": workflow_id, "key": '"ada"', "places": 1, "per_hour": 100,
        "rated": True, "most": 5, "waiting": "null", "hour": timedelta(hours=1),
    }  # fmt: skip
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        for statement in (limits._COUNTS, limits._GIVE_PLACES, limits._LET_IN, limits._QUEUES, limits._FREE_KEYS):
            given = {name: asked[name] for name in statement._bindparams}
            plan = await session.scalars(text(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement.text}"), given)
            lines = list(plan)
            whole = "\n".join(lines)
            assert "Seq Scan on runs" not in whole, whole
            read = max(int(count) for count in re.findall(r"rows=(\d+)", whole))
            assert read < 500, whole
