"""Recorded passes of upkeep replay against the code as it is, so that a pass under way survives a deploy."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from app.json import JsonObject
from app.temporal.payloads import DATA_CONVERTER
from app.temporal.upkeep import CLOSED_ACTIVITY, LOOK_ACTIVITY, RECONCILE_ACTIVITY, Duty
from workflows.upkeep import Upkeep

HISTORIES = Path(__file__).parent / "upkeep_histories"
RECORDED = sorted(path.stem for path in HISTORIES.glob("*.json"))
RUNNERS = {"unsandboxed": UnsandboxedWorkflowRunner(), "sandboxed": SandboxedWorkflowRunner()}


def _history(name: str) -> JsonObject:
    history: JsonObject = json.loads((HISTORIES / f"{name}.json").read_text())
    return history


async def _replay(history: JsonObject, runner: WorkflowRunner) -> None:
    replayer = Replayer(workflows=[Upkeep], data_converter=DATA_CONVERTER, workflow_runner=runner)
    await replayer.replay_workflow(WorkflowHistory.from_json("upkeep-recorded", history))


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_pass_replays(name: str, runner: str) -> None:
    await _replay(_history(name), RUNNERS[runner])


def test_every_duty_is_recorded_and_a_pass_that_goes_on_from_another() -> None:
    recorded = "".join((HISTORIES / f"{name}.json").read_text() for name in RECORDED)
    names = [RECONCILE_ACTIVITY, *(duty.activity for duty in Duty)]
    assert [name for name in names if f'"name": "{name}"' not in recorded] == []
    assert "lastCompletionResult" in recorded
    assert set(RECORDED) >= {"idle", "busy", "failing", "children", "messages", "schedules", "deletion"}


async def test_a_pass_that_does_something_else_is_noticed() -> None:
    history = _history("busy")
    scheduled = next(event for event in history["events"] if "activityTaskScheduledEventAttributes" in event)
    scheduled["activityTaskScheduledEventAttributes"]["activityType"]["name"] = LOOK_ACTIVITY
    with pytest.raises(NondeterminismError):
        await _replay(history, RUNNERS["unsandboxed"])


def test_what_only_looks_is_no_activity_of_its_own() -> None:
    for name in (LOOK_ACTIVITY, CLOSED_ACTIVITY):
        assert all(f'"name": "{name}"' not in (HISTORIES / f"{each}.json").read_text() for each in RECORDED)
