"""Replays runs of a live server against the code installed here, before it is deployed. Nothing is written anywhere.

A run replays when the code makes the same decisions from its history as the code did that wrote it. What to show of
this is the command line's.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecution, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from app.json import Json
from app.temporal.connect import RPC_TIMEOUT
from worker.registry import WORKFLOWS

_TASK_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_RUN_PREFIX = "run-"
_MESSAGE = re.compile(r'message: "((?:[^"\\]|\\["\\nrt])+)"')


@dataclass(frozen=True)
class Replayed:
    """One Temporal execution that was replayed. `problem` says why it does not; None = it does.

    `workflow` is the name of the run's workflow and only looked up when there is a problem.
    """

    run_id: str
    temporal_run_id: str
    events: int
    workflow: str | None = None
    kind: str | None = None
    """`nondeterminism`: the code does something else than the history says; `error`: it fails before that shows."""
    problem: str | None = None


def query_of(*, closed: bool = False, more: str | None = None) -> str:
    """Temporal's visibility query for our executions that are open, or closed; `more` narrows it down."""
    types = ", ".join(f'"{name}"' for name in WORKFLOWS)
    parts = [f"WorkflowType IN ({types})", f'ExecutionStatus {"!=" if closed else "="} "Running"']
    return " AND ".join([*parts, f"({more})"] if more else parts)


async def count(client: Client, query: str) -> int:
    """How many executions the query finds. Raises `RPCError`, INVALID_ARGUMENT for a query that is none."""
    return (await client.count_workflows(query, rpc_timeout=RPC_TIMEOUT)).count


async def replay(client: Client, query: str, *, limit: int | None = None) -> AsyncIterator[Replayed]:
    """Replay what the query finds, one history in memory at a time. Raises `RPCError`.

    Of a run that continued as new, the execution that the query finds is replayed: the open one is what a new worker
    has to take over. A run whose history is deleted meanwhile is passed over.
    """
    replayer = Replayer(
        workflows=list(WORKFLOWS.values()),
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=client.data_converter,
        namespace=client.namespace,
        # Its own log of what does not replay would go to standard output, where the answers are.
        runtime=Runtime(telemetry=TelemetryConfig(logging=None)),
    )
    undecided: list[Replayed] = []
    async with replayer.workflow_replay_iterator(_histories(client, query, limit, undecided)) as results:
        async for result in results:
            yield await _told(client.data_converter, result.history, result.replay_failure)
    for found in undecided:
        yield found


async def _histories(
    client: Client, query: str, limit: int | None, undecided: list[Replayed]
) -> AsyncIterator[WorkflowHistory]:
    """Histories that hold a decision; `undecided` takes the others, which the replayer would wait for for ever."""
    async for execution in client.list_workflows(query, limit=limit, rpc_timeout=RPC_TIMEOUT):
        history = await _history(client, execution)
        if history is None:
            continue
        if any(event.event_type == _TASK_COMPLETED for event in history.events):
            yield history
        else:
            undecided.append(Replayed(_run_id(history), history.run_id, len(history.events)))


async def _history(client: Client, execution: WorkflowExecution) -> WorkflowHistory | None:
    try:
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        return await handle.fetch_history(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _told(converter: DataConverter, history: WorkflowHistory, failure: Exception | None) -> Replayed:
    if failure is None:
        return Replayed(_run_id(history), history.run_id, len(history.events))
    return Replayed(
        _run_id(history),
        history.run_id,
        len(history.events),
        workflow=await _workflow_name(converter, history),
        kind="nondeterminism" if isinstance(failure, workflow.NondeterminismError) else "error",
        problem=_reason(str(failure)),
    )


def _run_id(history: WorkflowHistory) -> str:
    return history.workflow_id.removeprefix(_RUN_PREFIX)


def _reason(text: str) -> str:
    """The message of the failure inside; the library gives it as its Rust side prints the whole of it."""
    found = _MESSAGE.search(text)
    return json.loads(f'"{found[1]}"', strict=False) if found else text


async def _workflow_name(converter: DataConverter, history: WorkflowHistory) -> str:
    """The name from the run's input; the Temporal type's where there is none."""
    started = history.events[0].workflow_execution_started_event_attributes
    values: list[Json] = await converter.decode(started.input.payloads) if started.input.payloads else []
    if values and isinstance(values[0], dict) and isinstance(name := values[0].get("workflow_name"), str):
        return name
    return str(started.workflow_type.name)
