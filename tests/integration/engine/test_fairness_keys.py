"""Whatever waits in Temporal for its turn carries its workspace, by which turns are taken."""

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from app.services import schedules
from app.temporal import names
from tests.support.engine import Engine, http
from tests.support.http_stub import HttpStub
from tests.support.schedules import daily, now, only


async def events(engine: Engine, temporal_id: str) -> list[HistoryEvent]:
    client = await engine.platform.temporal.client()
    return list((await client.get_workflow_handle(temporal_id).fetch_history()).events)


async def key_of(engine: Engine, temporal_id: str) -> str:
    """The one with which the workflow began, which all of its tasks have that name none of their own."""
    first, *_ = await events(engine, temporal_id)
    return first.workflow_execution_started_event_attributes.priority.fairness_key


async def keys_of_activities(engine: Engine, temporal_id: str) -> list[str]:
    """Those with which it scheduled activities."""
    return [
        event.activity_task_scheduled_event_attributes.priority.fairness_key
        for event in await events(engine, temporal_id)
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]


async def test_a_run_that_a_step_starts_and_its_effects(engine: Engine, http_stub: HttpStub) -> None:
    calls = [http(id, f"{http_stub.url}/{id}") for id in ("one", "two")]
    inner = await engine.publish({"steps": calls, "settings": {"dispatch": "scheduled"}})
    outer = await engine.steps({"id": "inner", "type": "run_workflow", "workflow": str(inner)})
    wait = outer.steps["inner"].wait
    assert wait is not None
    child = names.workflow_id(wait["run_id"])
    assert await key_of(engine, names.workflow_id(str(outer.run.id))) == str(engine.workspace_id)
    assert await key_of(engine, child) == str(engine.workspace_id)
    assert await keys_of_activities(engine, child) == [str(engine.workspace_id)] * 2


async def test_a_moment_of_a_schedule_and_its_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # It may take long to begin where something else keeps the machine busy.
    monkeypatch.setattr(schedules, "BEGIN_SECONDS", 30.0)
    run = await now(engine, await only(engine, await engine.publish(daily())))
    assert run.told_workflow is not None
    assert await key_of(engine, run.told_workflow) == str(engine.workspace_id)
    assert await key_of(engine, names.workflow_id(str(run.id))) == str(engine.workspace_id)
