"""How a run ends: failed, cancelled, timed out; what `finally` does then; and what Temporal is told."""

from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from app.json import JsonObject
from app.services.errors import Conflict
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually


def put(id: str, value: Any = 1, **more: Any) -> JsonObject:
    return {"id": id, "type": "transform", "mapping": {"value": value}, **more}


BAD: JsonObject = {"id": "bad", "type": "transform", "mapping": {"x": "{{ trigger.nothing }}"}}
SCHEDULED: JsonObject = {"dispatch": "scheduled"}
"""A local activity under way keeps messages and timers waiting for some seconds; a scheduled one does not."""
WAIT: JsonObject = {"id": "wait", "type": "wait_for_event", "event": "never"}
LAST = put("last", {"status": "{{ status }}", "type": "{{ error.type | default('none') }}"})


async def test_a_completed_run_completes_in_temporal(engine: Engine) -> None:
    done = await engine.run({"steps": [put("a")], "finally": [LAST], "output": "{{ steps.a.output.value }}"})
    assert done.output == 1
    assert done.temporal_status is WorkflowExecutionStatus.COMPLETED
    assert done.steps["last"].output["value"] == {"status": "completed", "type": "none"}
    assert done.run.finished_at is not None
    assert done.run.current_step is None
    assert done.run.steps_completed == 2


async def test_a_failed_run_fails_in_temporal_with_the_same_error(engine: Engine) -> None:
    done = await engine.run({"steps": [BAD, put("never")], "finally": [LAST]})
    assert done.run.status == "failed"
    assert done.temporal_status is WorkflowExecutionStatus.FAILED
    assert done.steps["last"].output["value"] == {"status": "failed", "type": "expression"}
    history = await (await engine.handle(done.run)).fetch_history()
    failure = history.events[-1].workflow_execution_failed_event_attributes.failure
    assert failure.message == done.error["message"]
    assert failure.application_failure_info.type == "expression"
    assert failure.application_failure_info.non_retryable


async def test_finally_sees_the_failed_step(engine: Engine) -> None:
    done = await engine.run({"steps": [BAD], "finally": [put("last", "{{ steps.bad.status }}")]})
    assert done.steps["last"].output == {"value": "failed"}


async def test_a_run_that_takes_too_long_times_out(engine: Engine) -> None:
    done = await engine.run({"settings": {"timeout": "100ms"}, "steps": [WAIT], "finally": [LAST]})
    assert done.run.status == "timed_out"
    assert done.error["type"] == "run_timed_out"
    assert "100ms" in done.error["message"]
    assert done.temporal_status is WorkflowExecutionStatus.FAILED
    assert done.statuses() == {"wait": "cancelled", "last": "completed"}
    assert done.steps["last"].output["value"]["status"] == "timed_out"


async def test_a_cancelled_run_walks_its_finally(engine: Engine, http_stub: HttpStub) -> None:
    run = await engine.start({"steps": [WAIT, put("never")], "finally": [http("tell", f"{http_stub.url}/tell"), LAST]})
    await engine.at(run, "wait")
    cancelled = await engine.cancel(run)
    assert cancelled.status == "cancelled"
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert done.error["type"] == "cancelled"
    assert done.temporal_status is WorkflowExecutionStatus.CANCELED
    assert done.statuses() == {"wait": "cancelled", "tell": "completed", "last": "completed"}
    assert len(http_stub.asked("/tell")) == 1
    assert done.steps["last"].output["value"] == {"status": "cancelled", "type": "cancelled"}


async def test_a_run_cancelled_from_temporal_is_a_cancelled_run(engine: Engine) -> None:
    run = await engine.start({"steps": [WAIT], "finally": [LAST]})
    await engine.at(run, "wait")
    await (await engine.handle(run)).cancel()
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert done.statuses() == {"wait": "cancelled", "last": "completed"}


async def test_cancelling_ends_branches_and_items_at_any_depth(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(hang=True))
    loop = {"id": "each", "type": "loop", "items": [1, 2], "concurrency": 2, "steps": [WAIT], "timeout": "1h"}
    branches = [{"name": "a", "steps": [loop]}, {"name": "b", "steps": [http("fetch", f"{http_stub.url}/")]}]
    definition = {
        "settings": SCHEDULED | {"timeout": "1h"},
        "steps": [{"id": "both", "type": "parallel", "branches": branches}],
    }
    run = await engine.start(definition)
    await engine.at(run, "both.each[0].wait")
    await engine.at(run, "both.each[1].wait")
    await eventually(lambda: http_stub.requests)
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert set(done.statuses().values()) == {"cancelled"}
    assert len(done.steps) == 5


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
async def test_a_run_that_ended_cannot_be_cancelled(engine: Engine, ending: str) -> None:
    done = await engine.steps({"id": "end", "type": "stop", "status": ending})
    with pytest.raises(Conflict) as refused:
        await engine.cancel(done.run)
    assert refused.value.code == "run_finished"
    assert (await engine.row(done.run)).status == ending


async def test_cancelling_during_finally_ends_it(engine: Engine) -> None:
    run = await engine.start({"steps": [put("a")], "finally": [WAIT, put("never")]})
    await engine.at(run, "wait")
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert done.statuses() == {"a": "completed", "wait": "cancelled"}


async def test_a_finally_that_fails_fails_a_run_that_had_completed(engine: Engine) -> None:
    done = await engine.run({"steps": [put("a")], "finally": [BAD]})
    assert done.run.status == "failed"
    assert done.error["path"] == "bad"


async def test_a_finally_that_fails_leaves_the_first_failure_standing(engine: Engine) -> None:
    done = await engine.run({"steps": [BAD], "finally": [{**BAD, "id": "worse"}]})
    assert done.error["path"] == "bad"
    assert done.statuses() == {"bad": "failed", "worse": "failed"}


async def test_an_output_that_cannot_be_evaluated_fails_the_run(engine: Engine) -> None:
    done = await engine.run({"steps": [put("a")], "output": {"x": "{{ trigger.nothing }}"}})
    assert done.run.status == "failed"
    assert done.error["message"].startswith("output:")
    assert done.steps["a"].status == "completed"


async def test_an_output_larger_than_temporal_takes_fails_the_run_and_says_so(engine: Engine) -> None:
    definition = {"steps": [put("a", "{{ 'x' * 900000 }}")], "output": ["{{ steps.a.output.value }}"] * 2}
    done = await engine.run(definition)
    assert done.error["type"] == "limit_exceeded"
    assert done.error["message"].startswith("output:")


@pytest.mark.parametrize("timeout", ["{{ trigger.nothing }}", "{{ trigger.timeout }}"])
async def test_a_timeout_that_cannot_be_evaluated_fails_the_run(engine: Engine, timeout: str) -> None:
    """Publishing may let an expression through; the run must not stand still because of it."""
    definition = {"settings": {"timeout": timeout}, "steps": [put("a")]}
    done = await engine.run(definition, input={"timeout": "soon"})
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith("settings.timeout:")


async def test_the_same_idempotency_key_is_the_same_run(engine: Engine) -> None:
    workflow = await engine.publish({"steps": [put("a")]})
    first = await engine.start(workflow, idempotency_key="k1")
    again = await engine.start(workflow, idempotency_key="k1")
    assert first.id == again.id
    assert (await engine.end(first)).run.status == "completed"
