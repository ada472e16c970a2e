"""Taking a workspace's executions out of Temporal, with their histories: those under way are ended by that, too."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from app.temporal import names

RPC_TIMEOUT = timedelta(seconds=10)
AT_ONCE = 10


async def executions_of(client: Client, workspace_id: UUID, limit: int) -> list[tuple[str, str]]:
    """Ids `(workflow_id, run_id)` of at most so many executions of the workspace, open and closed ones. Temporal lists
    what was started, and what was deleted, some moments late. Raises `RPCError`."""
    query = f"{names.WORKSPACE.name} = '{workspace_id}'"
    found = client.list_workflows(query, page_size=limit, rpc_timeout=RPC_TIMEOUT, limit=limit)
    return [(execution.id, execution.run_id) async for execution in found]


async def erase(client: Client, executions: Iterable[tuple[str, str]]) -> None:
    """Delete these executions; without a run id the latest of a workflow id. One that is gone is no failure. Raises
    `RPCError`."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(workflow_id: str, run_id: str) -> None:
        execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
        async with gate:
            try:
                await client.workflow_service.delete_workflow_execution(request, timeout=RPC_TIMEOUT)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise

    await asyncio.gather(*(one(*execution) for execution in executions))
