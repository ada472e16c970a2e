"""A workflow's limits: what counts, who is next, what is refused and how; and that nothing of it is lost."""

import asyncio
import re
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text, update

from app.db.models import Run
from app.json import Json, JsonObject
from app.services import retrying, runs, upkeep, workflows
from app.services.errors import Conflict, Invalid, TooMany
from app.services.platform import Platform, open_platform
from app.store import limits
from app.temporal.upkeep import Duty
from tests.conftest import DatabaseUrls
from tests.integration.services.limited import (
    KEY,
    STEPS,
    a_workflow,
    an_hour_later,
    ended,
    is_being_cancelled,
    rows,
    swept,
    under_way,
)
from tests.support.engine import Engine


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
        await session.execute(update(Run).values(created_at=Run.created_at - ago, updated_at=Run.updated_at - ago))


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


async def test_a_start_that_was_refused_and_is_retried_has_no_second_run_of_its_key(engine: Engine) -> None:
    await a_workflow(engine, run_once_per=KEY, concurrency={"limit": 1, "excess": "reject"})
    for contact in ("eve", "ada", "bob"):
        await engine.send("shop.order.placed", {"contact": contact})
    eve, ada, bob = await rows(engine)
    assert [run.once_key for run in (eve, ada, bob)] == ['"eve"', None, None]
    await ended(engine, eve)
    # The next event of this key runs, so the refused one must not.
    await engine.send("shop.order.placed", {"contact": "ada"})
    first = (await rows(engine))[-1]
    await ended(engine, first, "failed")
    with pytest.raises(Conflict) as told:
        await retrying.retry(engine.platform, engine.workspace_id, ada.id)
    assert (told.value.code, str(first.id) in told.value.detail) == ("already_run_once", True)
    # The other way round, the retry takes the key; one of it stands for it again.
    retried = await retrying.retry(engine.platform, engine.workspace_id, bob.id)
    assert (retried.once_key, retried.status) == ('"bob"', "running")
    await ended(engine, retried, "failed")
    assert (await engine.send("shop.order.placed", {"contact": "bob"})).started == []
    for _ in range(2):
        retried = await retrying.retry(engine.platform, engine.workspace_id, retried.id)
        assert retried.status == "running"
        await ended(engine, retried, "failed")


async def test_an_event_for_a_key_that_ran_starts_nothing(engine: Engine) -> None:
    await a_workflow(engine, run_once_per=KEY)
    first = await engine.send("shop.order.placed", {"contact": "ada"})
    again = await engine.send("shop.order.placed", {"contact": "ada"})
    assert (len(first.started), again.started) == (1, [])
    assert len(await rows(engine)) == 1


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


@pytest.mark.parametrize("rest", [workflows.pause, workflows.archive])
async def test_a_workflow_that_rests_lets_nobody_in_until_it_is_active_again(engine: Engine, rest: Any) -> None:
    placed = await a_workflow(engine, concurrency={"limit": 1})
    hourly = await a_workflow(engine, max_runs_per_hour=1)
    first, second = [await engine.start(placed, input=number) for number in range(2)]
    third, fourth = [await engine.start(hourly, input=number) for number in range(2)]
    for workflow_id in (placed, hourly):
        await rest(engine.platform, engine.workspace_id, workflow_id)
    await ended(engine, first)
    await an_hour_later(engine)
    await swept(engine)
    assert [(await engine.row(run)).queue for run in (second, fourth)] == ["concurrency", "rate"]
    await workflows.activate(engine.platform, engine.workspace_id, placed)
    await workflows.publish(engine.platform, engine.workspace_id, hourly, comment=None, published_by="test")
    assert [run.id for run in under_way(await rows(engine))] == [second.id, third.id, fourth.id]


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
    assert not await is_being_cancelled(engine, old)
    await swept(engine)
    assert await is_being_cancelled(engine, old)
    row = await engine.row(old)
    assert (row.cancel_due, row.replaced_by) == (False, new.id)


async def test_a_run_that_was_replaced_while_temporal_was_away_is_never_begun(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 1, "excess": "replace"})

    async def away(*_: Any) -> None:
        raise OSError("no Temporal")

    with monkeypatch.context() as outage:
        outage.setattr("app.services.launching._start", away)
        old = await engine.start(workflow_id)
    with monkeypatch.context() as outage:
        outage.setattr("app.services.steering.handle_of", away)
        new = await engine.start(workflow_id, input={"newer": True})
        await _asked_for(engine, timedelta(minutes=1))
        assert await runs.start_pending(engine.platform, engine.workspace_id, 10) == 0
        await swept(engine)
        assert [(run.status, run.queue) for run in await rows(engine)] == [
            ("pending", None),
            ("pending", "concurrency"),
        ]
    await swept(engine)
    row = await engine.row(old)
    assert (row.status, row.started_at, row.replaced_by) == ("cancelled", None, new.id)
    assert str(new.id) in row.error["message"]
    assert [run.id for run in under_way(await rows(engine))] == [new.id]


async def test_limits_count_the_runs_of_their_own_workspace_alone(
    engine: Engine, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services.workspaces import create_workspace  # noqa: PLC0415 - what only this needs

    workflow_id = await a_workflow(engine, concurrency={"limit": 1})
    first, second = [await engine.start(workflow_id, input=number) for number in range(2)]
    stranger, _ = await create_workspace(platform, "Stranger")
    async with platform.database.transaction(stranger.workspace_id) as session:
        assert await limits.queues(session, engine.workspace_id) == []
        assert (
            await limits.free_keys(session, engine.workspace_id, workflow_id, places=9, one_by_one="order:", most=9)
            == []
        )
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
        "one_by_one": "order:", "rated": True, "most": 5, "waiting": "null", "hour": timedelta(hours=1),
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
