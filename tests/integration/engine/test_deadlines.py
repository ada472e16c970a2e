"""Time limits of steps and of runs: per attempt, absolute, and the same however often the run continues as new."""

from datetime import datetime, timedelta

import pytest

from app.db.models import Run, Step
from tests.support.engine import Engine, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import SCHEDULED, delay, group, loop, parallel, put, repeat, wait
from workflows import history


@pytest.fixture
def short_executions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Executions of some dozens of events."""
    monkeypatch.setattr(history, "MOST_EVENTS", 30)


def took(row: Step | Run) -> timedelta:
    assert row.started_at is not None
    assert row.finished_at is not None
    return row.finished_at - row.started_at


def without_end(id: str = "busy") -> dict[str, object]:
    """Goes on for ever, in small steps."""
    return repeat(id, delay(f"{id}_pause", "10ms"), until="{{ false }}", max_iterations=1_000_000)


@pytest.mark.usefixtures("short_executions")
@pytest.mark.parametrize("kind", ["condition", "loop", "parallel", "repeat"])
async def test_a_limit_of_what_holds_steps_is_absolute(engine: Engine, kind: str) -> None:
    limited = {
        "condition": group("limited", without_end()),
        "loop": loop("limited", 1, without_end()),
        "parallel": parallel("limited", [without_end()], [wait("wait", timeout="1h")]),
        "repeat": without_end("limited"),
    }[kind]
    done = await engine.steps({**limited, "timeout": "1500ms", "on_error": "continue"}, put("after"))
    assert done.run.status == "completed"
    assert len(done.executions) > 2
    row = done.steps["limited"]
    assert row.error is not None
    assert (row.status, row.error["type"]) == ("failed", "timeout")
    assert timedelta(seconds=1.4) < took(row) < timedelta(seconds=5)
    assert all(step.status in ("completed", "cancelled", "failed") for step in done.steps.values())
    assert all(one.closed_at is not None for one in await engine.waits(done.run))
    await replay(await engine.platform.temporal.client(), done.executions)


@pytest.mark.usefixtures("short_executions")
async def test_each_attempt_has_a_limit_of_its_own(engine: Engine) -> None:
    retry = {"max_attempts": 3, "initial_interval": "1ms", "jitter": 0}
    limited = group("limited", without_end(), timeout="700ms", retry=retry, on_error="continue")
    done = await engine.steps(limited, output="{{ steps.limited.attempts }}")
    assert done.output == 3
    assert timedelta(seconds=2.0) < took(done.steps["limited"]) < timedelta(seconds=7)
    assert len(done.executions) > 3
    attempts = [row for row in await engine.attempts(done.run) if row.path == "limited"]
    assert [(row.attempt, row.error["type"]) for row in attempts] == [(1, "timeout"), (2, "timeout"), (3, "timeout")]
    await replay(await engine.platform.temporal.client(), done.executions)


@pytest.mark.usefixtures("short_executions")
async def test_limits_in_limits_each_keep_their_own(engine: Engine) -> None:
    inner = group("inner", without_end(), timeout="600ms", on_error="continue")
    outer = group("outer", inner, put("between"), without_end("more"), timeout="1500ms", on_error="continue")
    done = await engine.steps(outer, settings={"timeout": "30s"})
    assert done.run.status == "completed"
    assert took(done.steps["outer.inner"]) < timedelta(seconds=1.4)
    assert timedelta(seconds=1.4) < took(done.steps["outer"]) < timedelta(seconds=5)
    assert done.steps["outer.between"].status == "completed"
    assert len(done.executions) > 2


@pytest.mark.usefixtures("short_executions")
async def test_a_run_limit_counts_from_the_runs_beginning(engine: Engine) -> None:
    last = put("last", "{{ status }}")
    done = await engine.run({"settings": {"timeout": "1500ms"}, "steps": [without_end()], "finally": [last]})
    assert done.run.status == "timed_out"
    assert done.error["type"] == "run_timed_out"
    assert "1500ms" in done.error["message"]
    assert timedelta(seconds=1.4) < took(done.run) < timedelta(seconds=5)
    assert len(done.executions) > 2
    assert done.steps["last"].output == {"value": "timed_out"}
    await replay(await engine.platform.temporal.client(), done.executions)


@pytest.mark.usefixtures("short_executions")
async def test_a_limit_that_is_over_does_not_end_what_comes_after_the_body(engine: Engine) -> None:
    finally_ = [loop("each", 30, delay("pause", "20ms")), put("last", "{{ status }}")]
    done = await engine.run({"settings": {"timeout": "300ms"}, "steps": [wait("never")], "finally": finally_})
    assert done.run.status == "timed_out"
    assert done.steps["each"].status == "completed"
    assert done.steps["last"].output == {"value": "timed_out"}
    assert len(done.executions) > 1


@pytest.mark.usefixtures("short_executions")
async def test_run_started_at_is_the_same_in_every_execution(engine: Engine) -> None:
    each = loop("each", 20, delay("pause", "20ms"), collect="{{ run.started_at }}")
    done = await engine.steps(
        put("first", "{{ run.started_at }}"), each, output=["{{ steps.each.output.results | unique }}", "{{ now }}"]
    )
    assert len(done.executions) > 2
    [[started], now] = done.output
    assert started == done.steps["first"].output["value"]
    assert datetime.fromisoformat(now) - datetime.fromisoformat(started) > timedelta(seconds=0.4)


async def test_an_attempts_limit_is_not_that_of_all_attempts(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(hang=True), Answer(hang=True), Answer(json="well"))
    step = http("fetch", f"{http_stub.url}/", timeout="500ms")
    done = await engine.steps(step, settings=SCHEDULED, output="{{ steps.fetch.output.body }}")
    assert done.output == "well"
    assert [row.error["type"] for row in await engine.attempts(done.run)] == ["timeout", "timeout"]
    assert took(done.steps["fetch"]) > timedelta(seconds=1)


async def test_a_deadline_that_passed_while_no_worker_was_up_is_met_at_once(engine: Engine) -> None:
    """Timers already due: both limits are over when the run gets to its wait."""
    inner = group("inner", delay("pause", "300ms"), wait("wait", timeout="1ms"), put("after"), timeout="1h")
    done = await engine.steps(inner, output="{{ steps.wait.timed_out }}")
    assert done.output is True


async def test_a_limit_of_a_delay_and_of_a_wait_in_a_group(engine: Engine) -> None:
    done = await engine.steps(
        group("group", delay("pause", "1h", timeout="100ms", on_error="continue"), wait("wait", timeout="100ms")),
        output=["{{ steps.pause.error.type }}", "{{ steps.wait.timed_out }}"],
    )
    assert done.output == ["timeout", True]
