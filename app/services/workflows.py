"""Workflows: making, finding, changing, copying and deleting them. All their use cases can be called from here.

How a draft becomes a version is `publishing.py`, how its steps are edited one by one `drafts.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from secrets import token_hex
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.models import Version, Workflow
from app.definition import dialects
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services import audit, editing, plans, scheduling
from app.services.audit_facts import of_workflow
from app.services.errors import Conflict, Invalid
from app.services.paging import Page, decode_cursor, page_of, plain_text
from app.services.platform import Platform
from app.services.publishing import (
    activate,
    archive,
    pause,
    problems_of,
    publish,
    publish_draft,
    restore,
    validate,
    version,
    versions,
)
from app.services.slugs import MAX_LENGTH, SLUG_PATTERN, free_slug, slug_of
from app.services.validation import validated
from app.store import schedules, workflows
from app.store.workflows import SORT_KEYS, WorkflowStats

__all__ = [
    "WorkflowStats", "activate", "apply", "archive", "create", "delete", "duplicate", "get", "list_", "pause",
    "publish", "restore", "stats", "update", "validate", "version", "versions",
]  # fmt: skip

MAX_NAME_LENGTH = 200
SLUG_ATTEMPTS = 5

Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=MAX_LENGTH)]
Short = Annotated[str, StringConstraints(max_length=100)]


class _Fields(BaseModel):
    """What may be set on a workflow; only what was given counts."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH)] = ""
    slug: Slug = ""
    description: Annotated[str, StringConstraints(max_length=4000)] = ""
    category: Short | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=50)
    icon: Short | None = None
    color: Short | None = None
    definition: JsonObject = {}


async def create(
    platform: Platform,
    workspace_id: UUID,
    *,
    name: str,
    definition: JsonObject | None = None,
    slug: str | None = None,
    description: str = "",
    category: str | None = None,
    tags: Sequence[str] = (),
    icon: str | None = None,
    color: str | None = None,
) -> Workflow:
    """A new workflow, a draft. Without a slug it gets one made from its name.

    Raises `Invalid` with all problems, `Conflict` (`slug_taken`) for a slug that was asked for, or `Forbidden`
    (`plan_limit_reached`).
    """
    given: JsonObject = {
        "name": name,
        "description": description,
        "category": category,
        "tags": list(tags),
        "icon": icon,
        "color": color,
        "definition": definition or {},
    }
    fields = _validated(given if slug is None else {**given, "slug": slug})
    workflow = Workflow(
        workspace_id=workspace_id,
        id=uuid7(),
        draft=editing.canonical(fields.definition),
        **fields.model_dump(exclude={"definition"}),
    )
    async with platform.database.transaction(workspace_id) as session:
        await plans.allow_workflow(session, workspace_id)
        await _add(session, workflow)
        await audit.note(session, "workflow.create", workflow.id, workflow.name, after=of_workflow(workflow))
    return workflow


async def get(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> Workflow:
    """The workflow. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        return editing.there(await workflows.find(session, workspace_id, workflow_id))


async def list_(
    platform: Platform,
    workspace_id: UUID,
    *,
    status: str | None = None,
    tag: str | None = None,
    q: str | None = None,
    sort: str = "-created_at",
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Workflow]:
    """Workflows by `created_at`, `updated_at` or `name`, turned round by a leading minus; `q` is looked for in name and
    description. Raises `Invalid` (`invalid_sort`, `invalid_cursor`)."""
    field = sort.removeprefix("-")
    if field not in SORT_KEYS:
        raise Invalid("invalid_sort", f"sort: {field!r} is none of {', '.join(SORT_KEYS)}.")
    after = decode_cursor(cursor, lambda key: _read_place(key, sort))
    async with platform.database.transaction(workspace_id) as session:
        found = await workflows.list_(
            session,
            workspace_id,
            status=status,
            tag=tag,
            text=q,
            sort=field,
            descending=sort.startswith("-"),
            after=after,
            limit=limit + 1,
        )
    page = page_of(found, limit, lambda row: {"sort": sort, "key": _place_text(row[1]), "id": str(row[0].id)})
    return Page([row[0] for row in page.items], page.next_cursor)


async def update(
    platform: Platform, workspace_id: UUID, workflow_id: UUID, changes: JsonObject, *, if_match: int | None = None
) -> Workflow:
    """Change the fields named: `name`, `slug`, `description`, `category`, `tags`, `icon`, `color`, `definition`.

    `if_match` is the revision the caller read. Raises `Stale`, `Invalid` with all problems, `Conflict`
    (`workflow_active` for a definition that must not change now, `slug_taken`) or `NotFound`.
    """
    fields = _validated(changes)
    async with platform.database.transaction(workspace_id) as session:
        workflow = await editing.locked(session, workspace_id, workflow_id)
        editing.require_revision(workflow, if_match)
        before = of_workflow(workflow)
        if "definition" in changes:
            editing.require_changeable(workflow, await editing.settings(session, workspace_id))
            workflow.draft = editing.canonical(fields.definition)
        for name, value in fields.model_dump(exclude={"definition"}, exclude_unset=True).items():
            setattr(workflow, name, value)
        if changes:
            editing.touch(workflow)
        await _flush(session, workflow)
        if "name" in changes:
            await schedules.rename(session, workspace_id, workflow_id, workflow.name)
        await audit.note(
            session, "workflow.update", workflow_id, workflow.name, before=before, after=of_workflow(workflow)
        )
    if "name" in changes:
        await scheduling.sync_workflow(platform, workspace_id, workflow_id)
    return workflow


async def delete(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> None:
    """Delete the workflow with its versions; what its runs did stays. Raises `Conflict` (`runs_under_way`)."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = await editing.locked(session, workspace_id, workflow_id)
        under_way = await workflows.runs_under_way(session, workspace_id, workflow_id)
        if under_way:
            runs = "1 run" if under_way == 1 else f"{under_way} runs"
            raise Conflict(
                "runs_under_way",
                f'The workflow "{workflow.name}" has {runs} under way: cancel them or wait for their end, or archive '
                "the workflow instead.",
            )
        await scheduling.retire(session, workflow)
        await session.delete(workflow)
        await audit.note(session, "workflow.delete", workflow_id, workflow.name, before=of_workflow(workflow))
    await scheduling.sync_workflow(platform, workspace_id, workflow_id)


async def duplicate(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> Workflow:
    """A new draft with a copy of this one's. Raises `NotFound`, `Forbidden` (`plan_limit_reached`)."""
    async with platform.database.transaction(workspace_id) as session:
        source = editing.there(await workflows.find(session, workspace_id, workflow_id))
        await plans.allow_workflow(session, workspace_id)
        suffix = " (copy)"
        copy = Workflow(
            workspace_id=workspace_id,
            id=uuid7(),
            name=source.name[: MAX_NAME_LENGTH - len(suffix)] + suffix,
            slug="",
            description=source.description,
            category=source.category,
            tags=list(source.tags),
            icon=source.icon,
            color=source.color,
            draft=source.draft,
        )
        await _add(session, copy)
        copied = {"from": str(workflow_id), **of_workflow(copy)}
        await audit.note(session, "workflow.duplicate", copy.id, copy.name, after=copied)
    return copy


async def stats(platform: Platform, workspace_id: UUID, workflow_ids: Sequence[UUID]) -> dict[UUID, WorkflowStats]:
    """How the runs of each of these workflows went, counted now."""
    async with platform.database.transaction(workspace_id) as session:
        found = await workflows.stats(session, workspace_id, workflow_ids)
    return {workflow_id: found.get(workflow_id, WorkflowStats()) for workflow_id in workflow_ids}


async def apply(
    platform: Platform,
    workspace_id: UUID,
    document: JsonObject,
    *,
    comment: str | None = None,
    activate: bool = True,
    published_by: str,
) -> tuple[Workflow, Version, bool, bool]:
    """Make the workspace have this definition, found by the slug of its name: workflow, version, created, changed.

    Applying the same again changes nothing. With `activate`, a draft or active workflow is active afterwards; one that
    was paused or archived gets the version and stays as it is. Draft and version change together, so an active workflow
    need not be paused, and misses no event. Raises `Invalid` with all problems, `Forbidden` (`plan_limit_reached`).
    """
    canonical = await _canonical(platform, workspace_id, document)
    name = str(canonical.get("name", "")).strip()
    if not name:
        problem = Problem("name", "a definition that is applied needs a name", "the workflow is found by its slug")
        raise editing.invalid_definition([problem])
    async with platform.database.transaction(workspace_id) as session:
        workflow, created = await _by_name(session, workspace_id, name)
        before = (workflow.status, workflow.revision, workflow.active_version, workflow.latest_version)
        facts = None if created else of_workflow(workflow)
        if workflow.draft != canonical or workflow.name != name:
            workflow.name = name
            workflow.description = canonical.get("description", workflow.description)
            editing.put_draft(workflow, canonical)
        live = activate and workflow.status in ("draft", "active")
        try:
            published = await publish_draft(
                session, workflow, comment=comment, activate=live, published_by=published_by
            )
        except Invalid as error:
            with editing.told_where_written(dialects.read(document)):
                raise error
        applied = {**of_workflow(workflow), "version": published.number}
        if facts is not None:
            facts["version"] = before[-1]
        await audit.note(session, "workflow.apply", workflow.id, workflow.name, before=facts, after=applied)
    await scheduling.sync_workflow(platform, workspace_id, workflow.id)
    after = (workflow.status, workflow.revision, workflow.active_version, workflow.latest_version)
    return workflow, published, created, created or before != after


async def _canonical(platform: Platform, workspace_id: UUID, document: JsonObject) -> JsonObject:
    """The canonical form; what has none is refused with the problems of meaning too: it was to be published."""
    try:
        return editing.canonical(document)
    except Invalid:
        async with platform.database.transaction(workspace_id) as session:
            problems = await problems_of(session, workspace_id, document)
        raise editing.invalid_definition(problems) from None


async def _by_name(session: AsyncSession, workspace_id: UUID, name: str) -> tuple[Workflow, bool]:
    """The workflow of this name's slug, locked; a new one (True) when there is none, also if two ask at once."""
    slug = slug_of(name)
    found = await workflows.with_slug(session, workspace_id, slug, lock=True)
    if found is not None:
        return found, False
    await plans.allow_workflow(session, workspace_id)
    fresh = Workflow(workspace_id=workspace_id, id=uuid7(), name=name, slug=slug, draft={})
    try:
        async with session.begin_nested():
            session.add(fresh)
    except IntegrityError:
        return editing.there(await workflows.with_slug(session, workspace_id, slug, lock=True)), False
    return fresh, True


async def _add(session: AsyncSession, workflow: Workflow) -> None:
    """Insert it, under its slug if it has one, else under the first free one made from its name."""
    if workflow.slug:
        session.add(workflow)
        await _flush(session, workflow)
        return
    base = slug_of(workflow.name)
    for attempt in range(SLUG_ATTEMPTS):
        if attempt < SLUG_ATTEMPTS - 1:
            workflow.slug = free_slug(base, await workflows.slugs_like(session, workflow.workspace_id, base))
        else:
            # So many ask for this name at once that counting up comes too late each time.
            workflow.slug = f"{base}-{token_hex(3)}"
        try:
            async with session.begin_nested():
                session.add(workflow)
            return
        except IntegrityError:
            # Somebody took it between the look and the insert.
            if attempt == SLUG_ATTEMPTS - 1:
                raise


async def _flush(session: AsyncSession, workflow: Workflow) -> None:
    slug = workflow.slug
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict(
            "slug_taken", f"The slug {slug!r} belongs to another workflow: choose another, or leave it out."
        ) from error


def _validated(given: JsonObject) -> _Fields:
    return validated(_Fields, given, code="invalid_workflow", subject="the workflow")


def _place_text(key: datetime | str) -> str:
    return key.isoformat() if isinstance(key, datetime) else key


def _read_place(key: Json, sort: str) -> tuple[datetime | str, UUID]:
    """Place of the last item; raises `ValueError` for a cursor of another order."""
    if key["sort"] != sort:
        raise ValueError("the cursor belongs to another order")
    text = plain_text(key["key"])
    return (text if sort.endswith("name") else datetime.fromisoformat(text)), UUID(key["id"])
