"""Ends runs whose values nobody can read any more, because their payload key was deleted.

A worker that is to go on with such a run cannot, and Temporal would give it the same task for ever. What it meets is
told here, and the run is terminated and said to have failed. Done twice, or cut short and begun again, it is the same.
"""

import asyncio
import logging
from uuid import UUID

from temporalio.service import RPCError, RPCStatusCode

from app.catalog.errors import ErrorType
from app.services import reconciling
from app.services.errors import Unavailable
from app.services.platform import Platform
from app.temporal import names
from app.temporal.connect import RPC_TIMEOUT

END_SECONDS = 45.0
"""For all that ending a run takes."""

_MESSAGE = "the key that the run's values are encrypted with was deleted: it cannot go on"

_log = logging.getLogger(__name__)


class UnreadableRuns:
    """One a worker process."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._ending: dict[UUID, asyncio.Task[None]] = {}

    def end(self, workspace_id: UUID, run_id: UUID) -> None:
        """Have the run ended, beside what goes on; its next task tells of it again if that fails."""
        if run_id not in self._ending:
            task = asyncio.create_task(self._end(workspace_id, run_id))
            self._ending[run_id] = task
            task.add_done_callback(lambda _: self._ending.pop(run_id, None))

    async def _end(self, workspace_id: UUID, run_id: UUID) -> None:
        try:
            # What hangs must come to an end: as long as it lasts, the run's next task does nothing.
            async with asyncio.timeout(END_SECONDS):
                await self._terminate(run_id)
                await reconciling.fail(self._platform, workspace_id, run_id, ErrorType.PAYLOAD_KEY_DELETED, _MESSAGE)
        except (RPCError, RuntimeError, OSError, TimeoutError, Unavailable) as error:
            why = str(error) or f"no answer within {END_SECONDS:g} seconds"
            _log.warning("run %s cannot be read any more and is still to be ended: %s", run_id, why)
        else:
            _log.warning("run %s was ended: %s", run_id, _MESSAGE)

    async def _terminate(self, run_id: UUID) -> None:
        client = await self._platform.temporal.client()
        handle = client.get_workflow_handle(names.workflow_id(str(run_id)))
        try:
            await handle.terminate(reason=_MESSAGE, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
