"""Events, updates, cancellations and deadlines of runs that continue as new all the time: none is lost or doubled.

Every run here has a branch that loops, so that its executions are short and something always comes as one ends.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.models import Run
from app.json import JsonObject
from app.temporal import names
from app.temporal.messages import DeliveredEvent
from tests.support.engine import Engine, Finished, http, refused
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import SCHEDULED, delay, loop, parallel, put, repeat, stop, wait
from tests.support.waiting import eventually
from tests.support.walks import get, prepare
from workflows import history


@pytest.fixture(autouse=True)
def short_executions(monkeypatch: pytest.MonkeyPatch, http_stub: HttpStub) -> None:
    """Executions of some dozens of events."""
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    prepare(http_stub)


def busy(milliseconds: int = 20) -> JsonObject:
    """Loops until the run sets `over`."""
    return repeat(
        "busy",
        delay("breath", f"{milliseconds}ms"),
        put("round", "{{ loop.number }}"),
        until="{{ vars.over }}",
        max_iterations=100_000,
    )


OVER: JsonObject = {"id": "enough", "type": "set_variable", "variables": {"over": True}}


def beside(*steps: JsonObject, milliseconds: int = 20) -> JsonObject:
    """These steps beside a branch that loops until they are done."""
    return parallel("both", [busy(milliseconds)], [*steps, OVER])


async def started(engine: Engine, stub: HttpStub, *steps: JsonObject, **head: Any) -> Run:
    return await engine.start({"variables": {"over": False}, "steps": list(steps), **head}, input={"url": stub.url})


async def has_continued(engine: Engine, run: Run, more_than: int) -> None:
    async def often_enough() -> bool:
        return len(await engine.executions(run)) > more_than

    await eventually(often_enough, what=f"more than {more_than} executions")


async def ended(engine: Engine, run: Run, status: str = "completed") -> Finished:
    """The run's end. Each of its executions must replay."""
    done = await engine.end(run)
    assert done.run.status == status, done.run.error
    assert [failure for execution in done.executions for failure in execution.task_failures] == []
    await replay(await engine.platform.temporal.client(), done.executions)
    return done


async def test_two_hundred_items_a_wait_and_a_timer_side_by_side(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Continuing all the time, paused and resumed in the middle, with the event delivered twice."""
    monkeypatch.setattr(history, "MOST_EVENTS", 60)
    steps = [
        parallel(
            "all",
            [
                loop(
                    "each", 200, delay("pause", "1ms"), get("fetch", "/{{ item }}"), concurrency=4, collect="{{ item }}"
                )
            ],
            [wait("reply", timeout="1h"), put("replied", "{{ steps.reply.output.n }}")],
            [delay("timer", "2s"), get("remind", "/remind")],
        )
    ]
    run = await started(
        engine, http_stub, *steps, output=["{{ steps.each.output.results }}", "{{ steps.replied.output.value }}"]
    )
    await engine.at(run, "all.reply")
    await eventually(lambda: len(http_stub.requests) > 50)
    await engine.pause(run)
    handle = await engine.handle(run)
    event = {"specversion": "1.0", "id": "e1", "source": "test", "type": "go", "data": {"n": 7}}
    await engine.send("go", {"n": 7}, id="e1")
    await handle.signal(names.DELIVER_EVENT_SIGNAL, DeliveredEvent(event=event, paths=["all.reply"]))
    await engine.is_(run, "paused")
    again = handle.signal(names.DELIVER_EVENT_SIGNAL, DeliveredEvent(event=event, paths=["all.reply"]))
    await asyncio.gather(engine.resume(run), again)
    done = await engine.end(run, within=80)
    assert done.output == [list(range(200)), 7]
    assert len(done.executions) > 15
    effects = http_stub.effects(run.id)
    assert set(effects.values()) == {1}
    assert len(effects) == 201
    assert [row.path for row in await engine.waits(run)] == ["all.reply"]
    await replay(await engine.platform.temporal.client(), done.executions)


async def test_a_wait_keeps_its_deadline_its_since_and_its_row(engine: Engine, http_stub: HttpStub) -> None:
    run = await started(engine, http_stub, beside(wait("reply", timeout="1h")))
    await engine.at(run, "both.reply")
    before = await engine.record(run, "both.reply")
    [row] = await engine.waits(run)
    assert before.wait is not None
    await has_continued(engine, run, 4)
    after = await engine.record(run, "both.reply")
    assert after.wait is not None
    assert after.wait["until"] == before.wait["until"]
    assert (after.started_at, after.generation, after.order) == (before.started_at, before.generation, before.order)
    [again] = await engine.waits(run)
    assert (again.until, again.since, again.closed_at) == (row.until, row.since, None)
    await engine.send("go")
    await ended(engine, run)


async def test_a_wait_times_out_when_it_must_and_not_so_long_after_the_last_execution_began(
    engine: Engine, http_stub: HttpStub
) -> None:
    run = await started(
        engine, http_stub, beside(wait("reply", timeout="1500ms")), output="{{ steps.reply.timed_out }}"
    )
    done = await ended(engine, run)
    assert done.output is True
    assert len(done.executions) > 2
    row = done.steps["both.reply"]
    assert row.started_at is not None
    assert row.finished_at is not None
    assert timedelta(seconds=1.4) < row.finished_at - row.started_at < timedelta(seconds=4)


async def test_a_delay_keeps_its_moment_and_says_that_it_waited(engine: Engine, http_stub: HttpStub) -> None:
    run = await started(engine, http_stub, beside(delay("sleep", "1500ms")), output="{{ steps.sleep.output }}")
    done = await ended(engine, run)
    row = done.steps["both.sleep"]
    assert len(done.executions) > 2
    assert row.started_at is not None
    until = datetime.fromisoformat(done.output["until"])
    assert abs(until - row.started_at.astimezone(UTC) - timedelta(seconds=1.5)) < timedelta(milliseconds=100)
    assert done.output["waited"] is True


async def test_events_in_the_very_moment_of_continuing_are_taken_once_each(engine: Engine, http_stub: HttpStub) -> None:
    """Fifty waits in a row, each for its own event, while executions last for some tasks only."""
    waits = loop("each", 50, wait("reply", match={"n": "{{ item }}"}, since="run_start", timeout="1h"),
                 collect="{{ steps.reply.output.n }}")  # fmt: skip
    run = await started(engine, http_stub, beside(waits, milliseconds=5), output="{{ steps.each.output.results }}")
    await engine.at(run, "both.each[0].reply")
    for number in range(50):
        await engine.send("go", {"n": number})
        await engine.send("go", {"n": number})
    done = await ended(engine, run)
    assert done.output == list(range(50))
    assert len(done.executions) > 2


async def test_events_for_many_waits_at_once_are_neither_lost_nor_doubled(engine: Engine, http_stub: HttpStub) -> None:
    waits = loop("each", 20, wait("reply", match={"n": "{{ item }}"}, timeout="1h"), get("told", "/{{ item }}"),
                 concurrency=4, collect="{{ steps.reply.output.n }}")  # fmt: skip
    run = await started(engine, http_stub, beside(waits), output="{{ steps.each.output.results }}")
    for first in range(0, 20, 4):
        for number in range(first, first + 4):
            await engine.at(run, f"both.each[{number}].reply")
        await asyncio.gather(*(engine.send("go", {"n": number}) for number in range(first, first + 4)))
    done = await ended(engine, run)
    assert done.output == list(range(20))
    assert http_stub.effects(run.id) == {f"both.each[{number}].told": 1 for number in range(20)}


async def test_an_event_that_was_taken_is_not_taken_again_executions_later(engine: Engine, http_stub: HttpStub) -> None:
    """The signal that a second dispatch repeats may come late, and to a run that waits for the same type again."""
    waits = loop("each", 2, wait("reply", timeout="1h"), collect="{{ steps.reply.output.n }}")
    run = await started(engine, http_stub, beside(waits), output="{{ steps.each.output.results }}")
    await engine.at(run, "both.each[0].reply")
    event = {"specversion": "1.0", "id": "e1", "source": "test", "type": "go", "data": {"n": 1}}
    await engine.send("go", {"n": 1}, id="e1")
    await engine.at(run, "both.each[1].reply")
    await has_continued(engine, run, len(await engine.executions(run)) + 1)
    handle = await engine.handle(run)
    await handle.signal(names.DELIVER_EVENT_SIGNAL, DeliveredEvent(event=event, paths=["both.each[0].reply"]))
    await has_continued(engine, run, len(await engine.executions(run)) + 1)
    assert (await engine.record(run, "both.each[1].reply")).status == "waiting"
    await engine.send("go", {"n": 2})
    assert (await ended(engine, run)).output == [1, 2]


async def test_updates_in_the_moment_of_continuing_are_all_answered(engine: Engine, http_stub: HttpStub) -> None:
    run = await started(engine, http_stub, beside(wait("reply", timeout="1h"), milliseconds=5))
    await engine.at(run, "both.reply")
    for _ in range(10):
        await engine.pause(run)
        with refused(names.ALREADY_PAUSED):
            await engine.pause(run)
        await engine.resume(run)
        with refused(names.NOT_PAUSED):
            await engine.resume(run)
    assert await engine.signal(run, "go") == ["both.reply"]
    done = await ended(engine, run)
    assert len(done.executions) > 2


async def test_a_pause_outlives_the_execution_it_came_to(engine: Engine, http_stub: HttpStub) -> None:
    """The updates themselves fill the history; a paused run continues as new and is still paused."""
    run = await started(engine, http_stub, wait("reply", timeout="1h"), get("after"))
    await engine.at(run, "reply")
    for _ in range(10):
        await engine.pause(run)
        await engine.resume(run)
    await engine.pause(run)
    for _ in range(30):
        with refused(names.ALREADY_PAUSED):
            await engine.pause(run)
    await engine.send("go")
    await engine.at(run, "reply", "completed")
    assert len(await engine.executions(run)) > 1
    assert (await engine.timeline(run)).status == "paused"
    assert http_stub.requests == []
    await engine.resume(run)
    done = await ended(engine, run)
    assert len(http_stub.asked("/ok")) == 1
    assert done.run.status == "completed"


@pytest.mark.parametrize("moment", range(4))
async def test_a_cancellation_in_the_moment_of_continuing_is_not_lost(
    engine: Engine, http_stub: HttpStub, moment: int
) -> None:
    run = await engine.start(
        {
            "variables": {"over": False},
            "steps": [
                get("first", compensate=[get("undo", "/undo")]),
                beside(wait("reply", timeout="1h"), milliseconds=1 + moment),
            ],
            "finally": [get("tell", "/{{ status }}")],
        },
        input={"url": http_stub.url},
    )
    await engine.at(run, "both.reply")
    await has_continued(engine, run, 1 + moment)
    await (await engine.handle(run)).cancel()
    done = await ended(engine, run, "cancelled")
    assert http_stub.effects(run.id) == {"first": 1, "first.compensate.undo": 1, "tell": 1}
    assert done.steps["both.reply"].status == "cancelled"
    assert all(row.closed_at is not None for row in await engine.waits(run))


async def test_a_run_limit_is_absolute(engine: Engine, http_stub: HttpStub) -> None:
    run = await started(
        engine, http_stub, beside(wait("reply", timeout="1h")), settings={"timeout": "2s"},
        **{"finally": [get("tell", "/{{ status }}")]},
    )  # fmt: skip
    done = await ended(engine, run, "timed_out")
    assert len(done.executions) > 2
    assert done.run.started_at is not None
    assert done.run.finished_at is not None
    assert timedelta(seconds=1.9) < done.run.finished_at - done.run.started_at < timedelta(seconds=6)
    assert http_stub.effects(run.id) == {"tell": 1}


async def test_a_stop_while_the_other_branch_continues_ends_the_run(engine: Engine, http_stub: HttpStub) -> None:
    run = await started(
        engine, http_stub,
        parallel("both", [busy(1)], [delay("short", "600ms"), get("last"), stop("end", "failed", reason="enough")]),
        **{"finally": [get("tell", "/{{ status }}")]},
    )  # fmt: skip
    done = await ended(engine, run, "failed")
    assert done.error["message"] == "enough"
    assert len(done.executions) > 1
    assert http_stub.effects(run.id) == {"both.last": 1, "tell": 1}


@pytest.mark.parametrize("policy", ["cancel", "wait"])
async def test_a_branch_that_failed_while_another_suspends_is_not_walked_again(
    engine: Engine, http_stub: HttpStub, policy: str
) -> None:
    slow = loop("each", 25, get("other", "/{{ item }}"), delay("pause", "10ms"))
    run = await started(
        engine,
        http_stub,
        parallel("both", [slow], [get("fine"), get("fails", "/gone")], on_branch_error=policy, on_error="continue"),
        get("after"),
        output="{{ steps.both.error.type }}",
        settings=SCHEDULED,
    )
    done = await ended(engine, run)
    assert done.output == "provider_rejected"
    effects = http_stub.effects(run.id)
    assert set(effects.values()) == {1}
    assert {"both.fine", "both.fails", "after"} <= set(effects)
    assert done.steps["both.fails"].generation == 1
    assert (f"both.each[{24}].other" in effects) is (policy == "wait")


async def test_more_waits_at_once_than_an_execution_has_events_for_do_not_spin(
    engine: Engine, http_stub: HttpStub
) -> None:
    """Beginning anew costs an execution events; a run that only waits must not spend them again and again."""
    waits = loop("each", 40, wait("reply", match={"n": "{{ item }}"}, timeout="1h"), concurrency=40)
    run = await started(engine, http_stub, waits)
    await engine.at(run, "each[39].reply")
    before = len(await engine.executions(run))
    with pytest.raises(AssertionError):
        await eventually(lambda: _more(engine, run, before + 2), within=3.0)
    await asyncio.gather(*(engine.send("go", {"n": number}) for number in range(40)))
    await ended(engine, run)


async def _more(engine: Engine, run: Run, than: int) -> bool:
    return len(await engine.executions(run)) > than


async def test_much_that_happens_at_once_is_told_the_same_way_again(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events, effects and records of several walkers fall into the same tasks, and each execution replays.

    The SDK hands the results of local activities over together in a replay, and one by one before (sdk-python #1881).
    """
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    for number in range(24):
        http_stub.answer(f"/{number}", Answer(delay=number * 7 % 5 / 150))
    walkers = loop(
        "each", 24, wait("reply", match={"n": "{{ item }}"}, timeout="1h"),
        http("told", f"{http_stub.url}/{{{{ item }}}}"), concurrency=4, collect="{{ item }}",
    )  # fmt: skip
    busy = repeat("busy", delay("breath", "20ms"), put("round"), until="{{ vars.over }}")
    over = {"id": "enough", "type": "set_variable", "variables": {"over": True}}
    run = await engine.start(
        {
            "variables": {"over": False},
            "steps": [parallel("both", [busy], [walkers, over])],
            "output": "{{ steps.each.output.results }}",
        }
    )
    for first in range(0, 24, 4):
        for number in range(first, first + 4):
            await engine.at(run, f"both.each[{number}].reply")
        await asyncio.gather(*(engine.send("go", {"n": number}) for number in range(first, first + 4)))
    done = await engine.end(run)
    assert done.output == list(range(24))
    assert not any(execution.task_failures for execution in done.executions)
    assert http_stub.effects(run.id) == {f"both.each[{number}].told": 1 for number in range(24)}
    await replay(await engine.platform.temporal.client(), done.executions)
