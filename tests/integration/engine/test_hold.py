"""`on_error: hold`: the run stands still at the failed step until an operator decides, and does as told."""

from typing import Any

import pytest

from app.db.models import Run
from app.json import JsonObject
from app.services import connections
from app.temporal import names
from tests.support.engine import Engine, http, refused
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import BAD, ONCE, QUICK, group, loop, put, wait
from tests.support.waiting import eventually

HOLD: JsonObject = {"on_error": "hold"}
LAST = put("last", {"status": "{{ status }}", "type": "{{ error.type | default('none') }}"})


async def held(engine: Engine, run: Run, path: str) -> Run:
    """Wait until the step is held, in Temporal and in the rows; answers with the run's row."""
    await engine.at(run, path, "held")
    row = await engine.is_(run, "held")

    async def shown() -> bool:
        return (await engine.step_rows(run))[path].status == "held"

    await eventually(shown, what=f"the row of {path} is held")
    return row


def keys(stub: HttpStub, run: Run) -> list[str]:
    return [request.headers["Idempotency-Key"].removeprefix(f"{run.id}/") for request in stub.requests]


async def test_a_held_run_shows_where_and_why(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404, body="no such contact"))
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/", **HOLD), put("after")]})
    row = await held(engine, run, "fetch")
    assert row.error is not None
    assert row.error["type"] == "provider_rejected"
    assert "no such contact" in row.error["message"]
    assert (row.error["step_id"], row.error["path"]) == ("fetch", "fetch")
    assert row.waiting_for is not None
    assert (row.waiting_for["kind"], row.waiting_for["event"]) == ("decision", None)
    assert (row.current_step, row.finished_at) == ("fetch", None)
    step = (await engine.step_rows(run))["fetch"]
    assert step.error is not None
    assert (step.error["type"], step.inputs) == ("provider_rejected", {"url": f"{http_stub.url}/"})
    timeline = await engine.timeline(run)
    assert (timeline.status, timeline.steps[0].status) == ("held", "held")
    assert timeline.waiting_for is not None
    assert timeline.waiting_for["kind"] == "decision"

    async def found() -> bool:
        attributes = (await (await engine.handle(run)).describe()).typed_search_attributes
        return attributes.get(names.STATUS) == "held"

    await eventually(found)
    await engine.decide(run, "fetch", "skip")
    done = await engine.end(run)
    assert (done.run.error, done.run.waiting_for) == (None, None)


async def test_the_error_is_cleared_when_the_run_goes_on(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404))
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/", **HOLD), wait("wait")]})
    await held(engine, run, "fetch")
    await engine.decide(run, "fetch", "skip")
    row = await engine.is_(run, "waiting")
    assert row.error is None
    assert row.waiting_for is not None
    assert row.waiting_for["kind"] == "event"
    await engine.send("go")
    assert (await engine.end(run)).run.status == "completed"


async def test_retry_is_a_new_effect_with_a_new_key(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404), Answer(status=404), Answer(json="well"))
    run = await engine.start(
        {"steps": [http("fetch", f"{http_stub.url}/", **HOLD)], "output": "{{ steps.fetch.output.body }}"}
    )
    await held(engine, run, "fetch")
    await engine.decide(run, "fetch", "retry")
    await eventually(lambda: len(http_stub.requests) == 2)
    await held(engine, run, "fetch")
    await engine.decide(run, "fetch", "retry")
    done = await engine.end(run)
    assert done.output == "well"
    assert keys(http_stub, run) == ["fetch", "fetch#2", "fetch#3"]
    step = done.steps["fetch"]
    assert (step.status, step.generation, step.attempt, step.error) == ("completed", 3, 1, None)
    assert [(row.generation, row.attempt) for row in await engine.attempts(run)] == [(1, 1), (2, 1)]


async def test_all_attempts_are_used_up_before_a_step_is_held(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503))
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/", **HOLD)]})
    await held(engine, run, "fetch")
    assert len(http_stub.requests) == 3
    await engine.decide(run, "fetch", "retry")
    await eventually(lambda: len(http_stub.requests) == 6)
    await held(engine, run, "fetch")
    expected = [(generation, attempt) for generation in (1, 2) for attempt in (1, 2, 3)]
    assert [(row.generation, row.attempt) for row in await engine.attempts(run)] == expected
    await engine.decide(run, "fetch", "fail")
    assert (await engine.end(run)).error["type"] == "provider_unavailable"
    assert keys(http_stub, run) == ["fetch"] * 3 + ["fetch#2"] * 3


async def test_retry_with_other_inputs_takes_those_and_nothing_of_the_old(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/wrong", Answer(status=404))
    wrong = http("fetch", f"{http_stub.url}/wrong", inputs={"headers": {"X-Old": "1"}}, **HOLD)
    run = await engine.start({"steps": [wrong], "output": "{{ steps.fetch.output.body.ok }}"})
    await held(engine, run, "fetch")
    await engine.decide(run, "fetch", "retry", inputs={"url": f"{http_stub.url}/right"})
    done = await engine.end(run)
    assert done.output is True
    [asked] = http_stub.asked("/right")
    assert "X-Old" not in asked.headers
    assert asked.headers["Idempotency-Key"] == f"{run.id}/fetch#2"
    assert done.steps["fetch"].inputs == {"url": f"{http_stub.url}/right"}


async def test_replaced_inputs_are_data_and_no_expressions(engine: Engine, http_stub: HttpStub) -> None:
    """They are resolved inputs: what an operator types is sent as it stands."""
    http_stub.answer("/wrong", Answer(status=404))
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/wrong", **HOLD)]})
    await held(engine, run, "fetch")
    told = {"url": f"{http_stub.url}/right", "method": "POST", "body": "{{ trigger }}"}
    await engine.decide(run, "fetch", "retry", inputs=told)
    await engine.end(run)
    [asked] = http_stub.asked("/right")
    assert asked.body == b"{{ trigger }}"


async def test_inputs_that_do_not_fit_hold_the_step_again(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404), Answer())
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/", **HOLD)]})
    await held(engine, run, "fetch")
    await engine.decide(run, "fetch", "retry", inputs={"no_such_field": 1})

    async def again() -> bool:
        row = await engine.row(run)
        return row.status == "held" and row.error is not None and row.error["type"] == "invalid_input"

    await eventually(again)
    await engine.decide(run, "fetch", "retry", inputs={"url": f"{http_stub.url}/"})
    assert (await engine.end(run)).run.status == "completed"


async def test_a_connection_that_was_mended_makes_the_retry_work(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/old/me", Answer(status=404))
    made = await connections.create(
        engine.platform, engine.workspace_id, kind="http", name="crm", config={"base_url": f"{http_stub.url}/old"}
    )
    step = {"id": "fetch", "type": "action", "action": "http.request", "inputs": {"url": "/me"}, "connection": "crm"}
    run = await engine.start({"steps": [step | HOLD], "output": "{{ steps.fetch.output.status_code }}"})
    await held(engine, run, "fetch")
    change = {"config": {"base_url": f"{http_stub.url}/new"}}
    await connections.update(engine.platform, engine.workspace_id, made.id, change)
    await engine.decide(run, "fetch", "retry")
    assert (await engine.end(run)).output == 200
    assert [request.path for request in http_stub.requests] == ["/old/me", "/new/me"]
    assert keys(http_stub, run) == ["fetch", "fetch#2"]


async def test_a_skipped_step_has_the_given_output(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404))
    run = await engine.start(
        {
            "steps": [http("fetch", f"{http_stub.url}/", **HOLD), put("after", "{{ steps.fetch.output.name }}")],
            "output": ["{{ steps.fetch.status }}", "{{ steps.after.output.value }}"],
        }
    )
    await held(engine, run, "fetch")
    await engine.decide(run, "fetch", "skip", output={"name": "Ada"})
    done = await engine.end(run)
    assert done.output == ["skipped", "Ada"]
    assert (done.steps["fetch"].status, done.steps["fetch"].output) == ("skipped", {"name": "Ada"})
    assert len(http_stub.requests) == 1


async def test_a_step_skipped_without_a_value_is_one_that_was_skipped(engine: Engine) -> None:
    run = await engine.start({"steps": [BAD | HOLD], "output": "{{ steps.bad.output | default('nothing') }}"})
    await held(engine, run, "bad")
    await engine.decide(run, "bad", "skip")
    done = await engine.end(run)
    assert done.run.output in ("nothing", None)
    assert done.steps["bad"].status == "skipped"


@pytest.mark.parametrize("around", ["nothing", "continue", "branch"])
async def test_fail_is_as_if_the_policy_were_fail(engine: Engine, http_stub: HttpStub, around: str) -> None:
    http_stub.answer("/", Answer(status=404))
    step = http("fetch", f"{http_stub.url}/", **HOLD)
    policies: dict[str, JsonObject] = {
        "nothing": {},
        "continue": {"on_error": "continue"},
        "branch": {"on_error": "branch", "error_steps": [put("repair", "{{ error.step_id }}")]},
    }
    run = await engine.start({"steps": [group("group", step, **policies[around])], "finally": [LAST]})
    await held(engine, run, "group.fetch")
    await engine.decide(run, "group.fetch", "fail")
    done = await engine.end(run)
    assert done.steps["group.fetch"].status == "failed"
    if around == "nothing":
        assert (done.run.status, done.error["type"], done.error["path"]) == (
            "failed", "provider_rejected", "group.fetch",
        )  # fmt: skip
        assert done.steps["last"].output == {"value": {"status": "failed", "type": "provider_rejected"}}
    else:
        assert done.run.status == "completed"
    if around == "branch":
        assert done.steps["group.repair"].output == {"value": "fetch"}


async def test_who_decided_what_and_when_stays_with_the_step(engine: Engine) -> None:
    run = await engine.start({"steps": [BAD | HOLD, wait("wait")]})
    await held(engine, run, "bad")
    await engine.decide(run, "bad", "skip", by="ada@example.com", output=1)
    await engine.at(run, "wait")
    record = await engine.record(run, "bad")
    assert record.decision is not None
    assert (record.decision["decision"], record.decision["by"]) == ("skip", "ada@example.com")
    assert record.decision["at"].endswith("Z")
    await engine.cancel(run)
    await engine.end(run)


async def test_what_cannot_be_decided_is_refused(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404))
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/", **HOLD), BAD | HOLD, wait("wait")]})
    await held(engine, run, "fetch")
    with refused(names.NOT_HELD):
        await engine.decide(run, "wait", "skip")
    with refused(names.INVALID_DECISION):
        await engine.decide(run, "fetch", "explode")
    with refused(names.INVALID_DECISION):
        await engine.decide(run, "fetch", "fail", inputs={"url": "x"})
    await engine.decide(run, "fetch", "skip")
    with refused(names.NOT_HELD):
        await engine.decide(run, "fetch", "skip")
    await held(engine, run, "bad")
    with refused(names.INVALID_DECISION):
        await engine.decide(run, "bad", "retry", inputs={"x": 1})
    await engine.decide(run, "bad", "skip")
    await engine.at(run, "wait")
    with refused(names.NOT_HELD):
        await engine.decide(run, "wait", "skip")
    await engine.send("go")
    assert (await engine.end(run)).run.status == "completed"


async def test_a_held_group_is_walked_again_without_what_was_done(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/fails", Answer(status=404), Answer(json="well"))
    run = await engine.start(
        {
            "steps": [
                group(
                    "group",
                    http("done", f"{http_stub.url}/done"),
                    http("fails", f"{http_stub.url}/fails"),
                    put("after"),
                    **HOLD,
                )
            ],
            "output": "{{ steps.fails.output.body }}",
        }
    )
    row = await held(engine, run, "group")
    assert row.error is not None
    assert row.error["path"] == "group.fails"
    assert (await engine.step_rows(run))["group.fails"].status == "failed"
    await engine.decide(run, "group", "retry")
    done = await engine.end(run)
    assert done.output == "well"
    assert keys(http_stub, run) == ["group.done", "group.fails", "group.fails#2"]
    assert done.steps["group"].generation == 2
    assert set(done.statuses().values()) == {"completed"}


async def test_a_held_loop_goes_on_with_the_items_that_are_left(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/2", Answer(status=404), Answer(json=2))
    each = loop("each", 4, http("fetch", f"{http_stub.url}/{{{{ item }}}}"), collect="{{ item }}", **HOLD)
    run = await engine.start({"steps": [each], "output": "{{ steps.each.output.results }}"})
    await held(engine, run, "each")
    await engine.decide(run, "each", "retry")
    done = await engine.end(run)
    assert done.output == [0, 1, 2, 3]
    assert keys(http_stub, run) == [
        "each[0].fetch", "each[1].fetch", "each[2].fetch", "each[2].fetch#2", "each[3].fetch",
    ]  # fmt: skip


async def test_a_group_with_attempts_is_held_when_they_are_used_up(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503))
    run = await engine.start(
        {"steps": [group("group", http("fetch", f"{http_stub.url}/", retry=ONCE), retry=QUICK, **HOLD)]}
    )
    await held(engine, run, "group")
    assert len(http_stub.requests) == 3
    http_stub.answer("/", Answer())
    await engine.decide(run, "group", "retry")
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert len(set(keys(http_stub, run))) == 4


async def test_a_wait_that_timed_out_may_wait_anew(engine: Engine) -> None:
    waiting = wait("wait", timeout="{{ trigger.limit }}", on_timeout="fail", **HOLD)
    run = await engine.start({"steps": [waiting], "output": "{{ steps.wait.output }}"}, input={"limit": "700ms"})
    await held(engine, run, "wait")
    await engine.decide(run, "wait", "retry")
    await engine.at(run, "wait")
    await engine.send("go", "at last")
    assert (await engine.end(run)).output == "at last"


@pytest.mark.parametrize("policy", ["continue", "branch"])
async def test_other_policies_are_not_asked(engine: Engine, policy: str) -> None:
    error_steps: list[Any] = [put("repair")] if policy == "branch" else []
    step = {**BAD, "on_error": policy, **({"error_steps": error_steps} if error_steps else {})}
    done = await engine.run({"settings": {"on_failure": "hold"}, "steps": [step]})
    assert done.run.status == "completed"
