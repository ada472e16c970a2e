"""`event.emit`: an event of a workflow's own, kept exactly once, that says what caused it; no chain is without end."""

import asyncio
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.http_client import HttpClient
from activities.runner import ActionRunner
from app.db.engine import Statement
from app.db.models import Event, Run, Step, StepAttempt
from app.json import Json, JsonObject
from app.services import emitting, events, local_changes, records
from app.services.platform import Platform
from app.temporal.messages import ActionCall, ActionOutcome
from tests.integration.services.building import a_call, a_run
from tests.support.engine import Engine
from tests.support.waiting import eventually


class Died(BaseException):
    """What a test has a worker die of."""


def emit(step: str, type: str, **inputs: Json) -> JsonObject:
    return {"id": step, "type": "action", "action": "event.emit", "inputs": {"type": type, **inputs}}


def on(event: str, **more: Json) -> JsonObject:
    return {"type": "event", "event": event, **more}


async def all_events(engine: Engine) -> list[Event]:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await session.scalars(select(Event).order_by(Event.received_at)))


async def all_runs(engine: Engine) -> list[Run]:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await session.scalars(select(Run).order_by(Run.id)))


async def test_it_starts_and_wakes_others_and_says_what_caused_it(engine: Engine) -> None:
    answer = [{"id": "said", "type": "transform", "mapping": {"by": "{{ event.caused_by }}", "data": "{{ trigger }}"}}]
    listening = await engine.publish({"trigger": on("deal.won"), "steps": answer, "output": "{{ steps.said.output }}"})
    waits = {"id": "wait", "type": "wait_for_event", "event": "deal.*", "match": {"n": 7}}
    waiting = await engine.start({"steps": [waits]}, input={})
    await engine.at(waiting, "wait")
    workflow = await engine.publish(
        {"steps": [emit("tell", "deal.won", data={"n": 7}, subject="deal/7")], "output": "{{ steps.tell.output }}"},
        name="Teller",
    )
    done = await engine.run(workflow)
    [event] = await all_events(engine)
    cause = {"run_id": str(done.run.id), "step_path": "tell", "depth": 1}
    assert (event.source, event.subject, event.caused_by) == ("/workflows/teller", "deal/7", cause)
    [child] = [run for run in await all_runs(engine) if run.workflow_id == listening]
    told = {"id": event.id, "source": event.source, "type": "deal.won", "duplicate": False}
    told |= {"started": [str(child.id)], "woke": [str(waiting.id)]}
    assert done.output == done.steps["tell"].output == told
    assert (await engine.end(child)).output == {"by": cause, "data": {"n": 7}}
    await engine.end(waiting)
    depths = {run.id: run.cause_depth for run in await all_runs(engine)}
    assert (depths[done.run.id], depths[child.id], depths[waiting.id]) == (0, 1, 1)
    assert event.dispatched_at is not None


async def test_workflows_that_start_each_other_end_by_themselves(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    ping = await engine.publish({"trigger": on("ping"), "steps": [emit("say", "pong")]}, name="Ping")
    await engine.publish({"trigger": on("pong"), "steps": [emit("say", "ping")]}, name="Pong")
    with caplog.at_level(logging.ERROR):
        await engine.send("ping")

        async def over() -> bool:
            found = await all_runs(engine)
            return any(run.status == "failed" for run in found) and all(run.finished_at for run in found)

        await eventually(over, what="the chain has ended", within=30)
    found = await all_runs(engine)
    assert [run.cause_depth for run in found] == list(range(21))
    assert [run.status for run in found] == ["completed"] * 20 + ["failed"]
    last = found[-1]
    assert last.error is not None
    assert (last.error["type"], last.workflow_id) == ("event_chain_too_deep", ping)
    assert "would be event 21 of a chain" in last.error["message"]
    told = [one.getMessage() for one in caplog.records if "chain of 20 events" in one.getMessage()]
    assert told == [told[0]]
    for part in (str(last.id), "'Ping'", "pong", "say"):
        assert part in told[0]


async def test_runs_that_wake_each_other_for_ever_end_as_well(engine: Engine) -> None:
    def turns(hears: str, says: str, next: int) -> list[JsonObject]:
        match = {"n": "{{ loop.index }}"}
        wait = {"id": "wait", "type": "wait_for_event", "event": hears, "since": "run_start", "match": match}
        say = emit("say", says, data={"n": f"{{{{ loop.index + {next} }}}}"})
        return [{"id": "turn", "type": "loop", "items": list(range(30)), "steps": [wait, say]}]

    first, second = [
        await engine.start({"steps": turns(*words)}) for words in (("tick", "tock", 0), ("tock", "tick", 1))
    ]
    for run in (first, second):
        await engine.at(run, "turn[0].wait")
    await engine.send("tick", {"n": 0})

    async def over() -> bool:
        return any(run.status == "failed" for run in await all_runs(engine))

    await eventually(over, what="one of them has failed", within=30)
    [failed] = [run for run in await all_runs(engine) if run.status == "failed"]
    assert failed.error is not None
    assert (failed.error["type"], failed.cause_depth) == ("event_chain_too_deep", 20)
    [other] = [run for run in await all_runs(engine) if run.status != "failed"]
    await engine.cancel(other)


async def test_children_and_retries_are_part_of_the_chain(engine: Engine) -> None:
    fails = {"id": "no", "type": "stop", "status": "failed", "reason": "no"}
    await engine.publish({"steps": [emit("say", "said"), fails]}, name="Child")
    step = {"id": "sub", "type": "run_workflow", "workflow": "child", "on_error": "continue"}
    await engine.publish({"trigger": on("begin"), "steps": [emit("say", "once"), step]}, name="Parent")
    await engine.publish({"trigger": on("once"), "steps": [step]}, name="Grandparent")
    await engine.send("begin")

    async def three() -> list[Event]:
        found = [event for event in await all_events(engine) if event.type == "said"]
        return found if len(found) == 2 else []

    found = await eventually(three, what="both children have spoken")
    assert sorted(event.caused_by["depth"] for event in found or [] if event.caused_by) == [1, 2]


async def test_an_event_of_its_own_id_is_emitted_once(engine: Engine) -> None:
    steps = [emit("one", "a.b", id="x", source="/own", data=1), emit("two", "a.b", id="x", source="/own", data=2)]
    done = await engine.steps(*steps)
    assert [done.steps[path].output["duplicate"] for path in ("one", "two")] == [False, True]
    [event] = await all_events(engine)
    assert (event.id, event.source, event.data) == ("x", "/own", 1)


async def test_each_time_a_step_is_done_it_is_another_event(engine: Engine) -> None:
    loop = {"id": "each", "type": "loop", "items": [1, 2, 3], "steps": [emit("say", "a.b", data="{{ loop.index }}")]}
    await engine.steps(loop)
    assert len({event.id for event in await all_events(engine)}) == 3


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"type": "a.*"}, "without a wildcard"),
        ({"type": "a b"}, "words between dots"),
        ({"type": "a.b", "time": "noon"}, "inputs.time"),
        ({"type": "a.b", "id": "x" * 300}, "more than the 256 it may have"),
        ({"type": "a.b", "subject": "x" * 1025}, "more than the 1024 it may have"),
    ],
)
async def test_what_is_no_event_is_refused_by_name(engine: Engine, inputs: JsonObject, says: str) -> None:
    given = {name: f"{{{{ trigger.{name} }}}}" for name in inputs}
    steps = [{"id": "say", "type": "action", "action": "event.emit", "inputs": given}]
    done = await engine.run({"steps": steps}, input=inputs)
    assert done.error["type"] == "invalid_input"
    assert says in done.error["message"]
    assert await all_events(engine) == []


def an_emit(engine: Engine, run_id: UUID, **changes: Any) -> ActionCall:
    given = {"inputs": {"type": "a.b", "data": 1}, **changes}
    return a_call(engine.workspace_id, run_id, action="event.emit", path="say", key=f"{run_id}/say", **given)


@pytest.fixture
async def attempt(platform: Platform) -> Any:
    """One attempt of `event.emit`, as a worker makes it."""
    http = HttpClient(platform.settings)
    activities = {each.__temporal_activity_definition.name: each for each in ActionRunner(platform, http).activities()}  # type: ignore[attr-defined]

    async def made(call: ActionCall) -> ActionOutcome:
        outcome: ActionOutcome = await ActivityEnvironment().run(activities["event.emit"], call)
        return outcome

    yield made
    await http.close()


async def test_a_worker_that_dies_after_the_commit_has_emitted_it_once(
    engine: Engine, attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = await engine.publish({"trigger": on("a.b"), "steps": [{"id": "a", "type": "delay", "duration": "1ms"}]})
    run_id = await a_run(engine.platform, engine.workspace_id)

    async def dies(*_: Any) -> Any:
        raise Died

    with monkeypatch.context() as death:
        death.setattr(ActionRunner, "_followed", dies)
        with pytest.raises(Died):
            await attempt(an_emit(engine, run_id))
    assert [run.workflow_id for run in await all_runs(engine) if run.workflow_id == workflow] == []
    again = await attempt(an_emit(engine, run_id))
    [event] = await all_events(engine)
    assert (again.repeated, again.output["id"], again.output["started"]) == (True, event.id, [])
    await events.dispatch_pending(engine.platform, engine.workspace_id, 10, older_than=timedelta(0))
    assert [run.workflow_id for run in await all_runs(engine) if run.workflow_id == workflow] == [workflow]


async def test_a_worker_that_dies_before_the_commit_has_emitted_nothing(
    engine: Engine, attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await a_run(engine.platform, engine.workspace_id)

    def dies(*_: Any) -> Any:
        raise Died

    with monkeypatch.context() as death:
        death.setattr(records, "commit_of", dies)
        with pytest.raises(Died):
            await attempt(an_emit(engine, run_id))
    assert await all_events(engine) == []
    assert not (await attempt(an_emit(engine, run_id))).repeated
    assert len(await all_events(engine)) == 1


async def test_a_database_that_goes_away_in_the_middle_is_no_failed_attempt(
    engine: Engine, attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await a_run(engine.platform, engine.workspace_id)
    emitter = emitting.emitting.emitter

    async def cut_off(session: AsyncSession, *given: Any) -> Any:
        own = await session.scalar(select(func.pg_backend_pid()))
        kill = Statement("SELECT pg_terminate_backend(%(own)s)", {"own": own})
        await engine.platform.database.run(engine.workspace_id, kill)
        monkeypatch.setattr(emitting.emitting, "emitter", emitter)
        return await emitter(session, *given)

    monkeypatch.setattr(emitting.emitting, "emitter", cut_off)
    outcome = await attempt(an_emit(engine, run_id))
    assert (outcome.attempt, outcome.repeated, len(await all_events(engine))) == (1, False, 1)
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        assert await session.scalar(select(func.count()).select_from(StepAttempt)) == 0


async def test_text_nobody_can_keep_costs_a_character(engine: Engine, attempt: Any) -> None:
    run_id = await a_run(engine.platform, engine.workspace_id)
    await attempt(an_emit(engine, run_id, inputs={"type": "a.b", "data": ["b\udfff\x00"]}))
    [event] = await all_events(engine)
    assert event.data == ["b" + 2 * "\N{REPLACEMENT CHARACTER}"]


async def test_attempts_at_the_same_time_emit_it_once(engine: Engine, attempt: Any) -> None:
    run_id = await a_run(engine.platform, engine.workspace_id)
    made = await asyncio.gather(*(attempt(an_emit(engine, run_id)) for _ in range(5)))
    assert sorted(outcome.repeated for outcome in made) == [False, True, True, True, True]
    assert len({outcome.output["id"] for outcome in made}) == 1
    assert len(await all_events(engine)) == 1


async def test_nothing_is_emitted_in_the_name_of_a_run_that_has_ended(engine: Engine, attempt: Any) -> None:
    run_id = await a_run(engine.platform, engine.workspace_id, status="cancelled")
    with pytest.raises(ApplicationError, match="the run has ended"):
        await attempt(an_emit(engine, run_id))
    assert await all_events(engine) == []


async def test_a_failing_change_leaves_neither_change_nor_outcome(engine: Engine) -> None:
    run_id = await a_run(engine.platform, engine.workspace_id)

    async def change(local: local_changes.LocalChange) -> ActionOutcome:
        await local.session.execute(update(Run).where(Run.id == run_id).values(cause_depth=9))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await local_changes.make(engine.platform, an_emit(engine, run_id), change)
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        assert await session.scalar(select(Run.cause_depth).where(Run.id == run_id)) == 0
        assert await session.scalar(select(func.count()).select_from(Step)) == 0
