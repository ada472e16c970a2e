"""`repeat`: again and again, until something holds or while it does; how far it goes and what is kept of it."""

from datetime import timedelta

import pytest

from app.definition.steps import Step
from app.json import JsonObject
from tests.support.engine import Engine, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import BAD, ONCE, QUICK, delay, group, let, loop, parallel, put, repeat, stop, wait
from tests.support.waiting import eventually
from workflows import history
from workflows.scope import Scope

DONE = "{{ steps.poll.output }}"


async def test_until_is_checked_after_an_iteration_and_sees_its_steps(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(json={"state": "new"}), Answer(json={"state": "new"}), Answer(json={"state": "done"}))
    done = await engine.steps(
        repeat(
            "poll",
            http("check", f"{http_stub.url}/"),
            put("state", "{{ steps.check.output.body.state }}"),
            until="{{ steps.check.output.body.state == 'done' }}",
        ),
        output=DONE,
    )
    assert done.output == {"iterations": 3, "done": True, "output": {"value": "done"}}
    assert list(done.steps) == ["poll", *(f"poll[{n}].{step}" for n in range(3) for step in ("check", "state"))]
    assert http_stub.effects(done.run.id) == {"poll[0].check": 1, "poll[1].check": 1, "poll[2].check": 1}


async def test_until_holds_after_the_first_iteration_at_the_earliest(engine: Engine) -> None:
    done = await engine.steps(repeat("poll", put("inside"), until="{{ true }}"), output=DONE)
    assert done.output == {"iterations": 1, "done": True, "output": {"value": 1}}


async def test_while_is_checked_before_an_iteration(engine: Engine) -> None:
    poll = repeat(
        "poll", let("up", n="{{ vars.n + 1 }}"), put("inside", "{{ vars.n }}"), **{"while": "{{ vars.n < 3 }}"}
    )
    done = await engine.steps(poll, variables={"n": 0}, output=DONE)
    assert done.output == {"iterations": 3, "done": True, "output": {"value": 3}}


async def test_while_that_never_holds_walks_nothing(engine: Engine) -> None:
    done = await engine.steps(repeat("poll", put("inside"), **{"while": "{{ false }}"}), output=DONE)
    assert done.output == {"iterations": 0, "done": True, "output": None}
    assert list(done.steps) == ["poll"]


async def test_an_iteration_knows_its_number(engine: Engine) -> None:
    seen = put("seen", ["{{ loop.index }}", "{{ loop.number }}", "{{ loop.first }}"])
    done = await engine.steps(repeat("poll", seen, until="{{ loop.number == 3 }}"))
    assert [done.steps[f"poll[{n}].seen"].output["value"] for n in range(3)] == [
        [0, 1, True], [1, 2, False], [2, 3, False],
    ]  # fmt: skip


async def test_too_many_iterations_fail(engine: Engine) -> None:
    done = await engine.steps(repeat("poll", put("inside"), until="{{ false }}", max_iterations=4))
    assert (done.error["type"], done.error["path"]) == ("limit_exceeded", "poll")
    assert "4" in done.error["message"]
    assert "max_iterations" in done.error["message"]
    assert "poll[3].inside" in done.steps
    assert "poll[4].inside" not in done.steps


@pytest.mark.parametrize("how", [{"until": "{{ false }}"}, {"while": "{{ true }}"}])
async def test_too_many_iterations_may_be_enough(engine: Engine, how: JsonObject) -> None:
    poll = repeat("poll", put("inside", "{{ loop.number }}"), max_iterations=4, on_exhausted="continue", **how)
    done = await engine.steps(poll, put("after"), output=DONE)
    assert done.output == {"iterations": 4, "done": False, "output": {"value": 4}}
    assert done.steps["after"].status == "completed"


async def test_as_many_as_allowed_are_not_too_many(engine: Engine) -> None:
    done = await engine.steps(repeat("poll", put("a"), until="{{ loop.number == 4 }}", max_iterations=4), output=DONE)
    assert done.output["done"] is True
    counted = repeat("poll", let("up", n="{{ vars.n + 1 }}"), max_iterations=4, **{"while": "{{ vars.n < 4 }}"})
    done = await engine.steps(counted, variables={"n": 0}, output=DONE)
    assert (done.output["iterations"], done.output["done"]) == (4, True)


async def test_the_interval_lies_between_iterations_and_not_around_them(engine: Engine) -> None:
    poll = repeat("poll", put("inside", "{{ now }}"), until="{{ loop.number == 3 }}", interval="400ms")
    done = await engine.steps(poll, output=DONE)
    row = done.steps["poll"]
    assert row.started_at is not None
    assert row.finished_at is not None
    assert timedelta(seconds=0.8) <= row.finished_at - row.started_at < timedelta(seconds=3)
    assert done.history["TIMER_STARTED"] == 2


async def test_an_interval_may_grow(engine: Engine) -> None:
    poll = repeat("poll", put("a"), until="{{ loop.number == 3 }}", interval="{{ loop.number * 50 }}ms")
    done = await engine.steps(poll, output=DONE)
    assert done.output["iterations"] == 3


async def test_a_long_interval_shows_what_the_run_waits_for(engine: Engine) -> None:
    run = await engine.start({"steps": [repeat("poll", put("a"), until="{{ false }}", interval="1h")]})
    row = await engine.is_(run, "waiting")
    assert row.waiting_for is not None
    assert row.waiting_for["kind"] == "delay"
    assert row.waiting_for["until"] is not None
    assert row.current_step == "poll"
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.statuses() == {"poll": "cancelled", "poll[0].a": "completed"}


@pytest.mark.parametrize("field", ["until", "while", "interval"])
async def test_what_cannot_be_evaluated_fails_and_names_the_field(engine: Engine, field: str) -> None:
    poll = repeat("poll", put("a"), **{"until": "{{ false }}", field: "{{ trigger.nothing }}"})
    if field == "while":
        del poll["until"]
    done = await engine.steps(poll)
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith(f"{field}:")
    assert done.error["path"] == "poll"


async def test_a_failed_iteration_fails_the_repeat(engine: Engine) -> None:
    done = await engine.steps(repeat("poll", put("a"), BAD, until="{{ true }}"))
    assert done.error["path"] == "poll[0].bad"
    assert done.statuses() == {"poll": "failed", "poll[0].a": "completed", "poll[0].bad": "failed"}


async def test_a_repeat_tried_again_goes_on_with_the_iteration_that_failed(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/2", Answer(status=503), Answer(json="well"))
    check = http("check", f"{http_stub.url}/{{{{ loop.index }}}}", retry=ONCE)
    done = await engine.steps(
        repeat("poll", put("first"), check, until="{{ loop.number == 4 }}", retry=QUICK), output=DONE
    )
    assert done.output["iterations"] == 4
    assert http_stub.effects(done.run.id) == {
        "poll[0].check": 1, "poll[1].check": 1, "poll[2].check": 1, "poll[2].check#2": 1, "poll[3].check": 1,
    }  # fmt: skip


async def test_a_stop_ends_the_run_from_an_iteration(engine: Engine) -> None:
    done = await engine.steps(
        repeat(
            "poll", put("a"), group("end", stop("enough", output=7), when="{{ loop.number == 3 }}"), until="{{ false }}"
        )
    )
    assert (done.run.status, done.run.output) == ("completed", 7)
    assert "poll[3].a" not in done.steps


async def test_each_iteration_has_its_own_steps_and_sees_those_outside(engine: Engine) -> None:
    inside = put("inside", ["{{ steps.before.output.value }}", "{{ steps.inside.output.value | default('none') }}"])
    done = await engine.steps(put("before", 5), repeat("poll", inside, until="{{ loop.number == 2 }}"), output=DONE)
    assert done.output["output"] == {"value": [5, "none"]}


async def test_repeats_in_loops_and_in_repeats(engine: Engine, http_stub: HttpStub) -> None:
    inner = repeat("inner", http("check", f"{http_stub.url}/"), until="{{ loop.number == 2 }}")
    outer = repeat("outer", inner, until="{{ loop.number == 2 }}")
    done = await engine.steps(
        loop("each", 2, outer, concurrency=2, collect="{{ steps.outer.output.output.iterations }}"),
        output="{{ steps.each.output.results }}",
    )
    assert done.output == [2, 2]
    assert http_stub.effects(done.run.id) == {
        f"each[{i}].outer[{j}].inner[{k}].check": 1 for i in range(2) for j in range(2) for k in range(2)
    }


async def test_waits_of_iterations_are_waits_of_their_own(engine: Engine) -> None:
    poll = repeat("poll", wait("reply", timeout="1h"), until="{{ steps.reply.output.last }}")
    run = await engine.start({"steps": [poll], "output": DONE})
    for number in range(3):
        await engine.at(run, f"poll[{number}].reply")
        await engine.send("go", {"last": number == 2})
    done = await engine.end(run)
    assert done.output == {"iterations": 3, "done": True, "output": {"last": True}}
    assert [row.path for row in await engine.waits(run)] == [f"poll[{n}].reply" for n in range(3)]
    assert all(row.closed_at is not None for row in await engine.waits(run))


async def test_only_the_latest_hundred_iterations_keep_their_rows(engine: Engine) -> None:
    done = await engine.steps(
        put("before"),
        repeat(
            "poll", put("a", "{{ loop.index }}"), group("g", put("b")), until="{{ loop.number == 250 }}", interval="3ms"
        ),
        put("after"),
        output=DONE,
    )
    assert done.output["iterations"] == 250
    kept = [path for path in done.steps if path.startswith("poll[") and path.endswith(".a")]
    # The last ones are let go with the next timer, when what they tell is certain to be in the history.
    assert kept[-100:] == [f"poll[{n}].a" for n in range(150, 250)]
    assert len(kept) < 105
    assert len(done.steps) == 3 + 3 * len(kept)
    assert done.run.steps_completed == 2 + 1 + 3 * 250


async def test_effects_and_their_attempts_are_let_go_with_their_iteration(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/5", Answer(status=503), Answer())
    check = http("check", f"{http_stub.url}/{{{{ loop.index }}}}", retry=QUICK)
    done = await engine.steps(repeat("poll", check, until="{{ loop.number == 130 }}", interval="3ms"))
    assert done.run.status == "completed"
    assert len(http_stub.requests) == 131
    kept = [path for path in done.steps if "[" in path]
    assert kept[-100:] == [f"poll[{n}].check" for n in range(30, 130)]
    assert len(kept) < 105
    assert await engine.attempts(done.run) == []


async def test_a_task_that_is_made_again_does_no_effect_of_an_old_iteration_again(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the task has ended, rows alone know of the effects in it: they must not be let go before."""
    unharmed, failed = Scope.forget, []

    def forget(scope: Scope, step: Step, index: int) -> None:
        if index == 230 and not failed:
            failed.append(index)
            raise RuntimeError("the worker broke")
        unharmed(scope, step, index)

    monkeypatch.setattr(Scope, "forget", forget)
    poll = repeat("poll", http("check", f"{http_stub.url}/"), until="{{ loop.number == 240 }}")
    done = await engine.run({"steps": [poll], "output": DONE}, within=60)
    assert failed
    assert done.output["iterations"] == 240
    assert set(http_stub.effects(done.run.id).values()) == {1}


async def test_an_operator_may_allow_an_exhausted_repeat_as_many_iterations_again(
    engine: Engine, http_stub: HttpStub
) -> None:
    http_stub.answer("/", Answer(json=1), Answer(json=2), Answer(json=3))
    poll = repeat(
        "poll",
        http("check", f"{http_stub.url}/"),
        until="{{ steps.check.output.body == 3 }}",
        max_iterations=2,
        on_error="hold",
    )
    run = await engine.start({"steps": [poll], "output": DONE})
    await engine.is_(run, "held")
    await engine.decide(run, "poll", "retry")
    done = await engine.end(run)
    assert done.output == {"iterations": 3, "done": True, "output": done.output["output"]}
    assert http_stub.effects(run.id) == {f"poll[{n}].check": 1 for n in range(3)}


async def test_thousands_of_iterations_continue_as_new(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 300)
    poll = repeat(
        "poll",
        let("up", n="{{ vars.n + 1 }}"),
        group("sometimes", http("check", f"{http_stub.url}/{{{{ loop.index }}}}"), when="{{ loop.index % 10 == 0 }}"),
        until="{{ loop.number == 2500 }}",
        max_iterations=3000,
    )
    done = await engine.run({"variables": {"n": 0}, "steps": [poll], "output": [DONE, "{{ vars.n }}"]}, within=100)
    assert done.output[0]["iterations"] == 2500
    assert done.output[1] == 2500
    assert len(done.executions) > 1
    assert max(execution.events for execution in done.executions) < 800
    assert max(execution.arrived_with for execution in done.executions) < 100_000
    effects = http_stub.effects(done.run.id)
    assert set(effects.values()) == {1}
    assert len(effects) == 250
    assert done.run.steps_completed == 1 + 2500 * 2 + 250
    await replay(await engine.platform.temporal.client(), done.executions)


async def test_an_iteration_that_is_due_stays_due_across_executions(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 30)
    poll = repeat("poll", put("a", "{{ now }}"), until="{{ loop.number == 3 }}", interval="900ms")
    busy = loop("each", 60, delay("pause", "20ms"))
    run = await engine.start({"steps": [parallel("both", [poll], [busy])], "output": DONE})
    done = await engine.end(run)
    assert done.output["iterations"] == 3
    assert len(done.executions) > 3
    row = done.steps["both.poll"]
    assert row.started_at is not None
    assert row.finished_at is not None
    assert timedelta(seconds=1.8) <= row.finished_at - row.started_at < timedelta(seconds=5)


async def test_a_repeat_with_a_limit_ends_in_time(engine: Engine) -> None:
    poll = repeat("poll", delay("pause", "20ms"), until="{{ false }}", timeout="500ms", on_error="continue")
    done = await engine.steps(poll, output="{{ steps.poll.error.type }}")
    assert done.output == "timeout"


async def test_a_repeat_of_nothing_but_computing_can_be_cancelled(engine: Engine) -> None:
    """It gives its workflow task back now and then."""
    poll = repeat("poll", put("a", "{{ loop.index }}"), until="{{ false }}", max_iterations=10_000_000)
    run = await engine.start({"steps": [poll]})

    async def going() -> bool:
        return (await engine.row(run)).steps_completed > 50

    await eventually(going)
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert [failure for execution in done.executions for failure in execution.task_failures] == []
