"""`wait_for_event`: which events end a wait, from when on they count, and that none is lost or counted twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.db.models import Wait
from app.definition import conditions
from app.json import JsonObject
from app.services import records
from app.temporal import names
from app.temporal.messages import DeliveredEvent
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.waiting import eventually


def wait(event: str = "order.created", **more: Any) -> JsonObject:
    return {"id": "bought", "type": "wait_for_event", "event": event, **more}


MINE = {"field": "data.contact_id", "operator": "equals", "value": "{{ trigger.contact }}"}
SEEN = {
    "data": "{{ steps.bought.output | default(none) }}",
    "type": "{{ steps.bought.event.type | default(none) }}",
    "timed_out": "{{ steps.bought.timed_out }}",
}


async def test_an_event_that_matches_ends_the_wait(engine: Engine) -> None:
    run = await engine.start({"steps": [wait(match=MINE)], "output": SEEN}, input={"contact": 7})
    await engine.at(run, "bought")
    assert (await engine.send("order.created", {"contact_id": 8})).woke == []
    assert (await engine.send("order.cancelled", {"contact_id": 7})).woke == []
    assert (await engine.send("order.created", {"contact_id": 7, "total": 12})).woke == [str(run.id)]
    done = await engine.end(run)
    assert done.output == {"data": {"contact_id": 7, "total": 12}, "type": "order.created", "timed_out": False}
    [row] = await engine.waits(run)
    assert row.closed_at is not None


async def test_a_wildcard_takes_every_type_below_it(engine: Engine) -> None:
    run = await engine.start({"steps": [wait("order.*")], "output": SEEN})
    await engine.at(run, "bought")
    await engine.send("ordering.done")
    await engine.send("order.line.added", {"line": 1})
    assert (await engine.end(run)).output["type"] == "order.line.added"


@pytest.mark.parametrize(
    "match",
    [
        {"contact_id": "{{ trigger.contact }}", "total": {"$gt": 50}},
        "{{ data.contact_id == trigger.contact and data.total > 50 }}",
        {"all": [MINE, {"field": "event.data.total", "operator": "greater_than", "value": 50}]},
    ],
)
async def test_every_way_to_say_what_matches(engine: Engine, match: conditions.EventFilter) -> None:
    run = await engine.start({"steps": [wait(match=match)], "output": SEEN}, input={"contact": 7})
    await engine.at(run, "bought")
    await engine.send("order.created", {"contact_id": 7, "total": 50})
    await engine.send("order.created", {"contact_id": 7, "total": 51})
    assert (await engine.end(run)).output["data"]["total"] == 51


async def test_a_wait_that_times_out_continues(engine: Engine) -> None:
    done = await engine.steps(wait(timeout="50ms"), output=SEEN)
    assert done.output == {"data": None, "type": None, "timed_out": True}
    [row] = await engine.waits(done.run)
    assert row.closed_at is not None


async def test_a_wait_that_must_not_time_out_fails(engine: Engine) -> None:
    done = await engine.steps(wait(timeout="50ms", on_timeout="fail"))
    assert done.error["type"] == "wait_timed_out"
    assert "order.created" in done.error["message"]
    assert done.statuses() == {"bought": "failed"}


async def test_a_wait_that_failed_and_goes_on_says_that_it_timed_out(engine: Engine) -> None:
    done = await engine.steps(wait(timeout="50ms", on_timeout="fail", on_error="continue"), output=SEEN)
    assert done.output["timed_out"] is True


async def test_since_run_start_finds_an_earlier_event(engine: Engine, http_stub: HttpStub) -> None:
    async def buy_meanwhile(_asked: Asked) -> Answer:
        await engine.send("order.created", {"contact_id": 7, "n": 1})
        await engine.send("order.created", {"contact_id": 7, "n": 2})
        return Answer()

    http_stub.answer("/", buy_meanwhile)
    steps = [http("fetch", f"{http_stub.url}/"), wait(match=MINE, since="run_start", timeout="1h")]
    done = await engine.run({"steps": steps, "output": SEEN}, input={"contact": 7})
    assert done.output["data"]["n"] == 1, "the earliest"


async def test_since_wait_start_does_not_count_what_came_before(engine: Engine, http_stub: HttpStub) -> None:
    async def buy_meanwhile(_asked: Asked) -> Answer:
        await engine.send("order.created")
        return Answer()

    http_stub.answer("/", buy_meanwhile)
    done = await engine.steps(http("fetch", f"{http_stub.url}/"), wait(timeout="200ms"), output=SEEN)
    assert done.output["timed_out"] is True


async def test_since_a_moment_counts_from_then_on(engine: Engine) -> None:
    await engine.send("order.created", {"n": 1})
    since = {"since": "{{ trigger.since }}", "timeout": "200ms"}
    workflow = await engine.publish({"steps": [wait(**since)], "output": SEEN})
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert (await engine.run(workflow, input={"since": hour_ago})).output["data"] == {"n": 1}
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert (await engine.run(workflow, input={"since": later})).output["timed_out"] is True


async def test_an_unreadable_since_is_an_error(engine: Engine) -> None:
    done = await engine.steps(wait(since="{{ trigger.since }}"), input={"since": "yesterday"})
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith("since:")


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_the_ends_of_time_are_moments_like_others(engine: Engine, since: str) -> None:
    await engine.send("order.created")
    done = await engine.steps(wait(since=since, timeout="200ms"), output=SEEN)
    assert done.output["timed_out"] is (since > "2026")


async def test_the_same_event_twice_counts_once(engine: Engine) -> None:
    second = {**wait(), "id": "again", "timeout": "400ms"}
    run = await engine.start({"steps": [wait(), second], "output": "{{ steps.again.timed_out }}"})
    await engine.at(run, "bought")
    await engine.send("order.created", {"n": 1}, id="e1")
    await engine.at(run, "again")
    repeated = await engine.send("order.created", {"n": 1}, id="e1")
    assert repeated.duplicate is True
    assert (await engine.end(run)).output is True


async def test_a_signal_repeated_by_a_second_dispatch_counts_once(engine: Engine) -> None:
    loop = {"id": "each", "type": "loop", "items": [1, 2], "steps": [wait()], "collect": "{{ steps.bought.output }}"}
    # The last wait keeps the run under way: a signal to a run that has ended would be refused.
    steps = [loop, {**wait("order.paid"), "id": "paid"}]
    run = await engine.start({"steps": steps, "output": "{{ steps.each.output.results }}"})
    handle = await engine.handle(run)
    for index in range(2):
        path = f"each[{index}].bought"
        await engine.at(run, path)
        event = {"specversion": "1.0", "id": f"e{index}", "source": "test", "type": "order.created", "data": index}
        delivered = DeliveredEvent(event=event, paths=[path])
        await handle.signal(names.DELIVER_EVENT_SIGNAL, delivered)
        await handle.signal(names.DELIVER_EVENT_SIGNAL, delivered)
    await engine.at(run, "paid")
    await engine.send("order.paid", {})
    assert (await engine.end(run)).output == [0, 1]


async def test_events_that_come_while_waits_are_registered_are_not_lost(engine: Engine) -> None:
    """Many runs begin to wait while many events arrive: whichever comes first, each run gets its own."""
    workflow = await engine.publish(
        {
            "steps": [wait(match=MINE, since="run_start", timeout="20s")],
            "output": "{{ steps.bought.output.contact_id }}",
        }
    )
    started = []
    for number in range(12):
        started.append(await engine.start(workflow, input={"contact": number}))
        await engine.send("order.created", {"contact_id": number})
    assert [(await engine.end(run)).output for run in started] == list(range(12))


async def test_an_event_between_registering_and_waiting_is_not_lost(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the wait's row, while the run has not yet been told that it is registered."""
    open_wait = records.open_wait

    async def then_an_event(platform: Any, wait: Any) -> Any:
        opened = await open_wait(platform, wait)
        assert opened.found is None
        assert len((await engine.send("order.created", {"n": 1})).woke) == 1
        return opened

    monkeypatch.setattr(records, "open_wait", then_an_event)
    done = await engine.steps(wait(timeout="10s"), output=SEEN)
    assert done.output["data"] == {"n": 1}
    assert done.history["TIMER_FIRED"] == 0


async def test_an_event_between_two_attempts_of_a_wait_is_found_by_the_second(engine: Engine) -> None:
    retry = {"max_attempts": 2, "initial_interval": "2s", "jitter": 0}
    run = await engine.start({"steps": [wait(timeout="100ms", on_timeout="fail", retry=retry)], "output": SEEN})

    async def between() -> bool:
        steps = {step.path: step for step in (await engine.timeline(run)).steps}
        return "bought" in steps and steps["bought"].attempt == 2

    await eventually(between, what="the first attempt has timed out")
    await engine.send("order.created", {"between": True})
    assert (await engine.end(run)).output["data"] == {"between": True}


async def test_a_wait_with_retry_waits_anew(engine: Engine) -> None:
    retry = {"max_attempts": 50, "initial_interval": "5ms"}
    run = await engine.start({"steps": [wait(timeout="250ms", on_timeout="fail", retry=retry)], "output": SEEN})

    async def second_attempt_waits() -> bool:
        [step] = (await engine.timeline(run)).steps
        return step.attempt >= 2 and [row.closed_at for row in await engine.waits(run)] == [None]

    await eventually(second_attempt_waits)
    await engine.send("order.created", {"n": 1})
    done = await engine.end(run)
    assert done.output == {"data": {"n": 1}, "type": "order.created", "timed_out": False}
    assert done.steps["bought"].attempt >= 2
    assert [row.closed_at is None for row in await engine.waits(run)] == [False]


async def test_one_event_ends_all_waits_it_matches(engine: Engine) -> None:
    other = {**wait("order.*"), "id": "also"}
    branches = [{"name": "a", "steps": [wait()]}, {"name": "b", "steps": [other]}]
    run = await engine.start({"steps": [{"id": "both", "type": "parallel", "branches": branches}]})
    await engine.at(run, "both.bought")
    await engine.at(run, "both.also")
    assert (await engine.send("order.created")).woke == [str(run.id)]
    assert (await engine.end(run)).run.status == "completed"


async def test_a_match_that_names_nothing_fails_the_step(engine: Engine) -> None:
    match = {"field": "data.id", "operator": "equals", "value": "{{ trigger.contact.id }}"}
    done = await engine.steps(wait(match=match))
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith("match:")


async def test_values_of_the_run_in_a_match_are_fixed_when_the_wait_begins(engine: Engine, http_stub: HttpStub) -> None:
    match = {"field": "data.n", "operator": "equals", "value": "{{ vars.n }}"}
    change = [
        http("slow", f"{http_stub.url}/"),
        {"id": "change", "type": "set_variable", "variables": {"n": 2}},
    ]
    branches = [{"name": "wait", "steps": [wait(match=match)]}, {"name": "change", "steps": change}]
    definition = {"variables": {"n": 1}, "steps": [{"id": "both", "type": "parallel", "branches": branches}]}
    run = await engine.start(definition)
    await engine.at(run, "both.change", "completed")
    assert (await engine.send("order.created", {"n": 2})).woke == []
    assert (await engine.send("order.created", {"n": 1})).woke == [str(run.id)]
    assert (await engine.end(run)).run.status == "completed"


async def test_the_row_shows_what_a_run_waits_for(engine: Engine) -> None:
    run = await engine.start({"steps": [wait(timeout="30d")]})

    async def waiting() -> bool:
        return (await engine.row(run)).status == "waiting"

    await eventually(waiting)
    row = await engine.row(run)
    assert row.waiting_for is not None
    assert (row.waiting_for["kind"], row.waiting_for["event"]) == ("event", "order.created")
    assert row.current_step == "bought"
    assert (await engine.step_rows(run))["bought"].status == "waiting"
    await engine.send("order.created")
    done = await engine.end(run)
    assert (done.run.status, done.run.waiting_for) == ("completed", None)
    assert done.steps["bought"].status == "completed"


async def test_cancelling_ends_a_wait_and_closes_it(engine: Engine) -> None:
    run = await engine.start({"steps": [wait()]})
    await engine.at(run, "bought")
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert done.statuses() == {"bought": "cancelled"}
    [row] = await engine.waits(run)
    assert row.closed_at is not None
    assert (await engine.send("order.created")).woke == []


async def test_an_event_that_comes_after_the_deadline_wakes_nobody_though_the_wait_is_not_closed_yet(
    engine: Engine,
) -> None:
    run = await engine.start({"steps": [wait(timeout="1h")]})
    await engine.at(run, "bought")
    # As if the deadline had passed while no worker was up to close the wait.
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(update(Wait).where(Wait.run_id == run.id).values(until=Wait.since))
    assert (await engine.send("order.created")).woke == []
    await engine.cancel(run)
