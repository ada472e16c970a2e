"""`delay`: durations, moments and times of day."""

from datetime import UTC, datetime, timedelta

import pytest

from app.json import JsonObject
from tests.support.engine import Engine


def delay(**how: object) -> JsonObject:
    return {"id": "pause", "type": "delay", **how}


async def test_a_duration_is_waited_for(engine: Engine) -> None:
    done = await engine.steps(delay(duration="{{ trigger.ms }}ms"), input={"ms": 50}, output="{{ steps.pause.output }}")
    assert done.output["waited"] is True
    step = done.steps["pause"]
    assert step.started_at is not None
    assert step.finished_at is not None
    assert step.finished_at - step.started_at >= timedelta(milliseconds=49)
    assert done.history["TIMER_FIRED"] == 1


async def test_a_moment_is_waited_for(engine: Engine) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    done = await engine.steps(delay(until="{{ trigger.until }}"), input={"until": until}, output="{{ now }}")
    assert datetime.fromisoformat(done.output) >= datetime.fromisoformat(until) - timedelta(milliseconds=1)


async def test_a_past_moment_goes_on_at_once_and_says_so(engine: Engine) -> None:
    done = await engine.steps(delay(until="2001-02-03T04:05:06Z"), output="{{ steps.pause.output }}")
    assert done.output == {"until": "2001-02-03T04:05:06.000Z", "waited": False}
    assert done.history["TIMER_STARTED"] == 0


async def test_a_time_of_day_is_the_next_such_moment(engine: Engine) -> None:
    at = {"time": "09:00", "timezone": "Europe/Berlin", "days": ["mon"]}
    run = await engine.start({"steps": [delay(at=at)]})
    await engine.at(run, "pause")
    [step] = (await engine.timeline(run)).steps
    assert step.wait is not None
    until = datetime.fromisoformat(step.wait["until"])
    await engine.cancel(run)
    assert datetime.now(UTC) < until <= datetime.now(UTC) + timedelta(days=8)
    assert until.weekday() == 0
    assert until.hour in (7, 8)


async def test_a_long_delay_is_seen_in_the_runs_row(engine: Engine) -> None:
    run = await engine.start({"steps": [delay(duration="3d", name="Three days")]})
    await engine.at(run, "pause")
    handle = await engine.handle(run)
    assert (await handle.describe()).status is not None
    row = await engine.row(run)
    await engine.cancel(run)
    done = await engine.end(run)
    assert (row.status, row.current_step) == ("waiting", "pause")
    assert row.waiting_for is not None
    assert row.waiting_for["kind"] == "delay"
    assert done.statuses() == {"pause": "cancelled"}
    assert done.run.waiting_for is None


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ({"duration": "{{ trigger.value }}"}, "duration"),
        ({"until": "{{ trigger.value }}"}, "until"),
    ],
)
@pytest.mark.parametrize("value", ["-5m", "soon", 5, None, "9999-12-31T23:59:59Z", "400000d", [], "2030-01-01"])
async def test_what_is_no_duration_and_no_moment_is_an_error(
    engine: Engine, how: JsonObject, names: str, value: object
) -> None:
    done = await engine.steps(delay(**how), input={"value": value})
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith(f"{names}:")
