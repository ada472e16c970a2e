"""`delay`: durations, moments and times of day."""

from datetime import UTC, datetime, timedelta

import pytest

from app.json import JsonObject
from app.services import plans, redriving
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


def in_minutes(minutes: float) -> JsonObject:
    """The three ways to wait so long, by the field that says it."""
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    at = {"time": f"{moment:%H:%M:%S}", "days": [f"{moment:%a}".lower()]}
    return {"duration": f"{{{{ '{minutes}m' }}}}", "until": f"{{{{ '{moment.isoformat()}' }}}}", "at": at}


@pytest.mark.parametrize("field", ["duration", "until", "at"])
async def test_a_delay_beyond_the_plan_fails_whatever_says_how_long_it_is(engine: Engine, field: str) -> None:
    await plans.set_plan(engine.platform, engine.workspace_id, "free")
    done = await engine.steps(delay(**{field: in_minutes(62)[field]}))
    assert (done.error["type"], done.error["step_id"]) == ("limit_exceeded", "pause")
    assert done.error["message"].startswith(f"{field}: ")
    for words in ("1 hour that the plan free allows", "shorter", "larger plan", "redrive"):
        assert words in done.error["message"]
    assert done.history["TIMER_STARTED"] == 0


@pytest.mark.parametrize("field", ["duration", "until", "at"])
async def test_a_delay_within_the_plan_is_waited_for(engine: Engine, field: str) -> None:
    await plans.set_plan(engine.platform, engine.workspace_id, "free")
    run = await engine.start({"steps": [delay(**{field: in_minutes(60 if field == "duration" else 59)[field]})]})
    await engine.at(run, "pause")
    await engine.cancel(run)


async def test_a_larger_plan_counts_for_a_redrive(engine: Engine) -> None:
    await plans.set_plan(engine.platform, engine.workspace_id, "free", {"delay_seconds": 90})
    failed = await engine.steps(delay(duration="{{ '2m' }}"))
    assert "the 90 seconds that the plan free allows" in failed.error["message"]
    await plans.set_plan(engine.platform, engine.workspace_id, "pro", {})
    again = await redriving.redrive(engine.platform, engine.workspace_id, failed.run.id)
    await engine.at(again, "pause")
    await engine.cancel(again)


async def test_a_run_that_a_step_starts_has_the_plans_limit(engine: Engine) -> None:
    await plans.set_plan(engine.platform, engine.workspace_id, "free")
    await engine.publish({"steps": [delay(duration="{{ '2h' }}")]}, name="Inner")
    failed = await engine.steps({"id": "inner", "type": "run_workflow", "workflow": "inner"})
    assert failed.error["type"] == "child_failed"
    assert "1 hour that the plan free allows" in failed.error["message"]
