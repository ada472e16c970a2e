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
from tests.replay.record import limits
from workflows.automation import Automation
from workflows.interpreter import KINDS

HISTORIES = Path(__file__).parent / "histories"
RECORDED = sorted(path.stem for path in HISTORIES.glob("*.json"))
RUNNERS = {"unsandboxed": UnsandboxedWorkflowRunner(), "sandboxed": SandboxedWorkflowRunner()}


def _case(name: str) -> str:
    """The case a history is of: `continued` for `continued.2`."""
    return name.partition(".")[0]


def _history(name: str) -> JsonObject:
    history: JsonObject = json.loads((HISTORIES / f"{name}.json").read_text())
    return history


async def _replay(history: JsonObject, runner: WorkflowRunner) -> None:
    replayer = Replayer(workflows=[Automation], data_converter=DATA_CONVERTER, workflow_runner=runner)
    await replayer.replay_workflow(WorkflowHistory.from_json("run-recorded", history))


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_run_replays(name: str, runner: str) -> None:
    with limits(CASES[_case(name)]):
        await _replay(_history(name), RUNNERS[runner])


def test_every_case_is_recorded_and_every_history_has_its_case() -> None:
    assert {_case(name) for name in RECORDED} == set(CASES)
    assert len(RECORDED) >= 30


def test_of_a_run_that_continued_as_new_all_executions_are_recorded() -> None:
    for case in [name for name in CASES if CASES[name].most_events is not None]:
        chain = [name for name in RECORDED if _case(name) == case]
        assert len(chain) >= 2, case
        assert set(chain) == {f"{case}.{number}" for number in range(1, len(chain) + 1)}
        last = [_history(f"{case}.{number}")["events"][-1]["eventType"] for number in range(1, len(chain) + 1)]
        assert set(last[:-1]) == {"EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"}, case
        assert last[-1] != "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW", case


def test_every_step_kind_is_recorded() -> None:
    recorded = "".join(json.dumps(CASES[name].definition) for name in CASES)
    assert [kind for kind in KINDS if f'"type": "{kind}"' not in recorded] == []


async def test_a_walk_that_does_something_else_is_noticed() -> None:
    history = _history("action_scheduled")
    scheduled = next(event for event in history["events"] if "activityTaskScheduledEventAttributes" in event)
    scheduled["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "email.send"
    with pytest.raises(NondeterminismError):
        await _replay(history, RUNNERS["unsandboxed"])


BEGINNINGS = [
    "loop_concurrent", "parallel_any", "cancelled", "continued_beside_a_wait.1", "held_and_retried", "paused",
    "cancelled_and_compensated", "parallel_waits", "timers_already_due",
]  # fmt: skip


@pytest.mark.parametrize("name", BEGINNINGS)
async def test_a_run_replays_up_to_any_task_it_completed(name: str) -> None:
    """A worker may take over in the middle: each beginning of a history that ends with a task replays, too."""
    history = _history(name)
    ends = [
        position
        for position, event in enumerate(history["events"], start=1)
        if event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_COMPLETED"
    ]
    assert len(ends) >= 2
    with limits(CASES[_case(name)]):
        for end in ends:
            await _replay({"events": history["events"][:end]}, RUNNERS["unsandboxed"])
