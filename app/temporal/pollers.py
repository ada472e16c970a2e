"""Who asks Temporal for our tasks: the workers that are up, as the server sees them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from app.temporal.connect import RPC_TIMEOUT
from app.temporal.names import TASK_QUEUE


@dataclass(frozen=True)
class Poller:
    """A worker that asked for workflow tasks within the last minutes; `identity` is `<process id>@<host>`."""

    identity: str
    last_seen: datetime

    @property
    def host(self) -> str:
        return self.identity.partition("@")[2]


async def pollers(client: Client) -> list[Poller]:
    """The workers on our queue. Raises `RPCError` when Temporal does not answer."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        timeout=RPC_TIMEOUT,
    )
    return [Poller(found.identity, found.last_access_time.ToDatetime(UTC)) for found in answer.pollers]
