"""`loop`: items one by one or side by side, what is seen inside and outside, and what is kept."""

import asyncio
from typing import Any

import pytest

from app.json import JsonObject
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.waiting import eventually


def put(id: str, value: Any, **more: Any) -> JsonObject:
    return {"id": id, "type": "transform", "mapping": {"value": value}, **more}


def each(*steps: JsonObject, items: Any = "{{ trigger.items }}", **more: Any) -> JsonObject:
    return {"id": "each", "type": "loop", "items": items, "steps": list(steps), **more}


RESULTS = "{{ steps.each.output.results }}"


async def test_results_are_the_last_output_of_each_item(engine: Engine) -> None:
    loop = each(put("double", "{{ item * 2 }}"))
    done = await engine.steps(loop, input={"items": [1, 2, 3]}, output="{{ steps.each.output }}")
    assert done.output == {"results": [{"value": 2}, {"value": 4}, {"value": 6}], "count": 3}
    assert list(done.steps) == ["each", "each[0].double", "each[1].double", "each[2].double"]


async def test_loop_counts_from_zero_and_knows_its_ends(engine: Engine) -> None:
    done = await engine.steps(each(put("see", "{{ loop }}"), items=["a", "b"]), output=RESULTS)
    assert [result["value"] for result in done.output] == [
        {"index": 0, "number": 1, "first": True, "last": False, "length": 2},
        {"index": 1, "number": 2, "first": False, "last": True, "length": 2},
    ]


async def test_collect_says_what_is_kept_of_each_item(engine: Engine) -> None:
    loop = each(
        put("a", "{{ contact.name }}"),
        put("b", 1),
        items=[{"name": "Ada"}, {"name": "Bob"}],
        item_variable="contact",
        collect="{{ steps.a.output.value }}!",
    )
    assert (await engine.steps(loop, output=RESULTS)).output == ["Ada!", "Bob!"]


async def test_an_empty_list_gives_no_results(engine: Engine) -> None:
    done = await engine.steps(each(put("never", 1), items=[]), output="{{ steps.each.output }}")
    assert done.output == {"results": [], "count": 0}


async def test_steps_inside_are_this_items_own(engine: Engine) -> None:
    """A step that is skipped for the second item must not show the first item's output."""
    loop = each(
        put("odd", "{{ item }}", when="{{ item % 2 == 1 }}"),
        put("seen", "{{ steps.odd.output.value | default('none') }}"),
        items=[1, 2, 3],
        collect="{{ steps.seen.output.value }}",
    )
    assert (await engine.steps(loop, output=RESULTS)).output == [1, "none", 3]


async def test_steps_inside_are_not_seen_outside(engine: Engine) -> None:
    done = await engine.steps(
        each(put("inside", 1), items=[1]),
        output="{{ steps.inside.output.value | default('not seen') }}",
    )
    assert done.output == "not seen"


async def test_steps_outside_are_seen_inside(engine: Engine) -> None:
    done = await engine.steps(
        put("before", 5), each(put("sum", "{{ steps.before.output.value + item }}"), items=[1, 2]), output=RESULTS
    )
    assert done.output == [{"value": 6}, {"value": 7}]


async def test_loops_nest_with_both_items_in_reach(engine: Engine) -> None:
    inner = {
        "id": "inner",
        "type": "loop",
        "items": [1, 2],
        "item_variable": "column",
        "steps": [put("cell", "{{ row ~ column ~ loop.index }}")],
        "collect": "{{ steps.cell.output.value }}",
    }
    loop = each(inner, items=["a", "b"], item_variable="row", collect="{{ steps.inner.output.results }}")
    done = await engine.steps(loop, output=RESULTS)
    assert done.output == [["a10", "a21"], ["b10", "b21"]]
    assert "each[1].inner[0].cell" in done.steps


@pytest.mark.parametrize("items", ["text", 5, None, {"a": 1}])
async def test_what_is_no_list_is_an_error(engine: Engine, items: Any) -> None:
    done = await engine.steps(each(put("never", 1)), input={"items": items})
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith("items:")


async def test_more_items_than_allowed_are_an_error(engine: Engine) -> None:
    done = await engine.steps(each(put("never", 1), items=[1, 2, 3], max_iterations=2))
    assert done.error["type"] == "limit_exceeded"
    assert list(done.steps) == ["each"]


async def test_as_many_items_at_once_as_concurrency_says(engine: Engine, http_stub: HttpStub) -> None:
    busy = most = 0

    async def slow(_asked: Asked) -> Answer:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await eventually(lambda: most == 3, within=10)
        busy -= 1
        return Answer(json={"path": _asked.query["n"]})

    http_stub.answer("/", slow)
    loop = each(
        http("fetch", f"{http_stub.url}/", inputs={"query": {"n": "{{ item }}"}}),
        items=list(range(7)),
        concurrency=3,
        collect="{{ steps.fetch.output.body.path }}",
    )
    done = await engine.steps(loop, output=RESULTS)
    assert done.output == [str(n) for n in range(7)], "in the order of the items"
    assert most == 3


async def test_an_item_that_fails_fails_the_loop_and_names_the_item(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(), Answer(status=404))
    done = await engine.steps(each(http("fetch", f"{http_stub.url}/"), items=[1, 2, 3]))
    assert done.error["path"] == "each[1].fetch"
    assert done.error["step_id"] == "fetch"
    assert done.statuses() == {"each": "failed", "each[0].fetch": "completed", "each[1].fetch": "failed"}


async def test_an_item_whose_step_goes_on_lets_the_loop_finish(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(), Answer(status=404), Answer())
    loop = each(
        http("fetch", f"{http_stub.url}/", on_error="continue"), items=[1, 2, 3], collect="{{ steps.fetch.status }}"
    )
    assert (await engine.steps(loop, output=RESULTS)).output == ["completed", "failed", "completed"]


async def test_a_failed_item_ends_those_beside_it(engine: Engine, http_stub: HttpStub) -> None:
    async def answer(asked: Asked) -> Answer:
        if asked.query["n"] == "1":
            await eventually(lambda: len(http_stub.requests) == 2)
            return Answer(status=404)
        return Answer(hang=True)

    http_stub.answer("/", answer)
    fetch = http("fetch", f"{http_stub.url}/", inputs={"query": {"n": "{{ item }}"}})
    done = await engine.steps(each(fetch, items=[0, 1, 2], concurrency=2))
    assert done.error["path"] == "each[1].fetch"
    assert done.statuses() == {"each": "failed", "each[0].fetch": "cancelled", "each[1].fetch": "failed"}


async def test_a_thousand_pure_items_keep_the_journal_small(engine: Engine) -> None:
    wait = {"id": "hold", "type": "wait_for_event", "event": "go"}
    loop = each(put("double", "{{ item * 2 }}"), items="{{ range(1000) | list }}", collect="{{ item }}")
    run = await engine.start({"steps": [loop, wait], "output": "{{ steps.each.output.count }}"})
    await engine.at(run, "hold")
    timeline = await engine.timeline(run)
    assert [step.path for step in timeline.steps] == ["each", "hold"]
    assert timeline.steps_completed == 1001
    await engine.send("go")
    done = await engine.end(run)
    assert done.output == 1000
    assert len(done.steps) == 1002
    assert done.events < 100


async def test_items_that_wait_side_by_side_are_woken_each_by_their_own_event(engine: Engine) -> None:
    match = {"field": "data.n", "operator": "equals", "value": "{{ item }}"}
    wait = {"id": "answer", "type": "wait_for_event", "event": "answered", "match": match}
    loop = each(wait, items=[1, 2, 3], concurrency=3, collect="{{ steps.answer.output.text }}")
    run = await engine.start({"steps": [loop], "output": RESULTS})
    await asyncio.gather(*(engine.at(run, f"each[{index}].answer") for index in range(3)))
    for n in (3, 1, 2):
        await engine.send("answered", {"n": n, "text": f"answer {n}"})
    assert (await engine.end(run)).output == ["answer 1", "answer 2", "answer 3"]
