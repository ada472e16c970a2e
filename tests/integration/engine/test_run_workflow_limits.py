"""Runs that steps start count towards their workflow's limits: they wait for their turn, or the step says why not."""

import pytest

from app.json import JsonObject
from app.services.runs import cancel_queued
from tests.integration.engine.test_run_workflow import GREETS, WAITS, child, runs
from tests.support.engine import Engine
from tests.support.waiting import eventually

ONE_AT_A_TIME: JsonObject = {"concurrency": {"limit": 1, "excess": "queue"}}


async def test_a_run_that_has_to_wait_for_its_turn_is_waited_for(engine: Engine) -> None:
    target = await engine.publish({**WAITS, "settings": ONE_AT_A_TIME}, name="Gate")
    ahead = await engine.start(target)
    await engine.at(ahead, "gate")
    parent = await engine.start({"steps": [runs("through", "gate")], "output": "{{ steps.through.output }}"})
    queued = await child(engine, parent, "pending")
    assert queued.waiting_for == {"kind": "concurrency", "event": None, "until": None}
    await engine.signal(ahead, "open", 1)
    await engine.end(ahead)
    begun = await child(engine, parent)
    await engine.signal(begun, "open", 2)
    assert (await engine.end(parent)).output == 2


@pytest.mark.parametrize("with_others", [False, True])
async def test_a_parent_hears_at_once_of_a_child_that_is_cancelled_before_it_began(
    engine: Engine, with_others: bool
) -> None:
    target = await engine.publish({**WAITS, "settings": ONE_AT_A_TIME}, name="Gate")
    ahead = await engine.start(target)
    await engine.at(ahead, "gate")
    parent = await engine.start({"steps": [runs("through", "gate")]})
    queued = await child(engine, parent, "pending")
    if with_others:
        assert await cancel_queued(engine.platform, engine.workspace_id, [queued.id, ahead.id]) == [queued.id]
    else:
        assert (await engine.cancel(queued)).started_at is None
    assert (await engine.end(parent)).error["type"] == "child_cancelled"
    assert (await engine.row(queued)).parent_waits is False
    await engine.cancel(ahead)


async def test_cancelling_a_parent_gives_up_its_childs_turn(engine: Engine) -> None:
    target = await engine.publish({**WAITS, "settings": ONE_AT_A_TIME}, name="Gate")
    ahead = await engine.start(target)
    await engine.at(ahead, "gate")
    parent = await engine.start({"steps": [runs("through", "gate")]})
    await child(engine, parent, "pending")
    await engine.cancel(parent)
    assert (await child(engine, parent, "cancelled")).started_at is None
    await engine.end(parent)


async def test_a_run_that_is_refused_fails_the_step_with_the_reason(engine: Engine) -> None:
    full = {"concurrency": {"limit": 1, "excess": "reject"}}
    target = await engine.publish({**WAITS, "settings": full}, name="Gate")
    await engine.at(await engine.start(target), "gate")
    done = await engine.steps(runs("through", "gate"))
    assert done.error["type"] == "child_not_started"
    assert "as many as may be" in done.error["message"]


async def test_a_retry_asks_again_after_a_limit_refused_the_run(engine: Engine) -> None:
    full = {"concurrency": {"limit": 1, "excess": "reject"}}
    target = await engine.publish({**WAITS, "settings": full}, name="Gate")
    ahead = await engine.start(target)
    await engine.at(ahead, "gate")
    often = {"max_attempts": 100, "initial_interval": "100ms", "backoff": 1, "jitter": 0}
    parent = await engine.start(
        {"steps": [runs("through", "gate", retry=often)], "output": "{{ steps.through.output }}"}
    )

    async def refused() -> bool:
        return (await engine.record(parent, "through")).attempt > 1

    await eventually(refused, what="an attempt was refused")
    await engine.signal(ahead, "open", 1)
    await engine.end(ahead)
    await engine.signal(await child(engine, parent), "open", 2)
    assert (await engine.end(parent)).output == 2


async def test_a_workflow_that_runs_once_per_key_is_not_waited_for_a_second_time(engine: Engine) -> None:
    once = {**GREETS, "settings": {"run_once_per": "{{ trigger.name }}"}}
    target = await engine.publish(once, name="Greets")
    first = await engine.run(target, input={"name": "Ada"})
    done = await engine.steps(runs("hi", "greets", {"name": "Ada"}))
    assert done.error["type"] == "child_not_started"
    assert f"which was run {first.run.id}" in done.error["message"]
