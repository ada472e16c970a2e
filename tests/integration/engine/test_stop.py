"""`stop`: the whole run ends, from any depth."""

from typing import Any

import pytest

from app.json import JsonObject
from tests.support.engine import Engine


def stop(**how: Any) -> JsonObject:
    return {"id": "enough", "type": "stop", **how}


AFTER: JsonObject = {"id": "after", "type": "transform", "mapping": {"done": True}}


async def test_a_run_stopped_as_completed_answers_with_the_stops_output(engine: Engine) -> None:
    done = await engine.steps(
        stop(output={"n": "{{ trigger.n }}"}, when="{{ trigger.n > 1 }}"), AFTER, input={"n": 2}, output="not this"
    )
    assert done.output == {"n": 2}
    assert done.statuses() == {"enough": "completed"}
    assert done.run.error is None


async def test_a_run_stopped_as_failed_has_the_reason_in_its_error(engine: Engine) -> None:
    done = await engine.steps(stop(status="failed", reason="no stock of {{ trigger.item }}"), input={"item": 5})
    assert done.run.status == "failed"
    assert done.error == {"type": "stopped", "message": "no stock of 5", "step_id": "enough", "path": "enough"}


async def test_a_reason_longer_than_temporal_takes_is_cut(engine: Engine) -> None:
    done = await engine.steps(stop(status="failed", reason="{{ 'я' * 950000 }}"))
    assert done.run.status == "failed"
    assert done.error["message"] == "я" * 1999 + "…"


async def test_a_run_stopped_as_cancelled_is_cancelled(engine: Engine) -> None:
    done = await engine.steps(stop(status="cancelled", reason="changed my mind"))
    assert done.run.status == "cancelled"
    assert done.error["message"] == "changed my mind"


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_from_inside_a_parallel_inside_a_loop_it_ends_all_and_runs_finally(
    engine: Engine, concurrency: int
) -> None:
    wait = {"id": "wait", "type": "wait_for_event", "event": "never"}
    parallel = {
        "id": "both",
        "type": "parallel",
        "branches": [
            {"name": "a", "steps": [wait]},
            {"name": "b", "steps": [stop(status="failed", reason="{{ item }}")]},
        ],
    }
    loop = {
        "id": "each",
        "type": "loop",
        "items": ["x", "y"],
        "steps": [parallel],
        "concurrency": concurrency,
        "on_error": "continue",
    }
    last = {"id": "last", "type": "transform", "mapping": {"status": "{{ status }}", "reason": "{{ error.message }}"}}
    done = await engine.run({"steps": [loop, AFTER], "finally": [last]})
    assert done.error["message"] == "x"
    assert done.error["path"] == "each[0].both.enough"
    assert done.steps["last"].output == {"status": "failed", "reason": "x"}
    assert "after" not in done.steps
    assert done.statuses()["each[0].both.wait"] == "cancelled"
    assert not any(wait.closed_at is None for wait in await engine.waits(done.run))


async def test_no_error_policy_takes_a_stop_for_a_failure(engine: Engine) -> None:
    inside = {
        "id": "choice",
        "type": "condition",
        "branches": [{"when": "{{ true }}", "steps": [stop(status="failed", reason="on purpose")]}],
        "on_error": "branch",
        "error_steps": [AFTER],
        "retry": {"max_attempts": 3, "initial_interval": "1ms"},
    }
    done = await engine.steps(inside)
    assert done.error["message"] == "on purpose"
    assert done.statuses() == {"choice": "completed", "choice.enough": "completed"}


async def test_a_reason_that_cannot_be_evaluated_is_a_failure_like_any_other(engine: Engine) -> None:
    done = await engine.steps(stop(reason="{{ trigger.nothing }}", on_error="continue", when="{{ true }}"), AFTER)
    assert done.run.status == "completed"
    assert done.statuses() == {"enough": "failed", "after": "completed"}
