"""Pause and resume: nothing new begins, what is under way ends, and the run goes on where it stood."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.service import RPCError

from app.db.models import Run
from app.temporal import names
from tests.support.engine import Engine, http, refused
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.steps import SCHEDULED, delay, group, loop, parallel, put, repeat, wait
from tests.support.waiting import eventually


def gate() -> tuple[asyncio.Event, Callable[[Asked], Awaitable[Answer]]]:
    """An answer that comes when the event is set."""
    opened = asyncio.Event()

    async def answer(_asked: Asked) -> Answer:
        await opened.wait()
        return Answer(json={"ok": True})

    return opened, answer


def tell(status: str = "{{ status }}") -> list[dict[str, Any]]:
    """What a run's end looks like from `finally`."""
    return [put("last", status)]


async def test_an_effect_under_way_ends_and_the_next_step_does_not_begin(engine: Engine, http_stub: HttpStub) -> None:
    opened, answer = gate()
    http_stub.answer("/slow", answer)
    run = await engine.start(
        {
            "settings": SCHEDULED,
            "steps": [http("slow", f"{http_stub.url}/slow"), http("next", f"{http_stub.url}/next")],
            "output": "{{ steps.slow.output.body.ok }}",
        }
    )
    await eventually(lambda: http_stub.asked("/slow"))
    await engine.pause(run)
    row = await engine.is_(run, "paused")
    assert row.error is None
    assert (await engine.timeline(run)).status == "paused"
    opened.set()
    await engine.at(run, "slow", "completed")
    assert [step.path for step in (await engine.timeline(run)).steps if step.status != "pending"] == ["slow"]
    assert http_stub.asked("/next") == []
    assert (await engine.row(run)).status == "paused"
    await engine.resume(run)
    done = await engine.end(run)
    assert done.output is True
    assert [request.path for request in http_stub.requests] == ["/slow", "/next"]


async def test_a_wait_ends_while_the_run_is_paused(engine: Engine, http_stub: HttpStub) -> None:
    run = await engine.start(
        {"steps": [wait("wait"), http("next", f"{http_stub.url}/next")], "output": "{{ steps.wait.output }}"}
    )
    await engine.at(run, "wait")
    await engine.pause(run)
    assert (await engine.send("go", {"n": 1})).woke == [str(run.id)]
    await engine.at(run, "wait", "completed")
    assert http_stub.requests == []
    await engine.resume(run)
    done = await engine.end(run)
    assert done.output == {"n": 1}
    assert len(http_stub.requests) == 1


async def test_a_delay_and_a_deadline_pass_while_the_run_is_paused(engine: Engine, http_stub: HttpStub) -> None:
    branches = parallel(
        "both",
        [delay("pause", "4s"), http("a", f"{http_stub.url}/a")],
        [wait("wait", timeout="4s"), http("b", f"{http_stub.url}/b")],
    )
    run = await engine.start({"steps": [branches], "output": ["{{ steps.wait.timed_out }}"]})
    await engine.at(run, "both.wait")
    await engine.pause(run)
    await engine.at(run, "both.pause", "completed")
    await engine.at(run, "both.wait", "completed")
    assert http_stub.requests == []
    await engine.resume(run)
    assert (await engine.end(run)).output == [True]
    assert len(http_stub.requests) == 2


async def test_items_under_way_end_and_no_further_one_begins(engine: Engine, http_stub: HttpStub) -> None:
    opened, answer = gate()
    http_stub.answer("/0", answer)
    http_stub.answer("/1", answer)
    each = loop("each", 6, http("fetch", f"{http_stub.url}/{{{{ item }}}}"), concurrency=2, collect="{{ item }}")
    run = await engine.start({"settings": SCHEDULED, "steps": [each], "output": "{{ steps.each.output.results }}"})
    await eventually(lambda: len(http_stub.requests) == 2)
    await engine.pause(run)
    opened.set()

    async def both_ended() -> bool:
        return (await engine.timeline(run)).steps_completed == 2

    await eventually(both_ended)
    assert len(http_stub.requests) == 2
    await engine.resume(run)
    assert (await engine.end(run)).output == [0, 1, 2, 3, 4, 5]
    assert set(http_stub.effects(run.id).values()) == {1}


async def test_a_run_paused_again_and_again_comes_to_its_end(engine: Engine, http_stub: HttpStub) -> None:
    steps = [loop("each", 30, delay("pause", "5ms"), http("fetch", f"{http_stub.url}/"), concurrency=3)]
    run = await engine.start({"steps": steps})
    for _ in range(10):
        try:
            await engine.pause(run)
            await engine.resume(run)
        except RPCError:
            break
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert set(http_stub.effects(run.id).values()) == {1}
    assert len(http_stub.requests) == 30


async def test_pausing_and_resuming_twice_is_refused(engine: Engine) -> None:
    run = await engine.start({"steps": [wait("wait")]})
    await engine.at(run, "wait")
    with refused(names.NOT_PAUSED):
        await engine.resume(run)
    await engine.pause(run)
    with refused(names.ALREADY_PAUSED):
        await engine.pause(run)
    await engine.resume(run)
    with refused(names.NOT_PAUSED):
        await engine.resume(run)
    assert (await engine.is_(run, "waiting")).waiting_for is not None
    await engine.send("go")
    assert (await engine.end(run)).run.status == "completed"


async def test_a_paused_run_is_found_by_its_status(engine: Engine) -> None:
    run = await engine.start({"steps": [wait("wait", "order.paid")]})
    await engine.at(run, "wait")
    await engine.pause(run)

    async def status() -> str | None:
        return (await (await engine.handle(run)).describe()).typed_search_attributes.get(names.STATUS)

    async def paused() -> bool:
        return await status() == "paused"

    async def waiting() -> bool:
        return await status() == "waiting"

    await eventually(paused)
    await engine.resume(run)
    await eventually(waiting)
    await engine.send("order.paid")
    await engine.end(run)


async def test_cancelling_a_paused_run_undoes_and_walks_its_finally(engine: Engine, http_stub: HttpStub) -> None:
    undo = http("undo", f"{http_stub.url}/undo")
    run = await engine.start(
        {
            "steps": [http("a", f"{http_stub.url}/a", compensate=[undo]), wait("wait"), put("never")],
            "finally": tell(),
        }
    )
    await engine.at(run, "wait")
    await engine.pause(run)
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert done.statuses() == {
        "a": "completed",
        "wait": "cancelled",
        "a.compensate.undo": "completed",
        "last": "completed",
    }
    assert [request.path for request in http_stub.requests] == ["/a", "/undo"]


async def test_cancelling_a_run_that_stands_still_before_a_step_ends_it(engine: Engine, http_stub: HttpStub) -> None:
    run = await engine.start({"steps": [wait("wait"), http("next", f"{http_stub.url}/next")], "finally": tell()})
    await engine.at(run, "wait")
    await engine.pause(run)
    await engine.send("go")
    await engine.at(run, "wait", "completed")
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert done.steps["last"].output == {"value": "cancelled"}
    assert http_stub.requests == []


async def test_a_paused_run_still_times_out(engine: Engine, http_stub: HttpStub) -> None:
    run = await engine.start(
        {
            "settings": {"timeout": "1500ms"},
            "steps": [wait("wait", timeout="300ms"), http("next", f"{http_stub.url}/next")],
            "finally": tell(),
        }
    )
    await engine.at(run, "wait")
    await engine.pause(run)
    done = await engine.end(run)
    assert done.run.status == "timed_out"
    assert done.steps["last"].output == {"value": "timed_out"}
    assert http_stub.requests == []


async def test_a_group_with_a_limit_times_out_while_paused_and_its_policy_waits_for_the_resume(
    engine: Engine, http_stub: HttpStub
) -> None:
    limited = group(
        "group",
        wait("wait"),
        timeout="700ms",
        on_error="branch",
        error_steps=[http("repair", f"{http_stub.url}/repair")],
    )
    run = await engine.start({"steps": [limited]})
    await engine.at(run, "group.wait")
    await engine.pause(run)
    await engine.at(run, "group", "failed")
    assert http_stub.requests == []
    await engine.resume(run)
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert len(http_stub.asked("/repair")) == 1


async def test_a_repeat_stands_still_between_two_iterations(engine: Engine) -> None:
    run = await engine.start(
        {"steps": [repeat("poll", wait("wait", match={"n": "{{ loop.index }}"}), until="{{ loop.number == 2 }}")]}
    )
    await engine.at(run, "poll[0].wait")
    await engine.pause(run)
    await engine.send("go", {"n": 0})

    async def over() -> bool:
        return (await engine.timeline(run)).steps_completed >= 1

    await eventually(over)
    assert "poll[1].wait" not in [step.path for step in (await engine.timeline(run)).steps]
    await engine.resume(run)
    await engine.at(run, "poll[1].wait")
    await engine.send("go", {"n": 1})
    assert (await engine.end(run)).run.status == "completed"


@pytest.mark.parametrize("ending", ["completed", "failed"])
async def test_a_run_that_is_ending_cannot_be_paused(engine: Engine, ending: str) -> None:
    body = put("a") if ending == "completed" else {"id": "end", "type": "stop", "status": "failed"}
    run = await engine.start({"steps": [body], "finally": [wait("wait")]})
    await engine.at(run, "wait")
    with refused(names.RUN_ENDING):
        await engine.pause(run)
    await engine.send("go")
    assert (await engine.end(run)).run.status == ending


async def test_a_pause_during_a_retry_pause_holds_the_next_attempt_back(engine: Engine, http_stub: HttpStub) -> None:
    """The second attempt of an effect is part of what is under way; that of a group begins steps anew."""
    http_stub.answer("/", Answer(status=503), Answer(json="well"))
    retry = {"max_attempts": 2, "initial_interval": "400ms", "jitter": 0}
    run = await engine.start(
        {"steps": [group("group", http("fetch", f"{http_stub.url}/", retry={"max_attempts": 1}), retry=retry)]}
    )
    await eventually(lambda: http_stub.requests)
    await _row_shows_retry(engine, run)
    await engine.pause(run)

    async def second_attempt() -> bool:
        return (await engine.record(run, "group")).attempt == 2

    await eventually(second_attempt)
    assert len(http_stub.requests) == 1
    await engine.resume(run)
    assert (await engine.end(run)).run.status == "completed"
    assert len(http_stub.requests) == 2


async def _row_shows_retry(engine: Engine, run: Run) -> None:
    async def shown() -> bool:
        return (await engine.record(run, "group")).again_at is not None

    await eventually(shown)
