"""Limits with real ends: what a worker records lets the next one begin, and a replaced run ends before the new one."""

import asyncio
from itertools import pairwise
from uuid import UUID

import pytest

from app.db.models import Run
from app.json import JsonObject
from app.services import control, reconciling, retrying
from app.services.errors import Conflict
from tests.support.engine import Engine
from tests.support.waiting import eventually

ONE_AT_A_TIME: JsonObject = {"concurrency": {"key": "{{ trigger.contact }}", "limit": 1}}
WAIT: JsonObject = {"id": "wait", "type": "wait_for_event", "event": "shop.order.paid"}
ADA: JsonObject = {"contact": "ada"}


async def test_runs_of_one_key_never_overlap_and_all_are_done_without_upkeep(engine: Engine) -> None:
    pause: JsonObject = {"id": "pause", "type": "delay", "duration": "20ms"}
    workflow_id = await engine.publish({"settings": ONE_AT_A_TIME, "steps": [pause]})
    started = await asyncio.gather(*(engine.start(workflow_id, input=ADA) for _ in range(12)))
    rows = [await engine.is_(run, "completed") for run in started]
    spans = sorted((row.started_at, row.finished_at) for row in rows)
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(spans)), spans


async def test_a_replaced_run_has_run_its_finally_before_the_new_one_begins(engine: Engine) -> None:
    settings: JsonObject = {"concurrency": {"limit": 1, "excess": "replace"}}
    last: JsonObject = {"id": "last", "type": "delay", "duration": "300ms"}
    workflow_id = await engine.publish({"settings": settings, "steps": [WAIT], "finally": [last]})
    old = await engine.start(workflow_id)
    await engine.at(old, "wait")
    new = await engine.start(workflow_id)
    assert (new.status, new.waiting_for) == ("pending", {"kind": "concurrency", "event": None, "until": None})
    ended = await engine.is_(old, "cancelled")
    assert (ended.replaced_by, (await engine.step_rows(old))["last"].status) == (new.id, "completed")
    begun = await eventually(lambda: _begun(engine, new), what="the new run begins")
    assert begun is not None
    assert begun.started_at is not None
    assert ended.finished_at is not None
    assert begun.started_at >= ended.finished_at
    await engine.cancel(new)


async def _begun(engine: Engine, run: Run) -> Run | None:
    row = await engine.row(run)
    return row if row.status in ("running", "waiting") else None


async def test_the_end_of_a_run_that_was_terminated_outside_lets_the_next_one_begin(engine: Engine) -> None:
    workflow_id = await engine.publish({"settings": ONE_AT_A_TIME, "steps": [WAIT]})
    first, second = [await engine.start(workflow_id, input=ADA) for _ in range(2)]
    await engine.at(first, "wait")
    await (await engine.handle(first)).terminate("by hand")
    assert await reconciling.reconcile(engine.platform, engine.workspace_id, [first.id]) == 1
    await engine.at(second, "wait")
    await engine.cancel(second)


async def test_a_run_that_waits_is_cancelled_and_cannot_be_steered_otherwise(engine: Engine) -> None:
    workflow_id = await engine.publish({"settings": ONE_AT_A_TIME, "steps": [WAIT]})
    first, second = [await engine.start(workflow_id, input=ADA) for _ in range(2)]
    with pytest.raises(Conflict, match="when its workflow's limits let it in"):
        await control.pause(engine.platform, engine.workspace_id, second.id, by="test")
    await engine.cancel(first)
    await engine.is_(first, "cancelled")
    await engine.at(second, "wait")
    # A retry counts: it waits for the one that is under way.
    again = await retrying.retry(engine.platform, engine.workspace_id, first.id)
    assert again.queue == "concurrency"
    await engine.cancel(second)
    await engine.at(again, "wait")
    await engine.cancel(again)


async def test_an_event_for_a_key_that_ran_wakes_the_run_it_would_have_started(engine: Engine) -> None:
    trigger: JsonObject = {"type": "event", "event": "shop.order.paid"}
    settings: JsonObject = {"run_once_per": "{{ trigger.contact }}"}
    await engine.publish({"trigger": trigger, "settings": settings, "steps": [WAIT]})
    [run_id] = (await engine.send("shop.order.paid", ADA)).started
    run = await engine.row(Run(id=UUID(run_id)))
    await engine.at(run, "wait")
    again = await engine.send("shop.order.paid", ADA)
    assert (again.started, again.woke) == ([], [run_id])
    assert (await engine.end(run)).run.status == "completed"
