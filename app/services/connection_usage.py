"""What would miss a connection: workflows that name it, and messages that come in over it. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Connection
from app.definition.connection_uses import ConnectionUse, connection_uses
from app.definition.problems import Problem
from app.services.errors import Conflict, NotFound
from app.services.platform import Platform
from app.store import connection_uses as store
from app.store import connections


@dataclass(frozen=True)
class UsingWorkflow:
    """A definition that names the connection, and where. `version` is None for the workflow's draft."""

    id: UUID
    name: str
    slug: str
    status: str
    version: int | None
    places: Sequence[ConnectionUse]


@dataclass(frozen=True)
class Usage:
    """Who uses a connection. `inbound` is `address` or `mailbox` where messages come in over it."""

    workflows: Sequence[UsingWorkflow]
    inbound: str | None


async def usage(platform: Platform, workspace_id: UUID, connection_id: UUID) -> Usage:
    """Who uses the connection: drafts and active versions of workflows that are not archived, and messages that come in
    over it. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        row = await connections.find(session, workspace_id, connection_id)
        if row is None:
            raise NotFound("connection_not_found", "There is no such connection.")
        return await usage_of(session, row)


async def usage_of(session: AsyncSession, row: Connection) -> Usage:
    """The same inside a transaction."""
    using: list[UsingWorkflow] = []
    for each in await store.workflows_naming(session, row.workspace_id, row.name):
        for version, document in ((each.version, each.definition), (None, each.draft)):
            if places := connection_uses(document, row.name):
                using.append(UsingWorkflow(each.id, each.name, each.slug, each.status, version, places))
    return Usage(using, await store.way_in(session, row.workspace_id, row.id))


def in_use(row: Connection, usage: Usage) -> Conflict | None:
    """Why it should not be deleted, with everything that uses it; None when nothing does."""
    problems = [
        Problem(
            f"workflows.{each.slug}." + ("draft" if each.version is None else f"versions[{each.version}]"),
            f'"{each.name}" uses it at {", ".join(place.path for place in each.places)}',
            "name another connection there" + ("" if each.version is None else " and publish, or archive the workflow"),
        )
        for each in usage.workflows
    ]
    if usage.inbound is not None:
        problems.append(
            Problem(
                "inbound",
                f"messages come in over it ({usage.inbound})",
                f"DELETE /v1/connections/{row.id}/inbound lets no more in",
            )
        )
    if not problems:
        return None
    return Conflict(
        "connection_in_use",
        f"The connection {row.name!r} is used, see errors: let nothing use it any more, or as an administrator delete "
        "it all the same with ?force=true.",
        problems,
    )
