"""What the first task of a run's execution does is new, and its outcome is not looked for first; all else is."""

import asyncio

import pytest

from app.services import records
from app.temporal.messages import ActionCall, ActionOutcome
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.lost_task import LAST, tasks_lost
from tests.support.redrives import Redrives
from tests.support.steps import delay
from tests.support.waiting import eventually

Looks = list[str]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Paths of the effects whose stored outcome was looked for."""
    stored, looks = records.stored_outcome, Looks()

    async def noted(platform: object, call: ActionCall) -> ActionOutcome | None:
        looks.append(call.path)
        return await stored(platform, call)  # type: ignore[arg-type]

    monkeypatch.setattr(records, "stored_outcome", noted)
    return looks


async def test_only_later_tasks_look(engine: Engine, http_stub: HttpStub, looks: Looks) -> None:
    effects = [http(id, f"{http_stub.url}/") for id in ("first", "second", "third")]
    done = await engine.steps(*effects[:2], delay("pause", "1ms"), effects[2])
    assert done.run.status == "completed"
    assert looks == ["third"]


async def test_the_task_that_takes_a_lost_ones_place_looks(engine: Engine, http_stub: HttpStub, looks: Looks) -> None:
    async with tasks_lost():
        run = await engine.start({"steps": [http("first", f"{http_stub.url}/"), http(LAST, f"{http_stub.url}/")]})
        await eventually(lambda: looks, what="the task is made again")
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert set(looks) == {"first", LAST}
    assert len(http_stub.requests) == 2


async def test_a_run_that_is_ended_in_its_first_task_makes_no_further_effect(
    engine: Engine, http_stub: HttpStub, looks: Looks
) -> None:
    """Of a termination the worker hears when the task is over; the run's row tells it at once."""
    asked, ended = asyncio.Event(), asyncio.Event()

    async def answer(_: Asked) -> Answer:
        asked.set()
        await ended.wait()
        return Answer(json={})

    http_stub.otherwise(answer)
    run = await engine.start({"steps": [http(id, f"{http_stub.url}/{id}") for id in ("first", "second")]})
    await asked.wait()
    await Redrives(engine, http_stub).terminate(run)
    ended.set()
    await eventually(lambda: "second" in looks, what="the second effect is about to be made")
    assert (await engine.row(run)).status == "failed"
    assert not http_stub.asked("/second")
