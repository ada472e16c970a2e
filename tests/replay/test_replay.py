"""Every recorded history replays against the code as it is: the walk is deterministic, and runs under way go on."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from app.json import JsonObject
from app.temporal.payloads import DATA_CONVERTER
from tests.replay.cases import CASES
from workflows.automation import Automation
from workflows.interpreter import KINDS

HISTORIES = Path(__file__).parent / "histories"
RECORDED = sorted(path.stem for path in HISTORIES.glob("*.json"))
RUNNERS = {"unsandboxed": UnsandboxedWorkflowRunner(), "sandboxed": SandboxedWorkflowRunner()}


def _history(name: str) -> JsonObject:
    history: JsonObject = json.loads((HISTORIES / f"{name}.json").read_text())
    return history


async def _replay(history: JsonObject, runner: WorkflowRunner) -> None:
    replayer = Replayer(workflows=[Automation], data_converter=DATA_CONVERTER, workflow_runner=runner)
    await replayer.replay_workflow(WorkflowHistory.from_json("run-recorded", history))


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_run_replays(name: str, runner: str) -> None:
    await _replay(_history(name), RUNNERS[runner])


def test_every_case_is_recorded() -> None:
    assert set(CASES) <= set(RECORDED)


def test_every_step_kind_is_recorded() -> None:
    recorded = "".join(json.dumps(CASES[name].definition) for name in CASES)
    assert [kind for kind in KINDS if f'"type": "{kind}"' not in recorded] == []


async def test_a_walk_that_does_something_else_is_noticed() -> None:
    history = _history("action_scheduled")
    scheduled = next(event for event in history["events"] if "activityTaskScheduledEventAttributes" in event)
    scheduled["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "email.send"
    with pytest.raises(NondeterminismError):
        await _replay(history, RUNNERS["unsandboxed"])


@pytest.mark.parametrize("name", ["loop_concurrent", "parallel_any", "cancelled"])
async def test_a_run_replays_up_to_any_task_it_completed(name: str) -> None:
    """A worker may take over in the middle: each beginning of a history that ends with a task replays, too."""
    history = _history(name)
    ends = [
        position
        for position, event in enumerate(history["events"], start=1)
        if event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_COMPLETED"
    ]
    assert len(ends) >= 2
    for end in ends:
        await _replay({"events": history["events"][:end]}, RUNNERS["unsandboxed"])
