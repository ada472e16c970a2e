"""The Temporal executions a run is made of: read one after the other, measured, replayed."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from workflows.automation import Automation


@dataclass(frozen=True)
class Execution:
    """One Temporal execution of a run and its history as far as it has come."""

    run_id: str
    history: WorkflowHistory

    @property
    def types(self) -> list[str]:
        """`TIMER_STARTED` and so on, in the order of the history."""
        names = [EventType.Name(EventType.ValueType(event.event_type)) for event in self.history.events]
        return [name.removeprefix("EVENT_TYPE_") for name in names]

    @property
    def task_failures(self) -> list[str]:
        """What went wrong in workflow tasks. A message that came while a task ended is none: the task is made again."""
        failed = [
            event.workflow_task_failed_event_attributes
            for event in self.history.events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
        ]
        usual = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
        return [f"{one.cause}: {one.failure.message}" for one in failed if one.cause != usual]

    @property
    def events(self) -> int:
        """How many events it has."""
        return len(self.history.events)

    @property
    def size(self) -> int:
        """Bytes of the history."""
        return sum(event.ByteSize() for event in self.history.events)

    @property
    def arrived_with(self) -> int:
        """Bytes of what the execution was given when it began."""
        return self.history.events[0].ByteSize()


async def chain(client: Client, workflow_id: str) -> list[Execution]:
    """All executions of the workflow that belong to its latest one, first one first."""
    found: list[Execution] = []
    run_id = (await client.get_workflow_handle(workflow_id).describe()).run_id
    while run_id:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        found.insert(0, Execution(run_id, history))
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return found


async def replay(client: Client, executions: list[Execution]) -> None:
    """Every execution replays with the code, and the limits, as they are now; raises what does not fit."""
    replayer = Replayer(
        workflows=[Automation],
        data_converter=client.data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    for execution in executions:
        await replayer.replay_workflow(execution.history)
