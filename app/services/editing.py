"""The rules every change of a workflow keeps: who holds it, when its draft may change, what a draft may hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Workflow
from app.definition import dialects
from app.definition.parse import dump, parse
from app.definition.problems import DefinitionInvalid, Problem
from app.json import Json, JsonObject
from app.services.errors import Conflict, Invalid, NotFound, Stale
from app.services.workspaces import WorkspaceSettings, settings_of
from app.store import workflows, workspaces


async def locked(session: AsyncSession, workspace_id: UUID, workflow_id: UUID) -> Workflow:
    """The workflow, held until the transaction ends, so that changes made at once come one after the other.

    Raises `NotFound`.
    """
    return there(await workflows.find(session, workspace_id, workflow_id, lock=True))


def there(workflow: Workflow | None) -> Workflow:
    """The workflow; raises `NotFound` for None."""
    if workflow is None:
        raise NotFound("workflow_not_found", "There is no such workflow.")
    return workflow


async def settings(session: AsyncSession, workspace_id: UUID) -> WorkspaceSettings:
    """The workspace's settings. Raises `NotFound`."""
    workspace = await workspaces.find(session, workspace_id)
    if workspace is None:
        raise NotFound("workspace_not_found", "There is no such workspace.")
    return settings_of(workspace)


def canonical(document: Json) -> JsonObject:
    """The definition in its canonical form. Raises `Invalid` with every problem of its shape."""
    reading = dialects.read(document)
    with told_where_written(reading):
        try:
            return dump(parse(document if reading is None else reading.document))
        except DefinitionInvalid as error:
            raise invalid_definition(error.problems) from error


@contextmanager
def told_where_written(reading: dialects.Reading | None) -> Iterator[None]:
    """Problems of what was read from another dialect are told at the places of the user's own document.

    Raises `Invalid` at once when it could not be read.
    """
    if reading is not None and reading.errors:
        raise invalid_definition([*reading.errors, *reading.remarks])
    try:
        yield
    except Invalid as error:
        if reading is None or not error.problems:
            raise
        raise invalid_definition([*reading.told(error.problems), *reading.remarks]) from error


def invalid_definition(problems: list[Problem]) -> Invalid:
    """What is raised for a definition with these problems."""
    first, more = problems[0], len(problems) - 1
    where = f"{first.path}: " if first.path else ""
    others = f" ({more} more in `errors`)" if more else ""
    return Invalid("invalid_definition", f"The definition has problems: {where}{first.message}{others}", problems)


def require_revision(workflow: Workflow, revision: int | None) -> None:
    """Refuse a change made from another revision than the present one; None means any will do. Raises `Stale`."""
    if revision is not None and revision != workflow.revision:
        raise Stale(
            "stale", f"The workflow is at revision {workflow.revision}, not the one you read: read it and redo it."
        )


def require_changeable(workflow: Workflow, rules: WorkspaceSettings) -> None:
    """Raise `Conflict` (`workflow_active`) when the draft must not change now."""
    if workflow.status == "active" and not rules.allow_drafts_beside_active:
        raise Conflict(
            "workflow_active",
            f'The workflow "{workflow.name}" is active, so its draft cannot be changed: pause it first, or set '
            "`allow_drafts_beside_active` in the workspace's settings.",
        )


def put_draft(workflow: Workflow, document: JsonObject) -> None:
    """Replace the draft by a canonical document."""
    workflow.draft = document
    touch(workflow)


def touch(workflow: Workflow) -> None:
    """Count a change, so that `If-Match` of an earlier revision is stale."""
    workflow.revision += 1
    workflow.updated_at = func.now()
