"""Queries about what uses a connection or a variable: definitions of workflows, and what lets messages in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, exists, func, not_, or_, select
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import cast
from sqlalchemy.sql.elements import SQLCoreOperations

from app.db.models import Mailbox, MessageAddress, Run, Version, Workflow
from app.json import JsonObject

_NAMES_IT = "$.**.connection ? (@ == $name)"

Test = Callable[[SQLCoreOperations[JsonObject]], ColumnElement[bool]]
"""What a document is looked for by."""


@dataclass(frozen=True)
class Naming:
    """A workflow whose draft, a version of which, or both, were looked for; None where it is not so."""

    id: UUID
    name: str
    slug: str
    status: str
    draft: JsonObject | None
    version: int | None
    definition: JsonObject | None


def naming(connection: str) -> Test:
    """Documents that name the connection."""

    def names(document: SQLCoreOperations[JsonObject]) -> ColumnElement[bool]:
        found = func.jsonb_path_exists(document, cast(_NAMES_IT, JSONPATH), cast({"name": connection}, JSONB))
        return func.coalesce(found, False)

    return names


def saying(word: str) -> Test:
    """Documents in which the word, of letters, digits and `_`, stands anywhere at all."""
    return lambda document: func.coalesce(func.strpos(cast(document, Text), word) > 0, False)


async def workflows_that(session: AsyncSession, workspace_id: UUID, test: Test) -> Sequence[Naming]:
    """Workflows that are not archived and whose draft or active version is so, by their names."""
    in_draft, in_version = test(Workflow.draft), test(Version.definition)
    statement = (
        select(Workflow, Version, in_draft.label("in_draft"), in_version.label("in_version"))
        .outerjoin(
            Version,
            and_(
                Version.workspace_id == Workflow.workspace_id,
                Version.workflow_id == Workflow.id,
                Version.number == Workflow.active_version,
            ),
        )
        .where(Workflow.workspace_id == workspace_id, Workflow.status != "archived", or_(in_draft, in_version))
        .order_by(func.lower(Workflow.name), Workflow.id)
    )
    return [
        _naming(row.Workflow, row.Workflow.draft if row.in_draft else None, row.Version if row.in_version else None)
        for row in await session.execute(statement)
    ]


async def versions_under_way(session: AsyncSession, workspace_id: UUID, test: Test) -> Sequence[Naming]:
    """Other versions that are so, of all workflows, which runs that have not ended still use; by the workflows' names.
    `draft` is None. The open runs of a workspace are an index of their own."""
    under_way = (
        select(Run.workflow_id, Run.version)
        .where(Run.workspace_id == workspace_id, Run.finished_at.is_(None))
        .distinct()
        .cte("under_way")
    )
    is_active = and_(Workflow.status != "archived", func.coalesce(Version.number == Workflow.active_version, False))
    statement = (
        select(Workflow, Version)
        .join(Version, and_(Version.workspace_id == Workflow.workspace_id, Version.workflow_id == Workflow.id))
        .join(under_way, and_(under_way.c.workflow_id == Version.workflow_id, under_way.c.version == Version.number))
        .where(Workflow.workspace_id == workspace_id, not_(is_active), test(Version.definition))
        .order_by(func.lower(Workflow.name), Workflow.id, Version.number)
    )
    return [_naming(row.Workflow, None, row.Version) for row in await session.execute(statement)]


def _naming(workflow: Workflow, draft: JsonObject | None, version: Version | None) -> Naming:
    return Naming(
        id=workflow.id,
        name=workflow.name,
        slug=workflow.slug,
        status=workflow.status,
        draft=draft,
        version=None if version is None else version.number,
        definition=None if version is None else version.definition,
    )


async def way_in(session: AsyncSession, workspace_id: UUID, connection_id: UUID) -> str | None:
    """`address` or `mailbox`, if messages come in over the connection."""
    has = {
        way: exists().where(table.workspace_id == workspace_id, table.connection_id == connection_id)
        for way, table in (("address", MessageAddress), ("mailbox", Mailbox))
    }
    row = (await session.execute(select(*(each.label(way) for way, each in has.items())))).one()
    return next((way for way in has if getattr(row, way)), None)
