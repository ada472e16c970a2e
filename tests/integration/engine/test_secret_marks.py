"""What stands for a secret in a run: good for that run's own inputs, and text like any other everywhere else."""

from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from app.db.models import Run
from app.json import JsonObject
from app.security.credentials import KeyRing
from app.security.masking import Mask
from app.services import variables, workspace_values
from app.services.errors import NotFound
from app.services.redriving import redrive
from tests.integration.engine.test_hold import HOLD, held
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import put
from tests.support.waiting import eventually

SECRET = "s3cr3t-vaLue"


@pytest.fixture(autouse=True)
async def planted(engine: Engine) -> None:
    new = {"name": "api_key", "value": SECRET, "is_secret": True}
    await variables.create(engine.platform, engine.workspace_id, new)


def mark_of(engine: Engine, run: Run, keys: tuple[SecretStr, ...] | None = None) -> str:
    return workspace_values.mark(
        keys or engine.platform.settings.encryption_keys, engine.workspace_id, run.id, "api_key"
    )


def sent(stub: HttpStub) -> list[str]:
    return [request.headers.get("X-Api-Key", request.body.decode()) for request in stub.requests]


def authorized(url: str, **more: object) -> JsonObject:
    return http("call", url, **more) | {"inputs": {"url": url, "headers": {"X-Api-Key": "{{ secrets.api_key }}"}}}


async def test_a_mark_copied_into_another_run_is_text_there(engine: Engine, http_stub: HttpStub) -> None:
    workflow = await engine.publish({"steps": [authorized(f"{http_stub.url}/", on_error="continue")]})
    first = await engine.run(workflow, input={})
    echo = {"url": http_stub.url, "method": "POST", "body": "{{ trigger.text }} {{ secrets.api_key }}"}
    other = await engine.publish({"steps": [http("call", http_stub.url) | {"inputs": echo}]})
    copied = mark_of(engine, first.run)
    await engine.run(other, input={"text": copied})
    assert sent(http_stub) == [SECRET, f"{copied} {SECRET}"]


async def test_an_operator_has_no_secret_sent(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/first", Answer(status=404))
    run = await engine.start({"steps": [authorized(f"{http_stub.url}/first", **HOLD), put("after")]})
    await held(engine, run, "call")
    elsewhere = {"url": f"{http_stub.url}/second", "method": "POST"}
    body = f"{mark_of(engine, run)} {{{{ secrets.api_key }}}}"
    await engine.decide(run, "call", "retry", inputs=elsewhere | {"body": body})
    assert (await engine.end(run)).run.status == "completed"
    assert sent(http_stub) == [SECRET, body]


async def test_inputs_of_an_operator_stay_theirs_between_attempts(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/first", Answer(status=404))
    http_stub.answer("/second", Answer(status=503), Answer())
    retry = {"retry": {"max_attempts": 2, "initial_interval": "10ms"}}
    run = await engine.start({"steps": [authorized(f"{http_stub.url}/first", **HOLD, **retry)]})
    await held(engine, run, "call")
    told = {"url": f"{http_stub.url}/second", "method": "POST", "body": mark_of(engine, run)}
    await engine.decide(run, "call", "retry", inputs=told)
    assert (await engine.end(run)).run.status == "completed"
    assert sent(http_stub) == [SECRET, mark_of(engine, run), mark_of(engine, run)]


async def test_what_an_operator_gives_an_inline_action_is_evaluated_without_secrets(
    engine: Engine, http_stub: HttpStub
) -> None:
    inputs = {"mapping": {"a": "{{ trigger.missing + 1 }}"}}
    shown = {"id": "map", "type": "action", "action": "transform.map", "inputs": inputs} | HOLD
    run = await engine.start({"steps": [shown, authorized(http_stub.url)]})
    await held(engine, run, "map")
    await engine.decide(run, "map", "retry", inputs={"mapping": {"a": "{{ secrets.api_key }}"}})

    async def refused() -> bool:
        step = (await engine.timeline(run)).steps[0]
        return step.generation == 2 and "unknown name 'secrets'" in (step.error or {}).get("message", "")

    await eventually(refused, what="the operator's inputs are refused")
    await engine.decide(run, "map", "skip")
    await engine.end(run)
    assert sent(http_stub) == [SECRET]


async def test_a_redriven_run_sends_the_secret_with_inputs_it_took_over(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503), Answer())
    retry = {"retry": {"max_attempts": 2, "initial_interval": "1h", "max_interval": "1h"}}
    run = await engine.start({"steps": [authorized(f"{http_stub.url}/", **retry)]})
    await engine.at(run, "call", "waiting")
    await engine.cancel(run)
    await engine.end(run)
    again = await redrive(engine.platform, engine.workspace_id, run.id)
    assert (await engine.end(again)).run.status == "completed"
    assert sent(http_stub) == [SECRET, SECRET]
    first, second = (request.headers["Idempotency-Key"] for request in http_stub.requests)
    assert first == second


async def test_a_mark_whose_key_has_left_the_ring_is_said_and_not_sent(engine: Engine) -> None:
    run_id, mask = uuid4(), Mask()
    gone = (SecretStr(KeyRing.generate_key()),)
    left = workspace_values.mark(gone, engine.workspace_id, run_id, "api_key")

    async def revealed(of: UUID) -> object:
        return await workspace_values.revealed(engine.platform, engine.workspace_id, of, {"a": [left]}, mask)

    with pytest.raises(NotFound, match="left HOLDFAST_ENCRYPTION_KEYS"):
        await revealed(run_id)
    assert await revealed(uuid4()) == {"a": [left]}
