"""Where the actions of a workspace may call, for those who call. Each process remembers it for a few seconds."""

from uuid import UUID

from app.security.egress_hosts import NO_HOSTS, Hosts
from app.services import workspaces
from app.services.errors import NotFound, Unavailable
from app.services.platform import Platform


async def hosts_of(platform: Platform, workspace_id: UUID) -> Hosts | None:
    """The hosts calls of the workspace are kept to; None where they are not.

    While the database is away, what was known last counts. Raises `Unavailable` where nothing was.
    """
    known = platform.known_hosts.get(workspace_id)
    if known is not None and known[0]:
        return known[1]
    try:
        hosts = workspaces.settings_of(await workspaces.get_workspace(platform, workspace_id)).egress.hosts()
    except NotFound:
        hosts = NO_HOSTS
    except Unavailable:
        if known is None:
            raise
        return known[1]
    platform.known_hosts.put(workspace_id, hosts)
    return hosts
