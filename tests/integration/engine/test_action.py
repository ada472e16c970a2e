"""`action`: outcomes, attempts, keys and failures of effects."""

import json
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment

from activities.http_client import HttpClient
from activities.runner import ActionRunner
from app.services import connections
from app.temporal.messages import ActionCall, ActionOutcome, RetryPlan
from tests.integration.services.building import a_run
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually


async def test_an_action_answers_with_its_output(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/contact", Answer(json={"name": "Ada"}))
    done = await engine.steps(
        http("fetch", f"{http_stub.url}/contact", name="Fetch the contact"),
        output="{{ steps.fetch.output.body.name }}",
    )
    assert done.output == "Ada"
    step = done.steps["fetch"]
    assert (step.status, step.type, step.action, step.name, step.attempt) == (
        "completed",
        "action",
        "http.request",
        "Fetch the contact",
        1,
    )
    assert step.output["status_code"] == 200
    assert step.inputs == {"url": f"{http_stub.url}/contact"}
    assert step.started_at is not None
    assert step.finished_at is not None
    assert step.started_at <= step.finished_at


async def test_every_effect_sends_its_run_and_path_as_the_key(engine: Engine, http_stub: HttpStub) -> None:
    done = await engine.steps(
        http("one", f"{http_stub.url}/one"),
        {"id": "each", "type": "loop", "items": [1, 2], "steps": [http("two", f"{http_stub.url}/two")]},
    )
    keys = [request.headers["Idempotency-Key"] for request in http_stub.requests]
    assert keys == [f"{done.run.id}/{path}" for path in ("one", "each[0].two", "each[1].two")]


async def test_a_first_attempt_that_ends_well_takes_no_round_trip_through_temporal(
    engine: Engine, http_stub: HttpStub
) -> None:
    done = await engine.steps(http("fetch", f"{http_stub.url}/"))
    assert done.history["ACTIVITY_TASK_SCHEDULED"] == 0
    assert done.history["WORKFLOW_TASK_COMPLETED"] == 1


async def test_further_attempts_are_temporals_and_keep_the_key(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=500), Answer(status=503), Answer(json={"done": True}))
    done = await engine.steps(http("fetch", f"{http_stub.url}/"), output="{{ steps.fetch.attempts }}")
    assert done.output == 3
    assert done.steps["fetch"].attempt == 3
    assert done.steps["fetch"].error is None
    assert done.history["ACTIVITY_TASK_SCHEDULED"] == 1
    assert {request.headers["Idempotency-Key"] for request in http_stub.requests} == {f"{done.run.id}/fetch"}
    attempts = await engine.attempts(done.run)
    assert [(row.attempt, row.error["type"], row.error["provider_code"]) for row in attempts] == [
        (1, "provider_unavailable", "500"),
        (2, "provider_unavailable", "503"),
    ]
    assert all(row.next_attempt_at is not None for row in attempts)
    started = done.steps["fetch"].started_at
    assert started is not None
    assert started <= attempts[0].started_at, "a step lasts from its first attempt on"


async def test_with_scheduled_dispatch_every_attempt_is_a_regular_activity(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=500), Answer())
    done = await engine.steps(http("fetch", f"{http_stub.url}/"), settings={"dispatch": "scheduled"})
    assert done.steps["fetch"].attempt == 2
    assert done.history["ACTIVITY_TASK_SCHEDULED"] == 1
    assert done.history["TIMER_STARTED"] == 0
    assert done.history["MARKER_RECORDED"] == 1, "the records of the end alone"


async def test_a_provider_that_stays_down_fails_the_run_after_the_last_attempt(
    engine: Engine, http_stub: HttpStub
) -> None:
    http_stub.answer("/", Answer(status=500, body="out of order"))
    done = await engine.steps(http("fetch", f"{http_stub.url}/"))
    assert done.run.status == "failed"
    assert done.error["type"] == "provider_unavailable"
    assert (done.error["step_id"], done.error["path"]) == ("fetch", "fetch")
    assert "out of order" in done.error["message"]
    assert len(http_stub.requests) == 3
    step = done.steps["fetch"]
    assert (step.status, step.attempt) == ("failed", 3)
    assert step.error is not None
    assert step.error["retryable"] is True
    assert step.error["provider_code"] == "500"
    assert step.inputs == {"url": f"{http_stub.url}/"}
    attempts = await engine.attempts(done.run)
    assert [row.attempt for row in attempts] == [1, 2, 3]
    assert attempts[-1].next_attempt_at is None


async def test_what_the_provider_refuses_is_not_tried_again(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404))
    done = await engine.steps(http("fetch", f"{http_stub.url}/"))
    assert done.error["type"] == "provider_rejected"
    assert done.steps["fetch"].error is not None
    assert done.steps["fetch"].error["retryable"] is False
    assert len(http_stub.requests) == 1
    assert done.history["ACTIVITY_TASK_SCHEDULED"] == 0


async def test_an_attempt_that_takes_too_long_is_ended_and_tried_again(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(hang=True), Answer(json={"late": False}))
    done = await engine.steps(
        http("fetch", f"{http_stub.url}/", timeout="300ms"), output="{{ steps.fetch.output.body.late }}"
    )
    assert done.output is False
    [attempt] = await engine.attempts(done.run)
    assert attempt.error["type"] == "timeout"


async def test_a_provider_that_is_not_there_is_a_failed_connection(engine: Engine, http_stub: HttpStub) -> None:
    done = await engine.steps(http("fetch", "http://127.0.0.1:1/", retry={"max_attempts": 1}))
    assert done.error["type"] == "connection_failed"
    assert [row.attempt for row in await engine.attempts(done.run)] == [1]


async def test_ten_megabytes_are_an_error_and_not_a_result(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(size=10 * 1024 * 1024))
    done = await engine.steps(http("fetch", f"{http_stub.url}/"))
    assert done.error["type"] == "response_too_large"
    assert len(http_stub.requests) == 1


async def test_the_largest_answer_taken_fits_whatever_its_script(engine: Engine, http_stub: HttpStub) -> None:
    size = engine.platform.settings.max_response_bytes
    text = "щ" * (size // 2)
    http_stub.answer("/", Answer(body=text.encode(), headers={"Content-Type": "text/plain; charset=utf-8"}))
    done = await engine.steps(http("fetch", f"{http_stub.url}/"), output="{{ steps.fetch.output.body | length }}")
    assert done.output == size // 2
    assert done.steps["fetch"].output["body"] == text


@pytest.mark.parametrize(("count", "size"), [(6, 1_000_000), (60, 100_000), (150, 15_000)])
async def test_many_large_answers_at_once_do_not_exceed_what_temporal_takes(
    engine: Engine, http_stub: HttpStub, count: int, size: int
) -> None:
    """A workflow task that carries more than four megabytes would end the run."""
    http_stub.answer("/", Answer(body="x" * size))
    loop = {
        "id": "each",
        "type": "loop",
        "items": list(range(count)),
        "concurrency": min(count, 100),
        "steps": [http("fetch", f"{http_stub.url}/")],
        "collect": "{{ steps.fetch.output.body | length }}",
    }
    done = await engine.steps(loop, output="{{ steps.each.output.results }}")
    assert done.output == [size] * count
    assert done.temporal_status is WorkflowExecutionStatus.COMPLETED
    assert len(http_stub.requests) == count


async def test_one_after_the_other_large_answers_fit_too(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(body="x" * 15_000))
    loop = {"id": "each", "type": "loop", "items": list(range(300)), "steps": [http("fetch", f"{http_stub.url}/")]}
    done = await engine.steps({**loop, "collect": "{{ steps.fetch.status }}"})
    assert done.temporal_status is WorkflowExecutionStatus.COMPLETED
    assert len(http_stub.requests) == 300
    scheduled = sum(execution.types.count("ACTIVITY_TASK_SCHEDULED") for execution in done.executions)
    assert scheduled in range(2, 10), "one whenever enough has come together"


async def test_inputs_larger_than_temporal_takes_fail_the_step(engine: Engine, http_stub: HttpStub) -> None:
    body = http("fetch", f"{http_stub.url}/", inputs={"method": "POST", "body": "{{ 'x' * 900000 }}{{ 'y' * 900000 }}"})
    done = await engine.steps(body)
    assert done.error["type"] in ("limit_exceeded", "expression")
    assert "inputs" in done.error["message"]


async def test_large_inputs_are_kept_whole_in_the_records(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=500), Answer())
    send = http("send", f"{http_stub.url}/", inputs={"method": "POST", "body": "{{ 'щ' * 400000 }}"})
    done = await engine.steps(send)
    assert done.run.status == "completed"
    assert [len(request.body) for request in http_stub.requests] == [800_000] * 2
    assert done.steps["send"].inputs["body"] == "щ" * 400_000


async def test_text_that_postgresql_cannot_take_does_not_hold_a_run_up(engine: Engine, http_stub: HttpStub) -> None:
    answer = b'{"name": "A\\u0000da", "big": 123456789012345678901234567890}'
    http_stub.answer("/", Answer(body=answer, headers={"Content-Type": "application/json"}))
    done = await engine.steps(
        http("fetch", f"{http_stub.url}/"),
        {"id": "pass", "type": "transform", "mapping": {"body": "{{ steps.fetch.output.body }}"}},
        output="{{ steps.pass.output.body.big }}",
    )
    assert done.output == 123456789012345678901234567890
    assert done.steps["fetch"].output["body"]["name"] == "A\N{REPLACEMENT CHARACTER}da"


async def test_a_pause_the_provider_asks_for_is_kept(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=429, headers={"Retry-After": "1"}), Answer())
    done = await engine.steps(http("fetch", f"{http_stub.url}/"))
    assert done.run.status == "completed"
    [attempt] = await engine.attempts(done.run)
    assert attempt.error["type"] == "rate_limited"
    assert attempt.next_attempt_at == attempt.finished_at + timedelta(seconds=1)
    assert done.steps["fetch"].finished_at is not None
    assert done.steps["fetch"].finished_at >= attempt.next_attempt_at


async def test_inputs_that_do_not_fit_name_the_field(engine: Engine, http_stub: HttpStub) -> None:
    fetch = http("fetch", f"{http_stub.url}/", inputs={"method": "{{ trigger.method }}"})
    done = await engine.steps(fetch, input={"method": "FETCH"})
    assert done.error["type"] == "invalid_input"
    assert "inputs.method" in done.error["message"]
    assert http_stub.requests == []


async def test_an_expression_that_names_nothing_fails_before_the_effect(engine: Engine, http_stub: HttpStub) -> None:
    done = await engine.steps(http("fetch", f"{http_stub.url}/{{{{ trigger.contact.id }}}}"))
    assert done.error["type"] == "expression"
    assert "inputs" in done.error["message"]
    assert "contact" in done.error["message"]
    assert done.steps["fetch"].status == "failed"
    assert http_stub.requests == []


async def test_an_action_goes_by_its_other_names_too(engine: Engine, http_stub: HttpStub) -> None:
    done = await engine.steps({**http("fetch", f"{http_stub.url}/"), "action": "api_call"})
    assert done.steps["fetch"].action == "http.request"


async def test_inline_actions_are_evaluated_in_the_walk(engine: Engine) -> None:
    mapping = {"id": "map", "type": "action", "action": "transform.map", "inputs": {"mapping": {"a": "{{ 1 + 1 }}"}}}
    done = await engine.steps(mapping, output="{{ steps.map.output.result.a }}")
    assert done.output == 2
    assert done.steps["map"].action == "transform.map"
    assert done.history["MARKER_RECORDED"] == 1, "the records of the end alone"


async def test_a_connection_that_is_gone_fails_the_step_by_name(engine: Engine, http_stub: HttpStub) -> None:
    connection = await connections.create(
        engine.platform,
        engine.workspace_id,
        kind="http",
        name="crm",
        config={"base_url": http_stub.url},
        credentials={"type": "bearer", "token": "t0p-secret-token"},
    )
    workflow = await engine.publish({"steps": [http("fetch", "/contacts", connection="crm")]})
    done = await engine.run(workflow)
    assert done.run.status == "completed"
    assert http_stub.requests[0].headers["Authorization"] == "Bearer t0p-secret-token"
    history = await (await engine.handle(done.run)).fetch_history()
    assert "t0p-secret-token" not in history.to_json()

    await connections.delete(engine.platform, engine.workspace_id, connection.id, force=True)
    failed = await engine.run(workflow)
    assert failed.error["type"] == "connection_missing"
    assert "crm" in failed.error["message"]


async def test_secrets_in_inputs_are_hidden_in_the_record(engine: Engine, http_stub: HttpStub) -> None:
    auth = {"type": "bearer", "token": "{{ trigger.token }}"}
    done = await engine.steps(http("fetch", f"{http_stub.url}/", inputs={"auth": auth}), input={"token": "s3cret"})
    assert http_stub.requests[0].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in json.dumps(done.steps["fetch"].inputs)


async def test_a_repeated_attempt_answers_with_the_stored_outcome(engine: Engine, http_stub: HttpStub) -> None:
    run_id = await a_run(engine.platform, engine.workspace_id)
    client = HttpClient(engine.platform.settings)
    perform = next(
        activity
        for activity in ActionRunner(engine.platform, client).activities()
        if activity.__temporal_activity_definition.name == "http.request"
    )
    call = ActionCall(
        workspace_id=str(engine.workspace_id),
        run_id=str(run_id),
        workflow_id=str(run_id),
        path="fetch",
        step_id="fetch",
        name="fetch",
        action="http.request",
        key=f"{run_id}/fetch",
        inputs={"url": f"{http_stub.url}/"},
        connection=None,
        timeout=5,
        retry=RetryPlan(max_attempts=1, initial_interval=1, backoff=1, max_interval=1, jitter=0),
    )
    try:
        first: ActionOutcome = await ActivityEnvironment().run(perform, call)
        again: ActionOutcome = await ActivityEnvironment().run(perform, call)
    finally:
        await client.close()
    assert len(http_stub.requests) == 1
    assert (first.repeated, again.repeated) == (False, True)
    assert again.output == first.output
    assert again.inputs == first.inputs


async def test_cancelling_ends_an_effect_under_way(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(hang=True))
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/"), http("never", f"{http_stub.url}/never")]})
    await eventually(lambda: http_stub.asked("/"), what="the effect is under way")
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert done.statuses() == {"fetch": "cancelled"}
    assert http_stub.asked("/never") == []


async def test_cancelling_between_attempts_makes_no_further_one(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=500))
    slow = {"max_attempts": 5, "initial_interval": "1h", "max_interval": "1h"}
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/", retry=slow)]})

    async def failed_once() -> bool:
        return len(await engine.attempts(run)) == 1

    await eventually(failed_once)
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.statuses() == {"fetch": "cancelled"}
    assert len(http_stub.requests) == 1
