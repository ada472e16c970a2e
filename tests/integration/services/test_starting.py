"""A start that finds its workflow as the start before did takes one round trip, and says no more than it may."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import func, update
from temporalio.service import RPCError, RPCStatusCode

from app.db.models import Run
from app.json import JsonObject
from app.services import answering, launching, publishing, runs, steering, workflows, workspaces
from app.services.errors import Conflict, Invalid, NotFound
from app.store import workflow_variables
from tests.support.waiting import eventually

STEPS = [{"id": "one", "type": "transform", "mapping": {"a": 1}}]
WAITS: JsonObject = {"trigger": {"type": "manual"}, "steps": [{"id": "hold", "type": "delay", "duration": "1h"}]}


def definition(**head) -> JsonObject:
    return {"trigger": {"type": "manual"}, "steps": STEPS, **head}


class Transactions:
    """How often the longer way was taken."""

    def __init__(self, platform, monkeypatch) -> None:
        self.count = 0
        self._begin = platform.database.transaction
        monkeypatch.setattr(platform.database, "transaction", self._counted)

    def _counted(self, workspace_id):
        self.count += 1
        return self._begin(workspace_id)


async def again(engine, workflow_id, **options):
    """A start by a process that started the workflow before."""
    await engine.start(workflow_id)
    return await engine.start(workflow_id, **options)


async def test_the_second_start_opens_no_transaction(engine, monkeypatch):
    workflow_id = await engine.publish(definition(variables={"a": 1}))
    first = await engine.start(workflow_id)
    transactions = Transactions(engine.platform, monkeypatch)
    second = await engine.start(workflow_id, input={"n": 2}, variables={"a": 2})
    assert transactions.count == 0
    kept = await engine.row(second)
    assert (kept.status, kept.input, kept.variables) == ("running", {"n": 2}, {"a": 2})
    assert (kept.workflow_name, kept.version, kept.steps_total) == (first.workflow_name, 1, first.steps_total)
    assert kept.started_at is not None
    assert (second.id, second.status, second.temporal_run_id) == (kept.id, "running", kept.temporal_run_id)


async def test_what_changed_meanwhile_is_seen(engine):
    workflow_id = await engine.publish(definition())
    await engine.start(workflow_id)
    platform, workspace_id = engine.platform, engine.workspace_id
    await workflows.update(platform, workspace_id, workflow_id, {"name": "Renamed"})
    assert (await engine.start(workflow_id)).workflow_name == "Renamed"
    await publishing.pause(platform, workspace_id, workflow_id)
    with pytest.raises(Conflict, match="paused"):
        await engine.start(workflow_id)


async def test_a_new_version_is_taken_with_its_own_rules(engine):
    workflow_id = await engine.publish(definition())
    await engine.start(workflow_id)
    schema = {"type": "object", "required": ["email"]}
    await publishing.pause(engine.platform, engine.workspace_id, workflow_id)
    changed = definition(trigger={"type": "manual", "input_schema": schema}, variables={"v": 0})
    await workflows.update(engine.platform, engine.workspace_id, workflow_id, {"definition": changed})
    await workflows.publish(engine.platform, engine.workspace_id, workflow_id, comment=None, published_by="test")
    with pytest.raises(Invalid, match="email"):
        await engine.start(workflow_id)
    run = await engine.start(workflow_id, input={"email": "a@example.com"}, variables={"v": 1})
    assert (run.version, run.variables) == (2, {"v": 1})


async def test_variables_kept_for_the_workflow_are_merged(engine):
    workflow_id = await engine.publish(definition(variables={"a": 0, "b": 0}))
    await engine.start(workflow_id)
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await workflow_variables.keep(session, engine.workspace_id, workflow_id, {"a": 7})
    assert (await engine.start(workflow_id, variables={"b": 1})).variables == {"a": 7, "b": 1}


async def test_the_same_key_gives_the_same_run(engine):
    workflow_id = await engine.publish(definition())
    first = await again(engine, workflow_id, idempotency_key="k")
    assert (await engine.start(workflow_id, idempotency_key="k")).id == first.id
    with pytest.raises(Conflict, match="Idempotency-Key"):
        await engine.start(workflow_id, idempotency_key="k", input={"another": 1})


async def test_a_hundred_starts_with_one_key_make_one_run(engine):
    workflow_id = await engine.publish(definition())
    await engine.start(workflow_id)
    found = await asyncio.gather(*(engine.start(workflow_id, idempotency_key="k") for _ in range(100)))
    assert len({run.id for run in found}) == 1


async def test_another_workspace_starts_nothing(engine, platform):
    workflow_id = await engine.publish(definition())
    await engine.start(workflow_id)
    other, _ = await workspaces.create_workspace(platform, "Other")
    with pytest.raises(NotFound):
        await runs.start(platform, other.workspace_id, workflow_id, input={})


async def test_a_run_that_is_waited_for_is_noted_when_it_takes_longer(engine):
    workflow_id = await engine.publish(WAITS)
    run = await engine.start(workflow_id, noted_later=True)
    assert (run.status, (await engine.row(run)).status) == ("running", "pending")
    seen = await answering.wait_for_answer(engine.platform, run, 0.3)
    assert (seen.status, seen.temporal_run_id) == ("running", run.temporal_run_id)
    assert (await engine.row(run)).status == "running"


async def test_a_run_nobody_noted_is_found_by_upkeep_and_by_who_cancels_it(engine):
    workflow_id = await engine.publish(WAITS)
    run = await engine.start(workflow_id, noted_later=True)
    assert await runs.request_cancel(engine.platform, await engine.row(run)) is None
    description = await (await launching.handle_of(engine.platform, run.id)).describe()
    assert (await engine.row(run)).status == "pending"
    assert description.run_id == run.temporal_run_id
    assert (
        await launching.start_pending(engine.platform, engine.workspace_id, 10, older_than=-launching.PENDING_FOR) == 1
    )
    assert (await engine.row(run)).status == "running"


async def test_a_run_whose_turn_does_not_come_stays_pending_and_is_handed_over_later(engine, platform, monkeypatch):
    workflow_id = await engine.publish(WAITS)
    other, _ = await workspaces.create_workspace(platform, "Other")
    monkeypatch.setattr(launching, "TURN_SECONDS", 0.0)
    async with platform.turns.turn(other.workspace_id), platform.turns.turn(engine.workspace_id):
        asked = await asyncio.gather(*(engine.start(workflow_id) for _ in range(3)))
        assert {run.status for run in asked} == {"pending"}
        assert await launching.start_pending(platform, engine.workspace_id, 10, older_than=timedelta(0)) == 0
    assert await launching.start_pending(platform, engine.workspace_id, 10, older_than=timedelta(0)) == 3
    assert {(await engine.row(run)).status for run in asked} == {"running"}


async def test_what_upkeep_hands_over_leaves_others_as_long_as_it_took_and_half_a_second_at_most(engine, monkeypatch):
    workflow_id = await engine.publish(WAITS)
    for _ in range(3):
        await engine.start(workflow_id, noted_later=True)
    clock, took, left, sleep = 0.0, iter([0.2, 60.0, 0.1]), [], asyncio.sleep

    async def hand_over(_platform, run, *_):
        nonlocal clock
        clock += next(took)
        return run, True

    async def leave(seconds):
        left.append(round(seconds, 3))
        await sleep(0)

    monkeypatch.setattr(launching, "_hand_over", hand_over)
    monkeypatch.setattr(launching, "time", SimpleNamespace(monotonic=lambda: clock))
    monkeypatch.setattr(launching.asyncio, "sleep", leave)
    await launching.start_pending(engine.platform, engine.workspace_id, 10, older_than=timedelta(0))
    assert left == [0, 0.2, 0.5]


async def test_nobody_else_hands_a_run_over_while_who_asked_for_it_may_still_do_so(engine, platform, monkeypatch):
    workflow_id = await engine.publish(WAITS)
    run = await engine.start(workflow_id, noted_later=True)

    async def taken(since: float, made: float) -> bool:
        ago = {"updated_at": func.now() - timedelta(seconds=since), "created_at": func.now() - timedelta(seconds=made)}
        async with platform.database.transaction(engine.workspace_id) as session:
            await session.execute(update(Run).where(Run.id == run.id).values(**ago))
        return await launching.start_pending(platform, engine.workspace_id, 10) == 1

    may_take = launching.TURN_SECONDS + launching.START_SECONDS
    assert not await taken(may_take - 1, may_take - 1)
    # Let in a moment ago, after an hour in a queue: whoever let it in hands it over.
    assert not await taken(0, 3600)
    assert await taken(may_take + 1, 3600)


async def test_a_run_cancelled_before_it_was_noted_is_cancelled_in_temporal(engine, monkeypatch):
    workflow_id = await engine.publish(WAITS)
    run = await engine.start(workflow_id, noted_later=True)

    async def not_yet(platform, run_id):
        return False

    monkeypatch.setattr(runs, "ask", not_yet)
    cancelled = await runs.request_cancel(engine.platform, await engine.row(run))
    assert cancelled is not None
    assert (await answering.wait_for_answer(engine.platform, run, 5)).status == "cancelled"
    handle = await launching.handle_of(engine.platform, run.id)

    async def asked_to_cancel() -> bool:
        history = await handle.fetch_history()
        return any(e.HasField("workflow_execution_cancel_requested_event_attributes") for e in history.events)

    await eventually(asked_to_cancel)


async def test_cancelling_what_has_not_begun_takes_five_seconds_at_most_without_temporal(engine, monkeypatch):
    workflow_id = await engine.publish(WAITS)
    run = await engine.row(await engine.start(workflow_id, noted_later=True))
    seconds: list[float] = []

    class Away:
        async def describe(self, *, rpc_timeout):
            seconds.append(rpc_timeout.total_seconds())
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

        async def cancel(self, *, rpc_timeout):
            await self.describe(rpc_timeout=rpc_timeout)

    async def away(platform, run_id):
        return Away()

    monkeypatch.setattr(steering, "handle_of", away)
    monkeypatch.setattr(runs, "handle_of", away)
    cancelled = await runs.request_cancel(engine.platform, run)
    assert cancelled is not None
    assert (cancelled.status, len(seconds)) == ("cancelled", 2)
    assert sum(seconds) <= 5
