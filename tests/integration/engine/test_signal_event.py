"""`signal_event`: an event for one run alone, answered with the waits it ended or with why it ended none."""

import asyncio

import pytest

from app.temporal import names
from tests.support.engine import Engine, http, refused
from tests.support.http_stub import HttpStub
from tests.support.steps import delay, group, loop, parallel, put, wait


async def test_it_ends_the_wait_that_it_matches(engine: Engine) -> None:
    waiting = wait("wait", "order.*", match={"n": "{{ trigger.n }}"}, timeout="1h")
    definition = {"steps": [waiting], "output": ["{{ steps.wait.output }}", "{{ steps.wait.event }}"]}
    run = await engine.start(definition, input={"n": 7})
    await engine.at(run, "wait")
    assert await engine.signal(run, "order.paid", {"n": 7, "total": 12}, id="e1") == ["wait"]
    done = await engine.end(run)
    assert done.output[0] == {"n": 7, "total": 12}
    assert {name: done.output[1][name] for name in ("id", "type", "source")} == {
        "id": "e1", "type": "order.paid", "source": "test",
    }  # fmt: skip
    [row] = await engine.waits(run)
    assert row.closed_at is not None


async def test_no_other_run_hears_of_it(engine: Engine) -> None:
    workflow = await engine.publish({"steps": [wait("wait")], "output": "{{ steps.wait.output }}"})
    one, other = await engine.start(workflow), await engine.start(workflow)
    await engine.at(one, "wait")
    await engine.at(other, "wait")
    assert await engine.signal(one, "go", 1) == ["wait"]
    assert (await engine.end(one)).output == 1
    assert (await engine.record(other, "wait")).status == "waiting"
    await engine.send("go", 2)
    assert (await engine.end(other)).output == 2


@pytest.mark.parametrize(("type", "data"), [("order.paid", {"n": 8}), ("order.lost", {"n": 7}), ("orders", {"n": 7})])
async def test_what_does_not_match_is_refused_and_says_what_the_run_waits_for(
    engine: Engine, type: str, data: dict[str, int]
) -> None:
    run = await engine.start({"steps": [wait("wait", "order.paid", match={"n": 7})]})
    await engine.at(run, "wait")
    with refused(names.EVENT_DOES_NOT_MATCH, saying="order.paid"):
        await engine.signal(run, type, data)
    assert (await engine.record(run, "wait")).status == "waiting"
    await engine.signal(run, "order.paid", {"n": 7})
    assert (await engine.end(run)).run.status == "completed"


async def test_a_run_that_waits_for_no_event_refuses(engine: Engine) -> None:
    run = await engine.start({"steps": [delay("pause", "1h")]})
    await engine.at(run, "pause")
    with refused(names.NOT_WAITING):
        await engine.signal(run, "go")
    await engine.cancel(run)
    await engine.end(run)


async def test_a_path_names_the_wait_that_is_meant(engine: Engine) -> None:
    waits = loop("each", 3, wait("wait"), concurrency=3, collect="{{ steps.wait.output }}")
    run = await engine.start({"steps": [waits], "output": "{{ steps.each.output.results }}"})
    for number in range(3):
        await engine.at(run, f"each[{number}].wait")
    assert await engine.signal(run, "go", "one", path="each[1].wait") == ["each[1].wait"]
    with refused(names.NOT_WAITING):
        await engine.signal(run, "go", "again", path="each[1].wait")
    with refused(names.NOT_WAITING):
        await engine.signal(run, "go", "nowhere", path="each[7].wait")
    with refused(names.EVENT_DOES_NOT_MATCH):
        await engine.signal(run, "stop", path="each[0].wait")
    assert sorted(await engine.signal(run, "go", "rest")) == ["each[0].wait", "each[2].wait"]
    assert (await engine.end(run)).output == ["rest", "one", "rest"]


async def test_the_same_event_by_dispatch_and_by_signal_counts_once(engine: Engine) -> None:
    waits = loop("each", 2, wait("wait"), collect="{{ steps.wait.output }}")
    run = await engine.start({"steps": [waits], "output": "{{ steps.each.output.results }}"})
    await engine.at(run, "each[0].wait")
    assert await engine.signal(run, "go", 1, id="e1") == ["each[0].wait"]
    await engine.at(run, "each[1].wait")
    await engine.send("go", 2)
    assert (await engine.end(run)).output == [1, 2]


async def test_many_signals_at_once_end_one_wait_each(engine: Engine) -> None:
    """All are answered; those that found the wait taken are refused, and none gets into the next wait's place."""
    run = await engine.start({"steps": [wait("wait"), wait("last", "end")], "output": "{{ steps.wait.output }}"})
    await engine.at(run, "wait")
    answers = await asyncio.gather(*(engine.signal(run, "go", n) for n in range(8)), return_exceptions=True)
    taken = [n for n, answer in enumerate(answers) if answer == ["wait"]]
    assert len(taken) >= 1
    await engine.at(run, "last")
    await engine.send("end")
    done = await engine.end(run)
    assert done.output in taken


async def test_a_paused_run_takes_it_and_stands_still(engine: Engine, http_stub: HttpStub) -> None:
    run = await engine.start({"steps": [wait("wait"), http("next", f"{http_stub.url}/")]})
    await engine.at(run, "wait")
    await engine.pause(run)
    assert await engine.signal(run, "go") == ["wait"]
    await engine.at(run, "wait", "completed")
    assert http_stub.requests == []
    await engine.resume(run)
    assert (await engine.end(run)).run.status == "completed"


async def test_values_of_the_match_are_those_of_when_the_wait_began(engine: Engine) -> None:
    change = {"id": "change", "type": "set_variable", "variables": {"n": 2}}
    branches = parallel("both", [wait("wait", match={"n": "{{ vars.n }}"})], [wait("then", "change"), change])
    run = await engine.start({"variables": {"n": 1}, "steps": [branches]})
    await engine.at(run, "both.wait")
    await engine.at(run, "both.then")
    assert await engine.signal(run, "change") == ["both.then"]
    await engine.at(run, "both.change", "completed")
    with refused(names.EVENT_DOES_NOT_MATCH):
        await engine.signal(run, "go", {"n": 2})
    assert await engine.signal(run, "go", {"n": 1}) == ["both.wait"]
    assert (await engine.end(run)).run.status == "completed"


async def test_a_wait_that_is_over_is_no_wait(engine: Engine) -> None:
    steps = [group("group", wait("wait", timeout="50ms")), put("between"), delay("pause", "1h")]
    run = await engine.start({"steps": steps})
    await engine.at(run, "pause")
    with refused(names.NOT_WAITING):
        await engine.signal(run, "go", path="group.wait")
    await engine.cancel(run)
    await engine.end(run)
