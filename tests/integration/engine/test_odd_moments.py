"""What happens at the wrong moment, or in too large a number: nothing is lost, doubled or decided by mistake."""

import asyncio

import pytest

from activities import attempts, runner
from app.services import records
from app.services.errors import Unavailable
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import BAD, ONCE, SCHEDULED, group, loop, put, wait
from tests.support.waiting import eventually
from workflows.steps import action


async def test_a_decision_about_one_failure_decides_no_other(engine: Engine) -> None:
    held = {**BAD, "on_error": "hold"}
    around = group("around", held, timeout="2s", retry={"max_attempts": 2, "initial_interval": "1ms"})
    run = await engine.start({"steps": [around]})
    await engine.is_(run, "held")
    await engine.pause(run)
    await engine.decide(run, "around.bad", "skip")

    async def tried_again() -> bool:
        return (
            any(attempt.path == "around" for attempt in await engine.attempts(run))
            or (await engine.timeline(run)).steps[0].attempt == 2
        )

    await eventually(tried_again)
    await engine.resume(run)
    await engine.at(run, "around.bad", "held")
    await engine.cancel(run)
    assert (await engine.end(run)).run.status == "cancelled"


async def test_an_action_that_only_computes_is_tried_again_with_other_inputs(engine: Engine) -> None:
    template = {
        "id": "text",
        "type": "action",
        "action": "transform.template",
        "inputs": {"template": "{{ trigger.nothing }}"},
        "on_error": "hold",
    }
    run = await engine.start({"steps": [template], "output": "{{ steps.text.status }}"})
    await engine.is_(run, "held")
    await engine.decide(run, "text", "retry", inputs={"template": "fixed"})
    assert (await engine.end(run)).output == "completed"


async def test_a_worker_that_is_lost_after_its_effect_was_kept_leaves_the_effect_done(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action, "HEARTBEAT_TIMEOUT", action.timedelta(seconds=1))
    monkeypatch.setattr(attempts, "HEARTBEAT_SECONDS", 60.0)
    commit, silent = records.commit_outcome, asyncio.Event()

    async def commit_and_fall_silent(*arguments: object) -> None:
        await commit(*arguments)  # type: ignore[arg-type]
        if not silent.is_set():
            silent.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(records, "commit_outcome", commit_and_fall_silent)
    fetch = http("fetch", f"{http_stub.url}/", retry=ONCE, on_error="hold")
    done = await engine.steps(fetch, output="{{ steps.fetch.status }}", settings=SCHEDULED)
    assert silent.is_set()
    assert done.output == "completed"
    assert len(http_stub.requests) == 1


async def test_an_outcome_that_cannot_be_kept_for_long_is_the_runs_to_write(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal has a local activity made again that goes on for half an hour."""
    monkeypatch.setattr(runner, "LONGEST_LOCAL_COMMIT", 0.2)

    async def away(*_arguments: object) -> None:
        raise Unavailable("database_unavailable", "away")

    monkeypatch.setattr(records, "commit_outcome", away)
    done = await engine.steps(http("fetch", f"{http_stub.url}/"), output="{{ steps.fetch.output.status_code }}")
    assert done.output == 200
    assert len(http_stub.requests) == 1
    row = done.steps["fetch"]
    assert (row.status, row.output["status_code"], row.effect_key) == ("completed", 200, None)  # type: ignore[index]


async def test_many_large_answers_at_once_stay_out_of_the_history(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(body="x" * 900_000))
    each = loop(
        "each", "{{ range(20) | list }}", http("fetch", f"{http_stub.url}/"), concurrency=20, collect="{{ item }}"
    )
    done = await engine.steps(each, output="{{ steps.each.output.count }}")
    assert done.output == 20
    assert max(execution.size for execution in done.executions) < 1_000_000


async def test_hundreds_of_waits_begin_within_seconds(engine: Engine) -> None:
    inner = loop("inner", "{{ range(15) | list }}", wait("wait", "go", timeout="1h"), concurrency=15)
    run = await engine.start({"steps": [loop("each", "{{ range(15) | list }}", inner, concurrency=15), put("end")]})

    async def all_wait() -> bool:
        return len([wait for wait in await engine.waits(run) if wait.closed_at is None]) == 225

    await eventually(all_wait, within=30.0)
    await engine.send("go")
    done = await engine.end(run, within=60)
    assert done.run.status == "completed"
    assert all(wait.closed_at is not None for wait in await engine.waits(run))
