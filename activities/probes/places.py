"""How many tests of connections a process has under way, and for whom: each may take as long as the other side lets it,
and none of the workspaces may take the places of all. Knows no test.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from app.services.errors import TooMany

AT_ONCE = 32
OF_A_WORKSPACE = 4
RETRY_SECONDS = 5


class Places:
    """The places of one process. For use from one event loop."""

    def __init__(self) -> None:
        self._taken: Counter[UUID] = Counter()

    @contextmanager
    def taken(self, workspace_id: UUID) -> Iterator[None]:
        """A place inside the block. Raises `TooMany`."""
        for whose, taken, limit in (
            ("your workspace", self._taken[workspace_id], OF_A_WORKSPACE),
            ("this process", self._taken.total(), AT_ONCE),
        ):
            if taken >= limit:
                detail = f"There are {limit} tests of connections under way of {whose}: wait until one has ended."
                raise TooMany("too_many_tests", detail, retry_after=RETRY_SECONDS)
        self._taken[workspace_id] += 1
        try:
            yield
        finally:
            self._taken[workspace_id] -= 1
            if not self._taken[workspace_id]:
                del self._taken[workspace_id]
