"""Taking a workspace's executions out of Temporal, with their histories: those under way are terminated first."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from app.temporal import names

RPC_TIMEOUT = timedelta(seconds=10)
AT_ONCE = 10
PAGE = 500
REASON = "its workspace is deleted"

Execution = tuple[str, str]
"""`(workflow_id, run_id)`; without a run id the latest of the workflow id."""


async def executions_of(client: Client, workspace_id: UUID, limit: int) -> tuple[list[Execution], list[Execution]]:
    """At most so many executions of the workspace: those under way, and closed ones. Temporal lists what was started,
    closed or deleted some moments late. Raises `RPCError`."""
    query = f"{names.WORKSPACE.name} = '{workspace_id}'"
    under_way: list[Execution] = []
    closed: list[Execution] = []
    async for found in client.list_workflows(query, page_size=PAGE, rpc_timeout=RPC_TIMEOUT, limit=limit):
        to = under_way if found.status is WorkflowExecutionStatus.RUNNING else closed
        to.append((found.id, found.run_id))
    return under_way, closed


async def terminate(client: Client, executions: Iterable[Execution]) -> None:
    """End these. One that is over is no failure. Raises `RPCError`."""

    async def one(execution: Execution) -> None:
        handle = client.get_workflow_handle(execution[0], run_id=execution[1] or None)
        await handle.terminate(reason=REASON, rpc_timeout=RPC_TIMEOUT)

    await _each(one, executions)


async def erase(client: Client, executions: Iterable[Execution]) -> None:
    """Delete these with their histories; they must be over, since Temporal would go on listing one that it has to
    terminate first. One that is gone is no failure. Raises `RPCError`."""

    async def one(execution: Execution) -> None:
        which = WorkflowExecution(workflow_id=execution[0], run_id=execution[1])
        request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=which)
        await client.workflow_service.delete_workflow_execution(request, timeout=RPC_TIMEOUT)

    await _each(one, executions)


async def _each(act: Callable[[Execution], Coroutine[Any, Any, None]], executions: Iterable[Execution]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(execution: Execution) -> None:
        async with gate:
            try:
                await act(execution)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise

    await asyncio.gather(*map(one, executions))
