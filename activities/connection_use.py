"""Remembers when connections were used and how that ended, without a write for every call. For people, not for runs."""

import time
from contextlib import suppress
from uuid import UUID

from activities.base import ActionError
from app.catalog.errors import ErrorType
from app.services import connections
from app.services.errors import Unavailable
from app.services.platform import Platform

EVERY_SECONDS = 60.0
"""A connection whose uses end the same way is noted once in this time."""

_ITS_FAULT = (
    ErrorType.PROVIDER_AUTH,
    ErrorType.HOST_NOT_FOUND,
    ErrorType.CONNECTION_FAILED,
    ErrorType.TLS_FAILED,
)
"""Failures that say something about the connection; any other failure came over one that works."""


class ConnectionUse:
    """One a worker process."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._noted: dict[tuple[UUID, str], tuple[float, str | None]] = {}

    async def note(self, workspace_id: UUID, name: str, failure: ActionError | None) -> None:
        """Keep the use, unless the same was kept a moment ago. A database that is away is no reason to fail."""
        error = failure.message if failure is not None and failure.type in _ITS_FAULT else None
        now, key = time.monotonic(), (workspace_id, name)
        at, before = self._noted.get(key, (None, None))
        if at is not None and before == error and now - at < EVERY_SECONDS:
            return
        self._noted[key] = (now, error)
        with suppress(Unavailable):
            await connections.note_use(self._platform, workspace_id, name, error=error)
