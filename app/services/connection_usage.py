"""What would miss a connection: workflows that name it, and messages that come in over it. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Connection
from app.definition.connection_uses import ConnectionUse, connection_uses
from app.definition.problems import Problem
from app.services.definition_usage import problem
from app.services.errors import Conflict, NotFound
from app.services.platform import Platform
from app.store import connections
from app.store import definition_uses as store


@dataclass(frozen=True)
class UsingWorkflow:
    """A definition that names the connection, and where. `version` is None for the workflow's draft; `under_way`: it is
    none that new runs take, and runs under way use it still."""

    id: UUID
    name: str
    slug: str
    status: str
    version: int | None
    places: Sequence[ConnectionUse]
    under_way: bool = False


@dataclass(frozen=True)
class Usage:
    """Who uses a connection. `inbound` is `address` or `mailbox` where messages come in over it."""

    workflows: Sequence[UsingWorkflow]
    inbound: str | None


async def usage(platform: Platform, workspace_id: UUID, connection_id: UUID) -> Usage:
    """Who uses the connection: drafts and active versions of workflows that are not archived, other versions that runs
    under way use, and messages that come in over it. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        row = await connections.find(session, workspace_id, connection_id)
        if row is None:
            raise NotFound("connection_not_found", "There is no such connection.")
        return await usage_of(session, row)


async def usage_of(session: AsyncSession, row: Connection) -> Usage:
    """The same inside a transaction."""
    using: list[UsingWorkflow] = []
    named = store.naming(row.name)
    for each in await store.workflows_that(session, row.workspace_id, named):
        for version, document in ((each.version, each.definition), (None, each.draft)):
            if places := connection_uses(document, row.name):
                using.append(UsingWorkflow(each.id, each.name, each.slug, each.status, version, places))
    for each in await store.versions_under_way(session, row.workspace_id, named):
        if places := connection_uses(each.definition, row.name):
            using.append(UsingWorkflow(each.id, each.name, each.slug, each.status, each.version, places, True))
    return Usage(using, await store.way_in(session, row.workspace_id, row.id))


def in_use(row: Connection, usage: Usage) -> Conflict | None:
    """Why it should not be deleted, with everything that uses it; None when nothing does."""
    problems = _problems(usage)
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


def named_by_workflows(name: str, usage: Usage) -> Conflict | None:
    """Why it should keep this name, with the definitions that have it; None when none does. Messages that come in over
    it do so under any name."""
    problems = _problems(usage)
    if not problems:
        return None
    return Conflict(
        "connection_in_use",
        f"Workflows know the connection as {name!r}, see errors: change them first. They can name another connection "
        "meanwhile, made under the new name.",
        problems,
    )


def _problems(usage: Usage) -> list[Problem]:
    return [
        problem(
            each.name,
            each.slug,
            each.version,
            [place.path for place in each.places],
            under_way=each.under_way,
            instead="name another connection there",
        )
        for each in usage.workflows
    ]
