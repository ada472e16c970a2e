"""`parallel`: branches side by side, how many must end well, and what becomes of the others."""

from typing import Any

import pytest

from app.json import JsonObject
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually


def put(id: str, value: Any = 1, **more: Any) -> JsonObject:
    return {"id": id, "type": "transform", "mapping": {"value": value}, **more}


def wait(id: str, event: str, **more: Any) -> JsonObject:
    return {"id": id, "type": "wait_for_event", "event": event, **more}


BAD = {"id": "bad", "type": "transform", "mapping": {"x": "{{ trigger.nothing }}"}}
OUTPUT = "{{ steps.both.output }}"


def both(**branches: Any) -> JsonObject:
    """Branches by name; a name that is a setting of the step is that."""
    settings = {name: branches.pop(name) for name in ("wait_for", "on_branch_error", "on_error") if name in branches}
    listed = [{"name": name, "steps": steps} for name, steps in branches.items()]
    return {"id": "both", "type": "parallel", "branches": listed, **settings}


async def test_the_output_is_each_branchs_last_by_name(engine: Engine) -> None:
    done = await engine.steps(both(a=[put("a1"), put("a2", 2)], b=[put("b1", 3)]), output=OUTPUT)
    assert done.output == {"a": {"value": 2}, "b": {"value": 3}}


async def test_steps_of_the_branches_are_seen_afterwards(engine: Engine) -> None:
    done = await engine.steps(both(a=[put("a1", 5)], b=[put("b1", 6)]), output="{{ steps.a1.output.value }}")
    assert done.output == 5


async def test_branches_go_side_by_side(engine: Engine, http_stub: HttpStub) -> None:
    async def meet(_asked: object) -> Answer:
        await eventually(lambda: len(http_stub.requests) == 2, within=10)
        return Answer()

    http_stub.answer("/", meet)
    done = await engine.steps(both(a=[http("one", f"{http_stub.url}/")], b=[http("two", f"{http_stub.url}/")]))
    assert done.run.status == "completed"


async def test_any_takes_the_first_that_ends_well_and_cancels_the_others(engine: Engine) -> None:
    run = await engine.start(
        {"steps": [both(a=[wait("one", "one")], b=[wait("two", "two")], wait_for="any")], "output": OUTPUT}
    )
    await engine.at(run, "both.one")
    await engine.at(run, "both.two")
    await engine.send("two", {"n": 2})
    done = await engine.end(run)
    assert done.output == {"b": {"n": 2}}
    assert done.statuses() == {"both": "completed", "both.one": "cancelled", "both.two": "completed"}


async def test_any_overlooks_a_branch_that_fails(engine: Engine) -> None:
    run = await engine.start({"steps": [both(a=[BAD], b=[wait("two", "two")], wait_for="any")], "output": OUTPUT})
    await engine.at(run, "both.two")
    await engine.send("two", 2)
    assert (await engine.end(run)).output == {"b": 2}


async def test_any_fails_when_every_branch_does(engine: Engine) -> None:
    done = await engine.steps(both(a=[BAD], b=[{**BAD, "id": "worse"}], wait_for="any"))
    assert done.error["step_id"] == "bad"


async def test_a_number_waits_for_so_many(engine: Engine) -> None:
    branches = {name: [wait(name, name)] for name in ("a", "b", "c")}
    run = await engine.start({"steps": [both(**branches, wait_for=2)], "output": OUTPUT})
    for name in branches:
        await engine.at(run, f"both.{name}")
    await engine.send("c", 3)
    await engine.at(run, "both.c", "completed")
    await engine.send("a", 1)
    assert (await engine.end(run)).output == {"a": 1, "c": 3}


async def test_a_number_that_can_no_longer_be_reached_fails_at_once(engine: Engine) -> None:
    done = await engine.steps(both(a=[BAD], b=[{**BAD, "id": "worse"}], c=[wait("c", "c")], wait_for=2))
    assert done.error["step_id"] == "bad"
    assert done.statuses()["both.c"] == "cancelled"


async def test_a_failed_branch_cancels_the_others(engine: Engine) -> None:
    done = await engine.steps(both(a=[wait("one", "one")], b=[BAD]))
    assert done.error["path"] == "both.bad"
    assert done.statuses() == {"both": "failed", "both.one": "cancelled", "both.bad": "failed"}


async def test_told_to_wait_the_others_finish_before_it_fails(engine: Engine) -> None:
    run = await engine.start({"steps": [both(a=[BAD], b=[wait("two", "two"), put("after")], on_branch_error="wait")]})
    await engine.at(run, "both.two")
    await engine.send("two")
    done = await engine.end(run)
    assert done.error["path"] == "both.bad"
    assert done.statuses()["both.after"] == "completed"


async def test_a_stop_ends_all_branches_and_the_run(engine: Engine) -> None:
    stop = {"id": "enough", "type": "stop", "reason": "enough"}
    done = await engine.steps(both(a=[wait("one", "one")], b=[stop]))
    assert done.run.status == "completed"
    assert done.statuses() == {"both": "completed", "both.one": "cancelled", "both.enough": "completed"}


@pytest.mark.parametrize("how", [{"on_branch_error": "wait"}, {"wait_for": "any"}])
async def test_a_stop_counts_though_a_branch_before_it_has_failed(engine: Engine, how: JsonObject) -> None:
    stop = {"id": "enough", "type": "stop", "reason": "enough"}
    run = await engine.start({"steps": [both(a=[BAD], b=[wait("go", "go"), stop], c=[wait("never", "never")], **how)]})
    await engine.at(run, "both.go")
    await engine.at(run, "both.never")
    await engine.send("go")
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert done.statuses()["both.never"] == "cancelled"


async def test_the_row_says_waiting_once_only_waits_are_left(engine: Engine, http_stub: HttpStub) -> None:
    definition = {"steps": [both(a=[wait("one", "one")], b=[http("fetch", f"{http_stub.url}/")])]}
    run = await engine.start(definition)
    await engine.at(run, "both.fetch", "completed")

    async def said() -> bool:
        row = await engine.row(run)
        return row.status == "waiting" and row.waiting_for is not None and row.waiting_for["event"] == "one"

    await eventually(said)
    await engine.send("one")
    assert (await engine.end(run)).run.status == "completed"


async def test_the_row_says_running_while_an_effect_follows_a_wait(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(hang=True))
    steps = [wait("one", "one"), http("fetch", f"{http_stub.url}/")]
    run = await engine.start({"settings": {"dispatch": "scheduled"}, "steps": steps})
    await engine.at(run, "one")
    assert (await engine.row(run)).status == "waiting"
    await engine.send("one")
    await eventually(lambda: http_stub.requests)
    row = await engine.row(run)
    assert (row.status, row.waiting_for) == ("running", None)
    assert [wait.closed_at is not None for wait in await engine.waits(run)] == [True]
    await engine.cancel(run)
