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
            client = await self._platform.temporal.client()
            try:
                await client.get_workflow_handle(names.workflow_id(str(run_id))).terminate(reason=_MESSAGE)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            await reconciling.fail(self._platform, workspace_id, run_id, ErrorType.PAYLOAD_KEY_DELETED, _MESSAGE)
        except (RPCError, RuntimeError, Unavailable) as error:
            _log.warning("run %s cannot be read any more and is still to be ended: %s", run_id, error)
        else:
            _log.warning("run %s was ended: %s", run_id, _MESSAGE)
