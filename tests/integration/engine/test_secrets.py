"""What a step's failure may tell Temporal and the log: never the secret that made it fail."""

import logging

import pytest

from app.json import JsonObject
from tests.support.engine import Engine
from tests.support.http_stub import HttpStub
from tests.support.searching import event_text

SECRET = "s3cr3t-vaLue"


@pytest.mark.parametrize(
    "unfit",
    [
        {"auth": {"type": "bearer", "token": f"{SECRET} with a space"}},
        {"auth": {"type": "basic", "username": "ada", "password": [SECRET]}},
    ],
    ids=["token", "password"],
)
async def test_a_secret_that_does_not_fit_is_in_no_failure_and_no_log(
    engine: Engine, http_stub: HttpStub, caplog: pytest.LogCaptureFixture, unfit: JsonObject
) -> None:
    (name,) = unfit
    step = {
        "id": "call",
        "type": "action",
        "action": "http.request",
        "inputs": {"url": http_stub.url, name: "{{ trigger.given }}"},
    }
    with caplog.at_level(logging.WARNING):
        run = await engine.start({"steps": [step]}, input={"given": unfit[name]})
        done = await engine.end(run)
    assert done.error["type"] == "invalid_input"
    history = await (await engine.handle(run)).fetch_history()
    # The first event holds the run's input, where its sender put the secret.
    assert [number for number, event in enumerate(history.events) if SECRET in event_text(event)] == [0]
    assert SECRET not in caplog.text
    assert SECRET not in str(done.error) + str(done.steps["call"].error) + str(done.steps["call"].inputs)
