"""Every line about a request or a run says whose it is: of the API, of an attempt, of the run's own code."""

import logging
from typing import Any

import httpx
import pytest

from activities.http_client import HttpClient
from app.json import JsonObject
from app.temporal.messages import RunInput
from tests.support.engine import Engine, http
from tests.support.logged import lines, logged
from workflows import automation


async def test_a_line_of_a_request_says_which_and_whose(api_client: httpx.AsyncClient, engine: Engine) -> None:
    with logged(level="INFO") as written:
        answer = await api_client.get("/v1/runs")

    [line] = [each for each in lines(written) if each["logger"] == "holdfast.access"]
    assert (line["route"], line["status"]) == ("/v1/runs", 200)
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["workspace_id"] == str(engine.workspace_id)


async def test_a_line_of_an_attempt_says_which_step_of_which_run_it_is_at(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(HttpClient, "request", broken)
    call = {**http("call", "https://api.example.com/"), "retry": {"max_attempts": 1}}
    with logged(level="INFO") as written:
        done = await engine.steps({"id": "each", "type": "loop", "items": [1], "steps": [call]})

    [line] = [each for each in lines(written) if each["logger"] == "activities.runner"]
    told = {name: line[name] for name in ("run_id", "step", "workspace_id", "workflow", "action", "attempt")}
    assert told == {
        "run_id": str(done.run.id),
        "step": "each[0].call",
        "workspace_id": str(engine.workspace_id),
        "workflow": str(done.run.workflow_id),
        "action": "http.request",
        "attempt": 1,
    }
    assert done.run.status == "failed"


async def test_a_line_of_a_runs_own_code_says_which_run_and_whose(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = automation._parsed

    def telling(input: RunInput) -> Any:
        logging.getLogger("workflows.anything").warning("it walks")
        return parsed(input)

    monkeypatch.setattr(automation, "_parsed", telling)
    steps: list[JsonObject] = [{"id": "set", "type": "set_variable", "variables": {"a": 1}}]
    with logged(level="INFO") as written:
        done = await engine.steps(*steps)

    line = next(each for each in lines(written) if each["event"] == "it walks")
    told = {name: line.get(name) for name in ("run_id", "workspace_id", "workflow")}
    assert told == {
        "run_id": str(done.run.id),
        "workspace_id": str(engine.workspace_id),
        "workflow": str(done.run.workflow_id),
    }
