"""Between Temporal's tasks and the walk: queries wait for local activities, and first tasks are told from later ones.

A query that comes with a workflow task is answered as part of it, and the SDK's core ends the task with that answer at
once, also in the moment in which a local activity has ended but the run has not been told. What the run then does falls
into the next task, behind the messages that came meanwhile, and before them in a replay. Such a history may not replay:
a look at a run could stop it. Left unanswered, the query is asked again by the server once the task is over.

Log lines of a run's code get its ids here: the code itself knows no log. Nothing of a run is decided here.
"""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import Info

from activities.first_tasks import FirstTasks
from app.observing import context
from app.temporal import names
from worker.slots import Slots

FIRST_TASK_EVENTS = 3
"""Started, task scheduled, task started. An earlier attempt at the task would have left its failure there."""
LEGACY_QUERY = "legacy_query"
"""The id of a query that has a task to itself; nothing else goes with its answer."""


class Watched(WorkflowRunner):
    """Runs workflows by another runner. Leaves queries unanswered while a local activity is under way, and notes which
    executions are in their first task, and which wait for local activities."""

    def __init__(
        self,
        runner: WorkflowRunner,
        first_tasks: FirstTasks,
        slots: Slots,
        run_began: Callable[[], None] = lambda: None,
    ) -> None:
        """`run_began` is called when the first task of a run comes for the first time."""
        self._runner = runner
        self._first_tasks = first_tasks
        self._slots = slots
        self._run_began = run_began

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance, facts = self._runner.create_instance(det), _facts_of(det.info)
        return _Instance(instance, facts, self._first_tasks, self._slots, self._run_began)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self._runner.set_worker_level_failure_exception_types(types)


class _Instance(WorkflowInstance):
    """A workflow, and which of its local activities are under way."""

    def __init__(
        self,
        instance: WorkflowInstance,
        facts: context.Facts,
        first_tasks: FirstTasks,
        slots: Slots,
        run_began: Callable[[], None],
    ) -> None:
        self._instance = instance
        self._facts = facts
        self._first_tasks = first_tasks
        self._slots = slots
        self._run_began = run_began
        self._local: set[int] = set()

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        self._note_task(act)
        self._slots.goes_on(act.run_id)
        with context.bound(**self._facts):
            completion = self._activate(act)
        if self._local and not any(job.HasField("remove_from_cache") for job in act.jobs):
            self._slots.rests(act.run_id)
        return completion

    def _activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        for job in act.jobs:
            if job.HasField("resolve_activity") and job.resolve_activity.is_local:
                self._local.discard(job.resolve_activity.seq)
        if self._local and act.jobs and all(_may_wait(job) for job in act.jobs):
            unanswered = WorkflowActivationCompletion(run_id=act.run_id)
            unanswered.successful.SetInParent()
            return unanswered
        completion = self._instance.activate(act)
        for command in completion.successful.commands:
            if command.HasField("schedule_local_activity"):
                self._local.add(command.schedule_local_activity.seq)
        return completion

    def _note_task(self, act: WorkflowActivation) -> None:
        """Everything the worker is told within one task comes with the same length of history."""
        if act.history_length == FIRST_TASK_EVENTS and any(job.HasField("initialize_workflow") for job in act.jobs):
            self._first_tasks.begin(act.run_id, act.timestamp.ToNanoseconds() / 1e9)
            # A look at a run whose first task is under way elsewhere replays that much.
            if not act.is_replaying and any(_begins_a_run(job) for job in act.jobs):
                self._run_began()
        elif act.history_length != FIRST_TASK_EVENTS or any(job.HasField("remove_from_cache") for job in act.jobs):
            self._first_tasks.end(act.run_id)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()


def _facts_of(info: Info) -> context.Facts:
    """The ids that Temporal has an execution under: those of the run, its workspace and its workflow."""
    attributes, run_id = info.typed_search_attributes, names.run_of(info.workflow_id)
    found = {
        "workspace_id": attributes.get(names.WORKSPACE),
        "workflow": attributes.get(names.WORKFLOW),
        "run_id": None if run_id is None else str(run_id),
    }
    return {name: value for name, value in found.items() if value is not None}


def _begins_a_run(job: WorkflowActivationJob) -> bool:
    began = job.initialize_workflow
    return began.workflow_type == names.AUTOMATION_WORKFLOW and not began.continued_from_execution_run_id


def _may_wait(job: WorkflowActivationJob) -> bool:
    return job.HasField("query_workflow") and job.query_workflow.query_id != LEGACY_QUERY
