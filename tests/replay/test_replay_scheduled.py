"""Recorded moments of schedules replay against the code as it is: they live as long as their runs, through deploys."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from app.json import JsonObject
from app.temporal.payloads import DATA_CONVERTER
from app.temporal.scheduled_messages import BEGIN_ACTIVITY, SETTLE_ACTIVITY
from tests.replay.record_scheduled import HASTE, HISTORIES
from workflows import scheduled
from workflows.scheduled import Scheduled

RECORDED = sorted(path.stem for path in Path(HISTORIES).glob("*.json"))
HASTY = ("continued", "untold")
RUNNERS = {"unsandboxed": UnsandboxedWorkflowRunner(), "sandboxed": SandboxedWorkflowRunner()}


def _history(name: str) -> JsonObject:
    history: JsonObject = json.loads((HISTORIES / f"{name}.json").read_text())
    return history


async def _replay(history: JsonObject, runner: WorkflowRunner) -> None:
    replayer = Replayer(workflows=[Scheduled], data_converter=DATA_CONVERTER, workflow_runner=runner)
    await replayer.replay_workflow(WorkflowHistory.from_json("schedule-recorded", history))


def test_each_way_a_moment_goes_is_recorded() -> None:
    assert set(RECORDED) >= {"told", "failed", "skipped", "continued", "untold"}
    last = _history("continued")["events"][-1]["eventType"]
    assert last == "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"
    assert "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED" in json.dumps(_history("told"))
    assert "EVENT_TYPE_TIMER_FIRED" in json.dumps(_history("untold"))


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", [name for name in RECORDED if name not in HASTY])
async def test_a_recorded_moment_replays(name: str, runner: str) -> None:
    await _replay(_history(name), RUNNERS[runner])


@pytest.mark.parametrize("name", HASTY)
async def test_a_moment_that_was_looked_at_often_replays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded with other constants, which a sandbox of its own would not see."""
    for constant, value in HASTE.items():
        monkeypatch.setattr(scheduled, constant, value)
    await _replay(_history(name), RUNNERS["unsandboxed"])


async def test_a_moment_that_does_something_else_is_noticed() -> None:
    history = _history("failed")
    first = next(event for event in history["events"] if "activityTaskScheduledEventAttributes" in event)
    name = first["activityTaskScheduledEventAttributes"]["activityType"]
    assert name["name"] == BEGIN_ACTIVITY
    name["name"] = SETTLE_ACTIVITY
    with pytest.raises(NondeterminismError):
        await _replay(history, RUNNERS["unsandboxed"])
