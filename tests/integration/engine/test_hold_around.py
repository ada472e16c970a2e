"""Held steps and what is around them: `on_failure`, items, branches, limits, pauses, cancelling, continuing as new."""

import pytest

from app.db.models import Run
from app.json import JsonObject
from app.temporal import names
from tests.support.engine import Engine, http, refused
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import BAD, ONCE, QUICK, delay, group, loop, parallel, put, wait
from tests.support.waiting import eventually
from workflows import history

HOLD: JsonObject = {"on_error": "hold"}
ON_FAILURE: JsonObject = {"on_failure": "hold"}
LAST = put("last", "{{ status }}")


async def held(engine: Engine, run: Run, path: str) -> Run:
    await engine.at(run, path, "held")
    return await engine.is_(run, "held")


async def test_on_failure_holds_at_the_innermost_step_that_failed(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404), Answer(json="well"))
    step = http("fetch", f"{http_stub.url}/")
    run = await engine.start(
        {
            "settings": ON_FAILURE,
            "steps": [loop("each", [1], group("group", step), collect="{{ steps.fetch.output.body }}"), put("after")],
            "output": "{{ steps.each.output.results[0] }}",
        }
    )
    row = await held(engine, run, "each[0].group.fetch")
    assert row.error is not None
    assert row.error["path"] == "each[0].group.fetch"
    await engine.decide(run, "each[0].group.fetch", "retry")
    done = await engine.end(run)
    assert done.output == "well"
    assert http_stub.effects(run.id) == {"each[0].group.fetch": 1, "each[0].group.fetch#2": 1}


async def test_on_failure_asks_nobody_for_a_failure_that_is_taken_care_of(engine: Engine) -> None:
    steps = [
        group("continues", BAD, on_error="continue"),
        group("branches", {**BAD, "id": "worse"}, on_error="branch", error_steps=[put("repair")]),
        parallel("any", [{**BAD, "id": "worst"}], [put("fine")], wait_for="any"),
    ]
    done = await engine.run({"settings": ON_FAILURE, "steps": steps[:2]})
    assert done.run.status == "completed"
    assert done.steps["continues.bad"].status == "failed"


async def test_a_decision_to_fail_is_asked_for_once(engine: Engine) -> None:
    """Not again by each step around the one that failed."""
    run = await engine.start(
        {"settings": ON_FAILURE, "steps": [group("outer", group("inner", BAD))], "finally": [LAST]}
    )
    await held(engine, run, "outer.inner.bad")
    await engine.decide(run, "outer.inner.bad", "fail")
    done = await engine.end(run)
    assert (done.run.status, done.error["path"]) == ("failed", "outer.inner.bad")
    assert done.steps["last"].output == {"value": "failed"}


async def test_on_failure_does_not_hold_what_comes_after_the_body(engine: Engine) -> None:
    undo = {**BAD, "id": "undo"}
    definition = {
        "settings": ON_FAILURE,
        "steps": [put("a", compensate=[undo]), {"id": "end", "type": "stop", "status": "failed", "reason": "enough"}],
        "finally": [{**BAD, "id": "tell"}],
    }
    done = await engine.run(definition)
    assert done.run.status == "failed"
    assert done.statuses() == {"a": "completed", "end": "completed", "a.compensate.undo": "failed", "tell": "failed"}


async def test_a_step_around_that_holds_is_asked_and_not_the_one_inside(engine: Engine) -> None:
    run = await engine.start({"settings": ON_FAILURE, "steps": [group("group", BAD, **HOLD)]})
    await held(engine, run, "group")
    assert (await engine.record(run, "group.bad")).status == "failed"
    await engine.decide(run, "group", "skip")
    assert (await engine.end(run)).run.status == "completed"


async def test_attempts_around_come_before_the_operator(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503), Answer(json="well"))
    steps = [group("group", http("fetch", f"{http_stub.url}/", retry=ONCE), retry=QUICK)]
    done = await engine.run({"settings": ON_FAILURE, "steps": steps})
    assert done.run.status == "completed"
    assert len(http_stub.requests) == 2


async def test_the_other_items_go_on_while_one_is_held(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/1", Answer(status=404), Answer(json="well"))
    http_stub.answer("/3", Answer(status=404))
    each = loop(
        "each",
        6,
        http("fetch", f"{http_stub.url}/{{{{ item }}}}", **HOLD),
        concurrency=3,
        collect="{{ [item, steps.fetch.status, steps.fetch.output.told | default('-')] }}",
    )
    run = await engine.start({"steps": [each], "output": "{{ steps.each.output.results }}"})
    await engine.at(run, "each[1].fetch", "held")
    await engine.at(run, "each[3].fetch", "held")
    await eventually(lambda: len(http_stub.requests) == 6, what="the others went on")
    row = await engine.is_(run, "held")
    assert row.error is not None
    await engine.decide(run, "each[3].fetch", "skip", output={"told": "skipped by hand"})
    assert (await engine.is_(run, "held")).error is not None, "one is still held"
    await engine.decide(run, "each[1].fetch", "retry")
    done = await engine.end(run)
    assert done.output == [
        [0, "completed", "-"],
        [1, "completed", "-"],
        [2, "completed", "-"],
        [3, "skipped", "skipped by hand"],
        [4, "completed", "-"],
        [5, "completed", "-"],
    ]
    assert http_stub.effects(run.id)["each[1].fetch#2"] == 1
    assert set(http_stub.effects(run.id).values()) == {1}


async def test_the_other_branch_goes_on_and_the_run_is_held_all_the_same(engine: Engine) -> None:
    run = await engine.start(
        {
            "steps": [parallel("both", [BAD | HOLD], [wait("wait"), put("after"), wait("other", "more")])],
            "output": "{{ steps.both.output }}",
        }
    )
    await engine.at(run, "both.wait")
    await held(engine, run, "both.bad")
    await engine.send("go")
    await engine.at(run, "both.other")
    assert (await engine.row(run)).status == "held"
    await engine.decide(run, "both.bad", "skip", output={"n": 1})
    await engine.is_(run, "waiting")
    await engine.send("more", {"m": 2})
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert done.output["b1"] == {"m": 2}


async def test_enough_branches_end_a_parallel_with_a_held_one(engine: Engine) -> None:
    run = await engine.start({"steps": [parallel("any", [BAD | HOLD], [wait("wait")], wait_for="any"), wait("more")]})
    await engine.at(run, "any.wait")
    await held(engine, run, "any.bad")
    await engine.send("go")
    row = await engine.is_(run, "waiting")
    assert row.error is None
    assert (await engine.record(run, "any.bad")).status == "cancelled"
    with refused(names.NOT_HELD):
        await engine.decide(run, "any.bad", "skip")
    await engine.at(run, "more")
    await engine.send("go")
    assert (await engine.end(run)).run.status == "completed"


async def test_a_held_run_that_is_cancelled_undoes_and_walks_its_finally(engine: Engine, http_stub: HttpStub) -> None:
    undo = http("undo", f"{http_stub.url}/undo")
    run = await engine.start(
        {"steps": [http("a", f"{http_stub.url}/a", compensate=[undo]), BAD | HOLD], "finally": [LAST]}
    )
    await held(engine, run, "bad")
    await engine.cancel(run)
    done = await engine.end(run)
    assert (done.run.status, done.error["type"]) == ("cancelled", "cancelled")
    assert done.statuses() == {
        "a": "completed",
        "bad": "cancelled",
        "a.compensate.undo": "completed",
        "last": "completed",
    }


async def test_a_held_run_still_times_out(engine: Engine) -> None:
    run = await engine.start({"settings": {"timeout": "1500ms"}, "steps": [BAD | HOLD], "finally": [LAST]})
    await held(engine, run, "bad")
    done = await engine.end(run)
    assert (done.run.status, done.error["type"]) == ("timed_out", "run_timed_out")
    assert done.steps["last"].output == {"value": "timed_out"}
    with refused_by_end():
        await engine.decide(run, "bad", "skip")


async def test_a_group_with_a_limit_does_not_wait_for_the_operator_longer(engine: Engine) -> None:
    run = await engine.start({"steps": [group("group", BAD | HOLD, timeout="1500ms", on_error="continue"), put("a")]})
    await held(engine, run, "group.bad")
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert done.statuses() == {"group": "failed", "group.bad": "cancelled", "a": "completed"}
    assert done.steps["group"].error is not None
    assert done.steps["group"].error["type"] == "timeout"


async def test_the_time_a_step_is_held_is_not_part_of_its_limit(engine: Engine, http_stub: HttpStub) -> None:
    """A limit is one attempt's: an operator takes days."""
    http_stub.answer("/fails", Answer(status=404), Answer(json="well"))
    run = await engine.start(
        {
            "steps": [
                group("group", http("fetch", f"{http_stub.url}/fails"), timeout="2s", **HOLD),
                put("after", "{{ steps.fetch.output.body }}"),
            ],
            "output": "{{ steps.after.output.value }}",
        }
    )
    row = await held(engine, run, "group")
    assert row.waiting_for is not None
    assert row.waiting_for["until"] is None
    await engine.at(run, "group", "held")
    record = await engine.record(run, "group")
    await engine.decide(run, "group", "retry")
    done = await engine.end(run)
    assert done.output == "well"
    assert record.deadline is None or done.steps["group"].generation == 2


async def test_a_decision_while_paused_is_carried_out_after_the_resume(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404), Answer(json="well"))
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/", **HOLD), put("after")]})
    await held(engine, run, "fetch")
    await engine.pause(run)
    await engine.is_(run, "paused")
    await engine.decide(run, "fetch", "retry")
    with refused(names.NOT_HELD):
        await engine.decide(run, "fetch", "skip")
    assert (await engine.timeline(run)).status == "paused"
    assert len(http_stub.requests) == 1
    await engine.resume(run)
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert http_stub.effects(run.id) == {"fetch": 1, "fetch#2": 1}


@pytest.mark.parametrize("decision", ["retry", "skip", "fail"])
async def test_a_held_step_stays_held_however_often_the_run_continues(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    http_stub.answer("/fails", Answer(status=404), Answer(json={"n": 1}))
    fails = http("fails", f"{http_stub.url}/fails", **HOLD)
    many = loop("each", 40, http("fetch", f"{http_stub.url}/{{{{ item }}}}"), delay("pause", "1ms"))
    run = await engine.start(
        {
            "steps": [parallel("both", [fails, put("seen", "{{ steps.fails.output }}")], [many])],
            "output": ["{{ steps.seen.output.value }}", "{{ steps.each.output.count }}"],
        }
    )
    await engine.at(run, "both.each", "completed")
    assert len(await engine.executions(run)) > 2
    row = await held(engine, run, "both.fails")
    assert row.error is not None
    assert row.error["type"] == "provider_rejected"
    assert len(http_stub.asked("/fails")) == 1
    told = {"output": {"n": 2}} if decision == "skip" else {}
    await engine.decide(run, "both.fails", decision, **told)
    done = await engine.end(run)
    if decision == "fail":
        assert done.error["path"] == "both.fails"
    elif decision == "skip":
        assert done.output == [{"n": 2}, 40]
    else:
        assert done.output[0]["body"] == {"n": 1}
        assert http_stub.effects(run.id)["both.fails#2"] == 1
    assert set(http_stub.effects(run.id).values()) == {1}
    await replay(await engine.platform.temporal.client(), done.executions)


async def test_replaced_inputs_outlive_the_execution_they_came_to(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retry pauses between two attempts while the other branch makes the run continue as new."""
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    http_stub.answer("/wrong", Answer(status=404))
    http_stub.answer("/right", Answer(status=503), Answer(json="well"))
    retry = {"max_attempts": 2, "initial_interval": "1500ms", "jitter": 0}
    fails = http("fails", f"{http_stub.url}/wrong", retry=retry, **HOLD)
    many = [wait("begin"), loop("each", 40, delay("pause", "10ms"), http("fetch", f"{http_stub.url}/ok"))]
    run = await engine.start({"steps": [parallel("both", [fails], many)], "output": "{{ steps.fails.output.body }}"})
    await engine.at(run, "both.begin")
    await held(engine, run, "both.fails")
    await engine.decide(run, "both.fails", "retry", inputs={"url": f"{http_stub.url}/right"})
    await eventually(lambda: http_stub.asked("/right"))
    await engine.send("go")
    done = await engine.end(run)
    assert done.output == "well"
    assert len(done.executions) > 2
    assert [request.headers["Idempotency-Key"] for request in http_stub.asked("/right")] == [
        f"{run.id}/both.fails#2"
    ] * 2
    assert done.steps["both.fails"].inputs == {"url": f"{http_stub.url}/right"}
    assert len(http_stub.asked("/wrong")) == 1


def refused_by_end() -> "pytest.RaisesExc[Exception]":
    """Temporal itself refuses an update of a workflow that has ended."""
    return pytest.raises(Exception, match=r"(?i)complete|not found|closed")
