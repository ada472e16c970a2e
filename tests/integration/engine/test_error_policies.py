"""`on_error`, `retry` and `timeout`, on steps and on what holds other steps."""

from typing import Any

import pytest

from app.json import JsonObject
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually


def put(id: str, value: Any = 1, **more: Any) -> JsonObject:
    return {"id": id, "type": "transform", "mapping": {"value": value}, **more}


BAD: JsonObject = {"id": "bad", "type": "transform", "mapping": {"x": "{{ trigger.nothing }}"}}
QUICK: JsonObject = {"max_attempts": 3, "initial_interval": "1ms", "jitter": 0}


def group(*steps: JsonObject, **more: Any) -> JsonObject:
    """Steps under one policy: a condition that always holds."""
    return {"id": "group", "type": "condition", "branches": [{"when": "{{ true }}", "steps": list(steps)}], **more}


async def test_continue_goes_on_and_shows_the_error(engine: Engine) -> None:
    done = await engine.steps(
        {**BAD, "on_error": "continue"},
        put("after"),
        output={
            "status": "{{ steps.bad.status }}",
            "type": "{{ steps.bad.error.type }}",
            "attempts": "{{ steps.bad.attempts }}",
            "output": "{{ steps.bad.output | default('none') }}",
        },
    )
    assert done.output == {"status": "failed", "type": "expression", "attempts": 1, "output": "none"}
    assert done.statuses() == {"bad": "failed", "after": "completed"}
    assert done.run.error is None
    assert done.run.steps_completed == 2


async def test_branch_walks_the_error_steps_which_see_the_error(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404, body="no such contact"))
    repair = put("repair", "{{ error }}")
    done = await engine.steps(
        http("fetch", f"{http_stub.url}/", on_error="branch", error_steps=[repair]),
        put("after"),
        output="{{ steps.repair.output.value }}",
    )
    assert done.output["type"] == "provider_rejected"
    assert done.output["step_id"] == "fetch"
    assert "no such contact" in done.output["message"]
    assert done.statuses() == {"fetch": "failed", "fetch.repair": "completed", "after": "completed"}


async def test_error_steps_of_a_group_are_told_which_step_failed(engine: Engine) -> None:
    done = await engine.steps(
        group(put("first"), BAD, on_error="branch", error_steps=[put("repair", "{{ error.step_id }}")]),
        output=["{{ steps.repair.output.value }}", "{{ steps.bad.status }}", "{{ steps.first.status }}"],
    )
    assert done.output == ["bad", "failed", "completed"]


async def test_error_steps_that_fail_fail_the_run(engine: Engine) -> None:
    done = await engine.steps({**BAD, "on_error": "branch", "error_steps": [{**BAD, "id": "worse"}]})
    assert done.error["path"] == "bad.worse"


async def test_without_a_failure_the_error_steps_are_not_walked(engine: Engine) -> None:
    done = await engine.steps(put("fine", on_error="branch", error_steps=[put("repair")]))
    assert list(done.steps) == ["fine"]


async def test_a_group_that_goes_on_stops_at_the_failed_step_alone(engine: Engine) -> None:
    done = await engine.steps(group(put("first"), BAD, put("third"), on_error="continue"), put("after"))
    assert done.statuses() == {
        "group": "failed",
        "group.first": "completed",
        "group.bad": "failed",
        "after": "completed",
    }


@pytest.mark.parametrize("kind", ["condition", "loop", "parallel"])
async def test_a_group_tried_again_does_what_failed_and_not_what_was_done(
    engine: Engine, http_stub: HttpStub, kind: str
) -> None:
    http_stub.answer("/fails", Answer(status=500), Answer(status=500), Answer(json="well"))
    steps = [http("done", f"{http_stub.url}/done"), http("fails", f"{http_stub.url}/fails", retry={"max_attempts": 1})]
    inside: JsonObject = {
        "condition": {"branches": [{"when": "{{ true }}", "steps": steps}]},
        "loop": {"items": [1], "steps": steps},
        "parallel": {"branches": [{"name": "only", "steps": steps}]},
    }[kind]
    done = await engine.steps(
        {"id": "group", "type": kind, "retry": QUICK, **inside}, output="{{ steps.group.attempts }}"
    )
    assert done.output == 3
    assert len(http_stub.asked("/done")) == 1
    keys = [request.headers["Idempotency-Key"] for request in http_stub.asked("/fails")]
    path = "group[0].fails" if kind == "loop" else "group.fails"
    assert keys == [f"{done.run.id}/{path}", f"{done.run.id}/{path}#2", f"{done.run.id}/{path}#3"]
    step = done.steps[path]
    assert (step.status, step.generation) == ("completed", 3)
    assert [(row.path, row.generation, row.attempt) for row in await engine.attempts(done.run)] == [
        ("group", 1, 1), ("group", 1, 2), (path, 1, 1), (path, 2, 1),
    ]  # fmt: skip


async def test_a_loop_tried_again_keeps_its_items_and_what_they_gave(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(json=1), Answer(status=500), Answer(json=2), Answer(json=3))
    loop = {
        "id": "each",
        "type": "loop",
        "items": "{{ [1, 2, 3] }}",
        "steps": [http("fetch", f"{http_stub.url}/", retry={"max_attempts": 1})],
        "collect": "{{ steps.fetch.output.body }}",
        "retry": QUICK,
    }
    done = await engine.steps(loop, output="{{ steps.each.output.results }}")
    assert done.output == [1, 2, 3]
    assert len(http_stub.requests) == 4


async def test_an_item_walked_again_sees_the_steps_it_had_done(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/2", Answer(status=500), Answer(json="well"))
    once = {"max_attempts": 1}
    loop = {
        "id": "each",
        "type": "loop",
        "items": [2],
        "steps": [
            put("first", "{{ item }}"),
            http("fetch", f"{http_stub.url}/{{{{ steps.first.output.value }}}}", retry=once),
        ],
        "retry": QUICK,
    }
    done = await engine.steps(loop, output="{{ steps.each.output.results[0].body }}")
    assert done.output == "well"


async def test_a_group_whose_attempts_are_used_up_fails(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=500))
    done = await engine.steps(group(http("fetch", f"{http_stub.url}/", retry={"max_attempts": 1}), retry=QUICK))
    assert done.error["path"] == "group.fetch"
    assert len(http_stub.requests) == 3
    assert done.steps["group"].attempt == 3


async def test_what_trying_again_cannot_help_is_not_tried_again(engine: Engine) -> None:
    done = await engine.steps(group(BAD, retry=QUICK))
    assert done.steps["group"].attempt == 1


async def test_a_group_that_takes_too_long_is_ended(engine: Engine) -> None:
    wait = {"id": "wait", "type": "wait_for_event", "event": "never"}
    done = await engine.steps(group(put("first"), wait, timeout="100ms"))
    assert done.error["type"] == "timeout"
    assert done.error["path"] == "group"
    assert done.statuses() == {"group": "failed", "group.first": "completed", "group.wait": "cancelled"}
    assert [row.closed_at is not None for row in await engine.waits(done.run)] == [True]


async def test_a_delay_longer_than_its_timeout_fails(engine: Engine) -> None:
    done = await engine.steps({"id": "pause", "type": "delay", "duration": "1h", "timeout": "50ms"})
    assert done.error["type"] == "timeout"


async def test_an_effect_ended_by_a_timeout_around_it_keeps_its_key(engine: Engine, http_stub: HttpStub) -> None:
    """Nobody knows whether the provider did it; the same key lets it say so."""
    http_stub.answer("/", Answer(hang=True), Answer(json="well"))
    limited = group(http("fetch", f"{http_stub.url}/"), timeout="700ms", retry=QUICK)
    done = await engine.steps(limited, settings={"dispatch": "scheduled"})
    assert done.run.status == "completed"
    assert [request.headers["Idempotency-Key"] for request in http_stub.requests] == [f"{done.run.id}/group.fetch"] * 2
    assert (done.steps["group.fetch"].status, done.steps["group.fetch"].output["body"]) == ("completed", "well")


async def test_a_wait_walked_again_waits_anew(engine: Engine) -> None:
    wait = {"id": "wait", "type": "wait_for_event", "event": "go"}
    run = await engine.start({"steps": [group(wait, timeout="1s", retry={**QUICK, "max_attempts": 50})]})
    await engine.at(run, "group.wait")

    async def second() -> bool:
        return (await engine.timeline(run)).steps[0].attempt >= 2

    await eventually(second)
    await engine.at(run, "group.wait")
    await engine.send("go")
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert done.steps["group.wait"].status == "completed"
