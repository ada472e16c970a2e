"""Which activations of a workflow are held back: queries alone, and only while a local activity is under way."""

from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance

from activities.first_tasks import FirstTasks
from app.temporal import names
from worker.slots import Slots
from worker.tasks import LEGACY_QUERY, Watched


class Walk:
    """A workflow instance that begins a local activity whenever it is started or told that one ended."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = WorkflowActivationCompletion(run_id=act.run_id)
        completion.successful.SetInParent()
        for job in act.jobs:
            variant = str(job.WhichOneof("variant"))
            self.asked.append(variant)
            command = completion.successful.commands.add()
            if variant == "query_workflow":
                command.respond_to_query.query_id = job.query_workflow.query_id
            elif variant == "initialize_workflow":
                command.schedule_local_activity.seq = 1
            else:
                command.start_timer.seq = 1
        return completion


RUN = "018f3c2e-7b1a-7c3d-9e4f-0a1b2c3d4e5f"
ATTRIBUTES = TypedSearchAttributes(
    [SearchAttributePair(names.WORKSPACE, "w"), SearchAttributePair(names.WORKFLOW, "f")]
)
DETAILS: Any = SimpleNamespace(
    info=SimpleNamespace(workflow_id=names.workflow_id(RUN), typed_search_attributes=ATTRIBUTES)
)


class Runner(UnsandboxedWorkflowRunner):
    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    def create_instance(self, det: Any) -> WorkflowInstance:
        walk: Any = self.walk
        return walk


@pytest.fixture
def walk() -> Walk:
    return Walk()


@pytest.fixture
def instance(walk: Walk) -> WorkflowInstance:
    return Watched(Runner(walk), FirstTasks(), Slots()).create_instance(DETAILS)


def started() -> WorkflowActivation:
    act = WorkflowActivation(run_id="r")
    act.jobs.add().initialize_workflow.SetInParent()
    return act


def ended(*, local: bool = True) -> WorkflowActivation:
    act = WorkflowActivation(run_id="r")
    resolved = act.jobs.add().resolve_activity
    resolved.seq, resolved.is_local = 1, local
    return act


def query(id: str = "q1") -> WorkflowActivation:
    act = WorkflowActivation(run_id="r")
    act.jobs.add().query_workflow.query_id = id
    return act


def commands(completion: WorkflowActivationCompletion) -> list[str | None]:
    assert completion.run_id == "r"
    assert completion.HasField("successful")
    return [command.WhichOneof("variant") for command in completion.successful.commands]


def test_a_query_is_left_unanswered_while_a_local_activity_is_under_way(instance: WorkflowInstance, walk: Walk) -> None:
    assert commands(instance.activate(started())) == ["schedule_local_activity"]
    assert commands(instance.activate(query())) == []
    assert walk.asked == ["initialize_workflow"], "the workflow has not heard of it"
    instance.activate(ended())
    assert commands(instance.activate(query())) == ["respond_to_query"]


def test_another_activity_that_ends_changes_nothing(instance: WorkflowInstance) -> None:
    instance.activate(started())
    instance.activate(ended(local=False))
    assert commands(instance.activate(query())) == []


def test_a_query_with_a_task_to_itself_is_always_answered(instance: WorkflowInstance) -> None:
    instance.activate(started())
    assert commands(instance.activate(query(LEGACY_QUERY))) == ["respond_to_query"]


def test_what_is_no_query_always_reaches_the_workflow(instance: WorkflowInstance, walk: Walk) -> None:
    instance.activate(started())
    act = query()
    act.jobs.add().signal_workflow.SetInParent()
    assert commands(instance.activate(act)) == ["respond_to_query", "start_timer"]
    instance.activate(WorkflowActivation(run_id="r"))
    assert walk.asked == ["initialize_workflow", "query_workflow", "signal_workflow"]


class TestFirstTasks:
    @pytest.fixture
    def first_tasks(self) -> FirstTasks:
        return FirstTasks(clock=lambda: 102.0)

    @pytest.fixture
    def watched(self, walk: Walk, first_tasks: FirstTasks) -> WorkflowInstance:
        return Watched(Runner(walk), first_tasks, Slots()).create_instance(DETAILS)

    @staticmethod
    def at(act: WorkflowActivation, length: int) -> WorkflowActivation:
        act.history_length = length
        act.timestamp.FromNanoseconds(100 * 10**9)
        return act

    def test_what_is_told_in_the_first_task_belongs_to_it(
        self, watched: WorkflowInstance, first_tasks: FirstTasks
    ) -> None:
        watched.activate(self.at(started(), 3))
        assert "r" in first_tasks
        watched.activate(self.at(ended(), 3))
        assert "r" in first_tasks
        assert "another" not in first_tasks

    def test_the_next_task_is_another(self, watched: WorkflowInstance, first_tasks: FirstTasks) -> None:
        watched.activate(self.at(started(), 3))
        watched.activate(self.at(ended(), 7))
        assert "r" not in first_tasks

    def test_a_task_that_is_made_again_is_none(self, watched: WorkflowInstance, first_tasks: FirstTasks) -> None:
        watched.activate(self.at(started(), 6))
        assert "r" not in first_tasks

    def test_an_execution_that_is_put_out_of_memory_is_in_none(
        self, watched: WorkflowInstance, first_tasks: FirstTasks
    ) -> None:
        watched.activate(self.at(started(), 3))
        gone = WorkflowActivation(run_id="r")
        gone.jobs.add().remove_from_cache.SetInParent()
        watched.activate(self.at(gone, 3))
        assert "r" not in first_tasks


class TestRunsThatBegin:
    @pytest.fixture
    def begun(self) -> list[str]:
        return []

    @pytest.fixture
    def watched(self, walk: Walk, begun: list[str]) -> WorkflowInstance:
        return Watched(Runner(walk), FirstTasks(), Slots(), lambda: begun.append("run")).create_instance(DETAILS)

    @staticmethod
    def first_task(*, workflow: str = "Automation", after: str = "", replaying: bool = False) -> WorkflowActivation:
        act = started()
        act.jobs[0].initialize_workflow.workflow_type = workflow
        act.jobs[0].initialize_workflow.continued_from_execution_run_id = after
        act.history_length, act.is_replaying = 3, replaying
        return act

    def test_a_run_is_noticed_when_its_first_task_comes(self, watched: WorkflowInstance, begun: list[str]) -> None:
        watched.activate(self.first_task())
        assert begun == ["run"]

    def test_what_only_looks_like_a_beginning_is_none(self, watched: WorkflowInstance, begun: list[str]) -> None:
        watched.activate(self.first_task(after="the execution before"))
        watched.activate(self.first_task(replaying=True))
        watched.activate(self.first_task(workflow="Upkeep"))
        assert begun == []
