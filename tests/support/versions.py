"""Workers of two versions side by side: each as `holdfast worker` is with versioning on, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from activities.http_client import HttpClient
from app.db.models import Run
from app.temporal import names
from tests.support.engine import Engine
from tests.support.executions import Execution
from worker.main import build_worker


@dataclass(frozen=True)
class Versions:
    """The versions of one deployment of its own, on a task queue of its own."""

    engine: Engine
    name: str
    versioning: str

    @asynccontextmanager
    async def worker(self, build_id: str) -> AsyncIterator[None]:
        """A worker of this version is up."""
        platform = self.engine.platform
        given = {"worker_versioning": self.versioning, "deployment_name": self.name, "build_id": build_id}
        settings = platform.settings.model_copy(update=given)
        requests = HttpClient(settings)
        client = await platform.temporal.client()
        try:
            async with build_worker(
                replace(platform, settings=settings), client, task_queue=names.TASK_QUEUE, http=requests
            ):
                yield
        finally:
            await requests.close()

    async def version_of(self, run: Run) -> str:
        """The build id Temporal has the run on."""
        found = await (await self.engine.handle(run)).describe()
        info = found.raw_description.workflow_execution_info
        return info.versioning_info.deployment_version.build_id

    async def is_on(self, run: Run, build_id: str) -> bool:
        """Whether the run's last finished task was a worker's of this version."""
        return await self.version_of(run) == build_id


def builds(execution: Execution) -> set[str]:
    """Build ids of the workers that did the execution's tasks."""
    done = [event.workflow_task_completed_event_attributes for event in execution.history.events]
    return {task.deployment_version.build_id for task in done} - {""}
