"""What a process knows of where workspaces may call. How it gets to know is `egress.py`'s."""

from time import monotonic
from uuid import UUID

from app.security.egress_hosts import Hosts

FRESH_SECONDS = 5.0
MOST_KNOWN = 10_000


class KnownHosts:
    """One a process, for use from one event loop. None for hosts: calls are not kept to any."""

    def __init__(self) -> None:
        self._known: dict[UUID, tuple[float, Hosts | None]] = {}

    def get(self, workspace_id: UUID) -> tuple[bool, Hosts | None] | None:
        """Whether it is fresh, and the hosts; None where nothing is known."""
        if (found := self._known.get(workspace_id)) is None:
            return None
        return monotonic() < found[0], found[1]

    def put(self, workspace_id: UUID, hosts: Hosts | None) -> None:
        """Know it from now on."""
        self._known.pop(workspace_id, None)
        self._known[workspace_id] = (monotonic() + FRESH_SECONDS, hosts)
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
