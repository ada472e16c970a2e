"""No execution of a run grows without bound, whatever the run does; and what it takes along stays small."""

import asyncio

import pytest

from app.temporal import names
from tests.support.engine import Engine, Finished, refused
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import SCHEDULED, delay, loop, parallel, put, repeat, wait
from tests.support.waiting import eventually
from tests.support.walks import get, prepare
from workflows import history


def most_events(done: Finished) -> int:
    return max(execution.events for execution in done.executions)


def most_bytes(done: Finished) -> int:
    return max(execution.size for execution in done.executions)


async def test_a_thousand_items_with_an_effect_in_each(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 500)
    prepare(http_stub)
    steps = [loop("each", 1000, get("fetch", "/{{ item }}"), collect="{{ item }}")]
    done = await engine.run(
        {"steps": steps, "output": "{{ steps.each.output.results }}"}, input={"url": http_stub.url}, within=110
    )
    assert done.output == list(range(1000))
    assert len(done.executions) > 1
    assert most_events(done) < 800
    assert [request.path for request in http_stub.requests] == [f"/{number}" for number in range(1000)]
    assert set(http_stub.effects(done.run.id).values()) == {1}
    assert done.run.steps_completed == 1001
    assert len(done.steps) == 1001
    await replay(await engine.platform.temporal.client(), done.executions[:3])


async def test_many_at_once_stay_within_bounds(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 300)
    prepare(http_stub)
    steps = [
        loop("each", 150, get("fetch", "/{{ item }}"), delay("pause", "1ms"), concurrency=30, collect="{{ item }}")
    ]
    done = await engine.run(
        {"steps": steps, "output": "{{ steps.each.output.results }}"}, input={"url": http_stub.url}, within=100
    )
    assert done.output == list(range(150))
    assert most_events(done) < 800
    assert set(http_stub.effects(done.run.id).values()) == {1}
    assert len(http_stub.requests) == 150


async def test_scheduled_effects_stay_within_bounds(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 200)
    prepare(http_stub)
    definition = {"settings": SCHEDULED, "steps": [loop("each", 60, get("fetch", "/{{ item }}"), concurrency=10)]}
    done = await engine.run(definition, input={"url": http_stub.url}, within=100)
    assert done.run.status == "completed"
    assert len(done.executions) > 1
    assert most_events(done) < 500
    assert set(http_stub.effects(done.run.id).values()) == {1}


@pytest.mark.parametrize("dispatch", ["local_first", "scheduled"])
async def test_large_answers_stay_within_bounds(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, dispatch: str
) -> None:
    """Answers count where they come in, and the items' results travel without them."""
    monkeypatch.setattr(history, "MOST_BYTES", 500_000)
    prepare(http_stub)
    http_stub.answer("/large", Answer(body="x" * 100_000))
    steps = [loop("each", 30, get("fetch", "/large"), concurrency=3, collect="{{ item }}")]
    done = await engine.run(
        {"settings": {"dispatch": dispatch}, "steps": steps}, input={"url": http_stub.url}, within=60
    )
    assert done.run.status == "completed"
    assert len(done.executions) > 2
    assert most_bytes(done) < 1_500_000
    assert max(execution.arrived_with for execution in done.executions) < 500_000
    assert set(http_stub.effects(done.run.id).values()) == {1}


async def test_events_that_pour_in_do_not_fill_the_history(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals count: a run that only waits continues as new when thousands of events have come for it."""
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    prepare(http_stub)
    each = loop(
        "each", 60, wait("wait", match={"n": "{{ item }}"}, since="run_start", timeout="1h"), collect="{{ item }}"
    )
    run = await engine.start({"steps": [parallel("both", [each], [wait("last", "end")])]})
    await engine.at(run, "both.each[0].wait")
    for first in range(0, 60, 10):
        await asyncio.gather(*(engine.send("go", {"n": number}) for number in range(first, first + 10)))
    await engine.at(run, "both.each", "completed")
    await engine.send("end")
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert len(done.executions) > 1
    assert most_events(done) < 300


async def test_a_run_that_waits_and_is_signalled_for_ever_continues(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 100)
    poll = repeat("poll", wait("wait", timeout="1h"), until="{{ steps.wait.output.last }}", max_iterations=1000)
    run = await engine.start({"steps": [poll], "output": "{{ steps.poll.output.iterations }}"})
    for number in range(40):
        await engine.at(run, f"poll[{number}].wait")
        await engine.signal(run, "go", {"last": number == 39})
    done = await engine.end(run)
    assert done.output == 40
    assert len(done.executions) > 2
    assert most_events(done) < 250


async def test_updates_that_pour_in_do_not_fill_the_history(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that waits for a month may be paused and resumed every minute."""
    monkeypatch.setattr(history, "MOST_EVENTS", 100)
    run = await engine.start({"steps": [wait("wait", timeout="1h"), put("after")]})
    await engine.at(run, "wait")
    for _ in range(40):
        await engine.pause(run)
        with refused(names.ALREADY_PAUSED):
            await engine.pause(run)
        await engine.resume(run)
    assert await engine.signal(run, "go") == ["wait"]
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert len(done.executions) > 2
    assert most_events(done) < 450


async def test_a_branch_that_stands_at_an_effect_for_long_does_not_keep_the_run_from_continuing(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Effects under way are awaited: until then the others stop, and go on in the next execution."""
    monkeypatch.setattr(history, "MOST_EVENTS", 60)
    prepare(http_stub)
    http_stub.answer("/slow", Answer(delay=3.0, json="slow"))
    steps = parallel(
        "both",
        [get("slow", "/slow"), put("told", "{{ steps.slow.output.body }}")],
        [loop("each", 40, delay("pause", "1ms"), get("fetch", "/{{ item }}"))],
    )
    definition = {"settings": SCHEDULED, "steps": [steps], "output": "{{ steps.told.output.value }}"}
    done = await engine.run(definition, input={"url": http_stub.url}, within=60)
    assert done.output == "slow"
    assert most_events(done) < 250
    assert set(http_stub.effects(done.run.id).values()) == {1}


async def test_a_retry_that_takes_days_does_not_hold_the_other_branch_up(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause between two attempts is no effect under way."""
    monkeypatch.setattr(history, "MOST_EVENTS", 60)
    prepare(http_stub)
    http_stub.answer("/down", Answer(status=503))
    retry = {"max_attempts": 5, "initial_interval": "1h", "jitter": 0}
    steps = parallel(
        "both", [get("down", "/down", retry=retry)], [wait("begin"), loop("each", 30, get("fetch"), concurrency=2)]
    )
    run = await engine.start({"steps": [steps]}, input={"url": http_stub.url})
    await engine.at(run, "both.begin")
    await eventually(lambda: http_stub.asked("/down"))
    await engine.send("go")
    await engine.at(run, "both.each", "completed")
    assert len(await engine.executions(run)) > 1
    assert len(http_stub.asked("/down")) == 1
    record = await engine.record(run, "both.down")
    assert record.again_at is not None
    await engine.cancel(run)
    done = await engine.end(run)
    assert (done.run.status, done.steps["both.down"].status) == ("cancelled", "cancelled")
    assert len(await engine.attempts(run)) == 1


async def test_a_run_that_cannot_take_its_memory_along_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of a loop must travel; where they are too large, the run fails in order and walks its `finally`."""
    import workflows.automation  # noqa: PLC0415

    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    monkeypatch.setattr(workflows.automation, "MOST_CARRIED", 100_000)
    each = loop("each", 60, delay("pause", "1ms"), put("large", "{{ 'x' * 10000 }}"))
    last = put("last", "{{ error.type }}")
    done = await engine.run({"steps": [each], "finally": [last, loop("more", 20, delay("again", "1ms"))]})
    assert done.error["type"] == "limit_exceeded"
    assert done.steps["last"].output == {"value": "limit_exceeded"}
    assert done.steps["more"].status == "completed"
