"""The database goes away while runs are under way: they hold still, nothing is done twice, nothing is lost."""

from collections.abc import Callable
from typing import Any

import pytest

from app.services import records
from app.services.errors import Unavailable
from tests.support.engine import Engine, http
from tests.support.http_stub import HttpStub
from tests.support.steps import delay

Away = Callable[[str, int], list[int]]


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Away:
    """`away("record_batch", 3)`: the next three calls of it find no database."""

    def make(function: str, times: int) -> list[int]:
        real = getattr(records, function)
        refused: list[int] = []

        async def sometimes(*args: Any, **named: Any) -> Any:
            if len(refused) < times:
                refused.append(1)
                raise Unavailable("database_unavailable", "the database cannot be reached")
            return await real(*args, **named)

        monkeypatch.setattr(records, function, sometimes)
        return refused

    return make


async def test_before_an_effect_it_is_left_to_temporal_and_no_attempt_is_used_up(
    engine: Engine, http_stub: HttpStub, away: Away
) -> None:
    fetch = http("fetch", f"{http_stub.url}/", retry={"max_attempts": 1})
    workflow = await engine.publish({"steps": [delay("first", "1ms"), fetch]})
    refused = away("stored_outcome", 3)
    done = await engine.run(workflow)
    assert done.run.status == "completed"
    assert len(refused) == 3
    assert len(http_stub.requests) == 1
    assert done.steps["fetch"].attempt == 1
    assert done.history["ACTIVITY_TASK_SCHEDULED"] == 1


async def test_after_an_effect_its_outcome_is_kept_and_not_done_again(
    engine: Engine, http_stub: HttpStub, away: Away
) -> None:
    workflow = await engine.publish({"steps": [http("fetch", f"{http_stub.url}/")]})
    refused = away("commit_outcome", 3)
    done = await engine.run(workflow)
    assert done.steps["fetch"].status == "completed"
    assert len(refused) == 3
    assert len(http_stub.requests) == 1


async def test_a_failed_attempt_is_not_held_up_by_its_row(engine: Engine, http_stub: HttpStub, away: Away) -> None:
    workflow = await engine.publish({"steps": [http("fetch", "http://127.0.0.1:1/")]})
    refused = away("record_failed_attempt", 100)
    done = await engine.run(workflow)
    assert (done.run.status, done.steps["fetch"].attempt) == ("failed", 3)
    assert len(refused) == 3


@pytest.mark.parametrize("function", ["record_batch", "open_wait", "set_workflow_variables"])
async def test_the_runs_own_records_are_written_when_it_is_back(engine: Engine, away: Away, function: str) -> None:
    steps = [
        {"id": "keep", "type": "set_variable", "variables": {"n": 2}, "scope": "workflow"},
        {"id": "wait", "type": "wait_for_event", "event": "never", "timeout": "50ms"},
    ]
    workflow = await engine.publish({"variables": {"n": 1}, "steps": steps})
    refused = away(function, 3)
    done = await engine.run(workflow)
    assert done.run.status == "completed"
    assert len(refused) == 3
    assert done.statuses() == {"keep": "completed", "wait": "completed"}
