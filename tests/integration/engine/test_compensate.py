"""`compensate`: what was done is undone, latest first, when a run ends other than completed; `finally` comes after."""

from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from app.json import JsonObject
from app.services import records
from tests.support.engine import Engine, Finished, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import BAD, ONCE, QUICK, SCHEDULED, delay, group, let, loop, parallel, put, repeat, stop, wait
from tests.support.waiting import eventually
from workflows import history


def act(id: str, path: str | None = None, *, undo: str | None = None, **more: Any) -> JsonObject:
    """An effect that is undone by another one."""
    undoing = [http(f"undo_{id}", "{{ trigger.url }}" + (undo or f"/undo/{id}"))]
    return http(id, "{{ trigger.url }}" + (path or f"/{id}"), compensate=undoing, **more)


TELL = http("tell", "{{ trigger.url }}/tell/{{ status }}")


def undone(stub: HttpStub) -> list[str]:
    """What was asked for to undo something, in order."""
    return [request.path.removeprefix("/undo/") for request in stub.requests if request.path.startswith("/undo/")]


async def ends(engine: Engine, stub: HttpStub, *steps: JsonObject, **head: Any) -> Finished:
    return await engine.run({"steps": list(steps), "finally": [TELL], **head}, input={"url": stub.url})


async def test_what_was_done_last_is_undone_first_and_finally_comes_after(engine: Engine, http_stub: HttpStub) -> None:
    done = await ends(engine, http_stub, act("a"), act("b"), put("c"), BAD)
    assert done.run.status == "failed"
    assert done.error["path"] == "bad"
    assert [request.path for request in http_stub.requests] == ["/a", "/b", "/undo/b", "/undo/a", "/tell/failed"]
    assert list(done.statuses()) == ["a", "b", "c", "bad", "b.compensate.undo_b", "a.compensate.undo_a", "tell"]
    keys = [request.headers["Idempotency-Key"] for request in http_stub.requests]
    assert keys[2] == f"{done.run.id}/b.compensate.undo_b"


async def test_a_run_that_completed_undoes_nothing(engine: Engine, http_stub: HttpStub) -> None:
    done = await ends(engine, http_stub, act("a"), {**BAD, "on_error": "continue"}, act("b"))
    assert done.run.status == "completed"
    assert undone(http_stub) == []


@pytest.mark.parametrize(("status", "expected"), [("failed", ["a"]), ("cancelled", ["a"]), ("completed", [])])
async def test_a_stop_undoes_what_it_ends_badly(
    engine: Engine, http_stub: HttpStub, status: str, expected: list[str]
) -> None:
    done = await ends(engine, http_stub, act("a"), stop("end", status))
    assert done.run.status == status
    assert undone(http_stub) == expected
    assert http_stub.requests[-1].path == f"/tell/{status}"


async def test_an_output_that_cannot_be_had_undoes_too(engine: Engine, http_stub: HttpStub) -> None:
    done = await ends(engine, http_stub, act("a"), output="{{ trigger.nothing }}")
    assert done.run.status == "failed"
    assert undone(http_stub) == ["a"]


async def test_a_cancelled_run_is_undone(engine: Engine, http_stub: HttpStub) -> None:
    definition = {"steps": [act("a"), parallel("both", [act("b"), wait("wait")], [wait("more")])], "finally": [TELL]}
    run = await engine.start(definition, input={"url": http_stub.url})
    await engine.at(run, "both.wait")
    await engine.at(run, "both.more")
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.temporal_status is WorkflowExecutionStatus.CANCELED
    assert undone(http_stub) == ["b", "a"]
    assert http_stub.requests[-1].path == "/tell/cancelled"


async def test_a_run_that_took_too_long_is_undone_without_a_limit(engine: Engine, http_stub: HttpStub) -> None:
    undo = [delay("pause", "700ms"), http("undo", "{{ trigger.url }}/undo/a")]
    done = await ends(engine, http_stub, {**act("a"), "compensate": undo}, wait("never"), settings={"timeout": "500ms"})
    assert done.run.status == "timed_out"
    assert undone(http_stub) == ["a"]
    assert http_stub.requests[-1].path == "/tell/timed_out"


async def test_only_completed_steps_are_undone(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/failed", Answer(status=404))
    http_stub.answer("/fatal", Answer(status=404))
    done = await ends(
        engine,
        http_stub,
        act("skipped", when="{{ false }}"),
        act("disabled", enabled=False),
        act("failed", on_error="continue"),
        act("done"),
        act("fatal"),
    )
    assert done.run.status == "failed"
    assert undone(http_stub) == ["done"]


async def test_undoing_sees_steps_the_error_and_the_variables(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/order", Answer(json={"id": 17}))
    see = {
        "order": "{{ steps.order.output.body.id }}",
        "later": "{{ steps.later.output.value | default(none) }}",
        "why": "{{ error.type }}",
        "where": "{{ error.path }}",
        "status": "{{ status }}",
        "var": "{{ vars.n }}",
    }
    order = http("order", "{{ trigger.url }}/order", compensate=[put("seen", see)])
    done = await ends(engine, http_stub, order, let("set", n=5), put("later", 3), BAD, variables={"n": 1})
    assert done.steps["order.compensate.seen"].output["value"] == {
        "order": 17,
        "later": 3,
        "why": "expression",
        "where": "bad",
        "status": "failed",
        "var": 5,
    }


async def test_items_of_a_loop_are_undone_each_with_its_own_names(engine: Engine, http_stub: HttpStub) -> None:
    undo = "/undo/{{ item.name }}/{{ loop.number }}/{{ steps.inside.output.value }}/{{ steps.outside.output.value }}"
    each = loop(
        "each", [{"name": "x"}, {"name": "y"}, {"name": "z"}],
        put("inside", "{{ item.name ~ item.name }}"), act("book", "/book/{{ item.name }}", undo=undo),
    )  # fmt: skip
    done = await ends(engine, http_stub, put("outside", "o"), each, BAD)
    assert undone(http_stub) == ["z/3/zz/o", "y/2/yy/o", "x/1/xx/o"]
    assert [path for path in done.steps if "compensate" in path] == [
        "each[2].book.compensate.undo_book",
        "each[1].book.compensate.undo_book",
        "each[0].book.compensate.undo_book",
    ]


async def test_an_item_under_way_is_undone_like_one_that_is_finished(engine: Engine, http_stub: HttpStub) -> None:
    fails = put("fails", "{{ item / (1 - item) }}")
    each = loop("each", 3, act("book", "/book/{{ item }}", undo="/undo/{{ item }}"), fails)
    done = await ends(engine, http_stub, each)
    assert done.error["path"] == "each[1].fails"
    assert undone(http_stub) == ["1", "0"]


async def test_containers_are_undone_in_the_order_of_their_completion(engine: Engine, http_stub: HttpStub) -> None:
    undo_group = [http("undo_group", "{{ trigger.url }}/undo/group")]
    undo_failed = [http("undo_failed", "{{ trigger.url }}/undo/failed")]
    done = await ends(
        engine,
        http_stub,
        group("group", act("a"), act("b"), compensate=undo_group),
        group("failed", act("c"), BAD, compensate=undo_failed),
    )
    assert done.run.status == "failed"
    assert undone(http_stub) == ["c", "group", "b", "a"]


async def test_branches_are_undone_by_the_time_they_completed(engine: Engine, http_stub: HttpStub) -> None:
    branches = parallel("both", [wait("wait"), act("late")], [act("early")])
    run = await engine.start({"steps": [branches, BAD]}, input={"url": http_stub.url})
    await engine.at(run, "both.early", "completed")
    await engine.at(run, "both.wait")
    await engine.send("go")
    await engine.end(run)
    assert undone(http_stub) == ["late", "early"]


async def test_what_a_cancelled_branch_did_is_undone_when_the_run_fails(engine: Engine, http_stub: HttpStub) -> None:
    branches = parallel("any", [act("a"), wait("never")], [act("b"), wait("go")], wait_for="any")
    run = await engine.start({"steps": [branches, BAD]}, input={"url": http_stub.url})
    await engine.at(run, "any.never")
    await engine.at(run, "any.go")
    await engine.send("go")
    await engine.end(run)
    assert sorted(undone(http_stub)) == ["a", "b"]


async def test_iterations_of_a_repeat_are_undone(engine: Engine, http_stub: HttpStub) -> None:
    poll = repeat(
        "poll", act("check", "/check/{{ loop.index }}", undo="/undo/{{ loop.index }}"), until="{{ loop.number == 3 }}"
    )
    done = await ends(engine, http_stub, poll, BAD)
    assert undone(http_stub) == ["2", "1", "0"]
    assert "poll[1].check.compensate.undo_check" in done.steps


async def test_a_step_tried_again_by_what_is_around_it_is_undone_once(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/fails", Answer(status=503))
    inner = http("fails", "{{ trigger.url }}/fails", retry=ONCE)
    await ends(engine, http_stub, group("group", act("a"), inner, retry=QUICK))
    assert len(http_stub.asked("/fails")) == 3
    assert undone(http_stub) == ["a"]


async def test_undoing_may_take_steps_of_any_kind(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/undo/2", Answer(status=503), Answer())
    undo = [
        put("list", [1, 2, 3]),
        loop("each", "{{ steps.list.output.value }}", http("undo", "{{ trigger.url }}/undo/{{ item }}"), concurrency=1),
        group("only_then", delay("pause", "1ms"), put("undone", "{{ steps.each.output.count }}")),
    ]
    done = await ends(engine, http_stub, {**act("a"), "compensate": undo}, BAD)
    assert undone(http_stub) == ["1", "2", "2", "3"]
    assert done.steps["a.compensate.only_then.undone"].output == {"value": 3}
    assert "a.compensate.each[0].undo" in done.steps


async def test_what_cannot_be_undone_is_said_and_the_rest_is_undone(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/undo/b", Answer(status=404))
    done = await ends(engine, http_stub, act("a"), act("b"), act("c"), BAD)
    assert undone(http_stub) == ["c", "b", "a"]
    assert done.run.status == "failed"
    assert (done.error["type"], done.error["path"]) == ("expression", "bad")
    assert "nothing" in done.error["message"], "the first cause still stands"
    assert "could not be compensated: b (" in done.error["message"]
    assert "404" in done.error["message"]
    assert "a could not" not in done.error["message"]
    assert done.steps["b.compensate.undo_b"].status == "failed"
    assert http_stub.requests[-1].path == "/tell/failed"


async def test_a_cancelled_run_says_what_could_not_be_undone(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/undo/a", Answer(status=404))
    run = await engine.start({"steps": [act("a"), wait("wait")]}, input={"url": http_stub.url})
    await engine.at(run, "wait")
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert "could not be compensated: a (" in done.error["message"]


async def test_an_effect_that_ends_well_while_it_is_cancelled_is_undone(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancellation comes between the provider's answer and the commit of the outcome."""
    commit = records.commit_outcome
    cancelled: list[str] = []

    async def cancel_first(platform: Any, call: Any, outcome: Any) -> None:
        if call.step_id == "a" and not cancelled:
            cancelled.append(call.path)
            await (await engine.handle(run)).cancel()
        await commit(platform, call, outcome)

    monkeypatch.setattr(records, "commit_outcome", cancel_first)
    definition = {"settings": SCHEDULED, "steps": [wait("begin"), act("a"), wait("never")], "finally": [TELL]}
    run = await engine.start(definition, input={"url": http_stub.url})
    await engine.at(run, "begin")
    await engine.send("go")
    done = await engine.end(run)
    assert cancelled == ["a"]
    assert done.run.status == "cancelled"
    assert undone(http_stub) == ["a"]
    assert done.steps["a"].status == "completed"


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
async def test_undoing_continues_as_new_and_undoes_each_once(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 16)
    each = loop("each", 25, act("book", "/book/{{ item }}", undo="/undo/{{ item }}"), collect="{{ item }}")
    last: JsonObject = BAD if ending == "failed" else wait("wait")
    run = await engine.start({"steps": [each, last], "finally": [TELL]}, input={"url": http_stub.url})
    if ending == "cancelled":
        await engine.at(run, "wait")
        await (await engine.handle(run)).cancel()
    done = await engine.end(run)
    assert done.run.status == ending
    assert undone(http_stub) == [str(number) for number in reversed(range(25))]
    assert set(http_stub.effects(run.id).values()) == {1}
    assert http_stub.requests[-1].path == f"/tell/{ending}"
    assert len(done.executions) > 3
    assert done.error["type"] == ("expression" if ending == "failed" else "cancelled")
    last_status = {"failed": WorkflowExecutionStatus.FAILED, "cancelled": WorkflowExecutionStatus.CANCELED}
    assert done.temporal_status in (last_status[ending], WorkflowExecutionStatus.COMPLETED)
    await replay(await engine.platform.temporal.client(), done.executions)


async def test_a_run_says_that_it_is_under_way_while_it_undoes(engine: Engine, http_stub: HttpStub) -> None:
    undo = [wait("ready"), http("undo", "{{ trigger.url }}/undo/a")]
    run = await engine.start({"steps": [{**act("a"), "compensate": undo}, BAD]}, input={"url": http_stub.url})
    await engine.at(run, "a.compensate.ready")
    assert (await engine.is_(run, "waiting")).finished_at is None
    await engine.send("go")
    assert (await engine.end(run)).run.status == "failed"
    await eventually(lambda: undone(http_stub) == ["a"])


async def test_in_loops_inside_loops_the_steps_of_the_outer_item_are_seen(engine: Engine, http_stub: HttpStub) -> None:
    undo = http("undo", "{{ trigger.url }}/undo/{{ steps.outer.output.value }}-{{ item }}")
    inner = loop("inner", [1, 2], http("act", "{{ trigger.url }}/act", compensate=[undo]))
    outer = loop("each", ["a", "b"], put("outer", "{{ name }}"), inner, item_variable="name")
    await ends(engine, http_stub, outer, BAD)
    assert undone(http_stub) == ["b-2", "b-1", "a-2", "a-1"]


async def test_very_many_that_cannot_be_undone_are_counted_and_the_first_are_named(
    engine: Engine, http_stub: HttpStub
) -> None:
    bad = {"id": "undo", "type": "transform", "mapping": {"x": "{{ trigger.nothing }}"}}
    done = await ends(engine, http_stub, loop("each", "{{ range(400) | list }}", put("a", compensate=[bad])), BAD)
    assert done.error["message"].count("each[") == 10
    assert done.error["message"].endswith("and 390 more")
    assert len(done.error["message"]) < 4_000
