"""From draft to version and back, and which version runs: publish, activate, pause, archive, restore.

A workflow's subscriptions always are those of the version new runs take, and there are none unless it is active. Its
schedules are that version's as well; they rest while it is paused, and go when it is archived. Status, version,
subscriptions and schedules change in one transaction under a lock on the workflow; Temporal hears of schedules after.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.catalog.events.registry import EVENTS
from app.catalog.registry import LOOKUP
from app.db.models import Version, Workflow
from app.definition import dialects
from app.definition.check import check
from app.definition.mending import mended
from app.definition.model import Definition
from app.definition.parse import digest, parse
from app.definition.problems import DefinitionInvalid, Problem
from app.json import Json
from app.services import audit, editing, plans, queues, scheduling, subscribing
from app.services.audit_facts import of_workflow
from app.services.errors import Conflict, NotFound
from app.services.paging import Page, decode_cursor, page_of, whole_number
from app.services.platform import Platform
from app.services.subworkflows import check_runs, circles, decide_alone
from app.store import connections, subscriptions, variables, workflows
from app.store import versions as version_rows


async def validate(
    platform: Platform, workspace_id: UUID, workflow_id: UUID, definition: Json | None = None
) -> list[Problem]:
    """Everything publishing would refuse or warn of, for the draft or for `definition` instead. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = editing.there(await workflows.find(session, workspace_id, workflow_id))
        return await problems_of(session, workspace_id, workflow.draft if definition is None else definition, workflow)


async def problems_of(
    session: AsyncSession, workspace_id: UUID, document: Json, own: Workflow | None = None
) -> list[Problem]:
    """Every problem of a document of the workflow `own`, in any dialect: of its shape, and of all in it that can be
    read nevertheless."""
    reading = dialects.read(document)
    if reading is None:
        return await _problems_as_written(session, workspace_id, document, own)
    if reading.errors:
        return [*reading.errors, *reading.remarks]
    found = await _problems_as_written(session, workspace_id, reading.document, own)
    return [*reading.told(found), *reading.remarks]


async def _problems_as_written(
    session: AsyncSession, workspace_id: UUID, document: Json, own: Workflow | None
) -> list[Problem]:
    try:
        return await _problems(session, workspace_id, parse(document), own)
    except DefinitionInvalid as error:
        rest = mended(document, error.problems)
        if rest is None:
            return error.problems
        found = await _problems(session, workspace_id, rest.definition, own)
        return [*error.problems, *(problem for problem in found if rest.concerns(problem))]


async def publish(
    platform: Platform,
    workspace_id: UUID,
    workflow_id: UUID,
    *,
    comment: str | None = None,
    activate: bool = True,
    published_by: str,
) -> Version:
    """Make the draft the next version, and with `activate` the one new runs take.

    A draft that says the same as the latest version makes no second one: that version is the answer. Raises `Invalid`
    (`invalid_definition`) with all problems, `Forbidden` (`plan_limit_reached`) or `NotFound`.
    """
    async with platform.database.transaction(workspace_id) as session:
        workflow = await editing.locked(session, workspace_id, workflow_id)
        before = {**of_workflow(workflow), "version": workflow.latest_version, "digest": None}
        made = await publish_draft(session, workflow, comment=comment, activate=activate, published_by=published_by)
        after = {**of_workflow(workflow), "version": workflow.latest_version, "digest": None}
        if before["version"] != after["version"]:
            after["digest"] = made.digest
        await audit.note(session, "workflow.publish", workflow_id, workflow.name, before=before, after=after)
    if activate:
        await scheduling.sync_workflow(platform, workspace_id, workflow_id)
        await queues.wake(platform, workspace_id, workflow_id)
    return made


async def publish_draft(
    session: AsyncSession, workflow: Workflow, *, comment: str | None, activate: bool, published_by: str
) -> Version:
    """As `publish`, of a workflow that is locked already."""
    document = editing.canonical(workflow.draft)
    definition = parse(document)
    plan = await plans.hold(session, workflow.workspace_id)
    await decide_alone(session, workflow.workspace_id, definition)
    problems = await _problems(session, workflow.workspace_id, definition, workflow)
    if errors := [problem for problem in problems if problem.severity == "error"]:
        raise editing.invalid_definition(errors)
    plans.allow_definition(plan, definition)
    if activate:
        await plans.allow_active(session, plan, workflow, definition)
    latest = await version_rows.find(session, workflow.workspace_id, workflow.id, workflow.latest_version)
    news = latest is None or latest.digest != digest(document)
    if latest is None or news:
        latest = Version(
            workspace_id=workflow.workspace_id,
            workflow_id=workflow.id,
            number=workflow.latest_version + 1,
            definition=document,
            digest=digest(document),
            comment=comment,
            published_by=published_by,
        )
        session.add(latest)
        workflow.latest_version = latest.number
    if activate:
        news |= await _run_version(session, workflow, latest)
    if news:
        editing.touch(workflow)
    return latest


async def activate(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> Workflow:
    """Let new runs start, of the latest version; from every status. Raises `Conflict` (`nothing_published`),
    `Forbidden` (`plan_limit_reached`), and `Invalid` (`invalid_definition`) when the workflow would run itself by what
    was published meanwhile."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = await editing.locked(session, workspace_id, workflow_id)
        latest = await version_rows.find(session, workspace_id, workflow_id, workflow.latest_version)
        if latest is None:
            raise Conflict(
                "nothing_published", f'Nothing of the workflow "{workflow.name}" is published yet: publish its draft.'
            )
        definition = parse(latest.definition)
        plan = await plans.hold(session, workspace_id)
        await decide_alone(session, workspace_id, definition)
        if errors := await circles(session, workspace_id, definition, workflow):
            raise editing.invalid_definition(errors)
        before = of_workflow(workflow)
        await plans.allow_active(session, plan, workflow, definition)
        if await _run_version(session, workflow, latest):
            editing.touch(workflow)
        await audit.note(
            session, "workflow.activate", workflow_id, workflow.name, before=before, after=of_workflow(workflow)
        )
    await scheduling.sync_workflow(platform, workspace_id, workflow_id)
    await queues.wake(platform, workspace_id, workflow_id)
    return workflow


async def pause(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> Workflow:
    """Start no more runs, nor let in those that wait; those under way go on. Pausing what is paused changes nothing.
    Raises `Conflict`."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = await editing.locked(session, workspace_id, workflow_id)
        if workflow.status not in ("active", "paused"):
            raise Conflict(
                "workflow_not_active",
                f'The workflow "{workflow.name}" has the status {workflow.status}; only an active one can be paused.',
            )
        before = of_workflow(workflow)
        await _rest(session, workflow, "paused")
        await audit.note(
            session, "workflow.pause", workflow_id, workflow.name, before=before, after=of_workflow(workflow)
        )
    await scheduling.sync_workflow(platform, workspace_id, workflow_id)
    return workflow


async def archive(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> Workflow:
    """Put the workflow away, from every status; runs under way go on, and `activate` brings it back."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = await editing.locked(session, workspace_id, workflow_id)
        before = of_workflow(workflow)
        await _rest(session, workflow, "archived")
        await audit.note(
            session, "workflow.archive", workflow_id, workflow.name, before=before, after=of_workflow(workflow)
        )
    await scheduling.sync_workflow(platform, workspace_id, workflow_id)
    return workflow


async def versions(
    platform: Platform, workspace_id: UUID, workflow_id: UUID, *, limit: int = 50, cursor: str | None = None
) -> Page[Version]:
    """The workflow's versions, newest first. Raises `NotFound` or `Invalid` (`invalid_cursor`)."""
    before = decode_cursor(cursor, lambda key: whole_number(key["number"], bits=32))
    async with platform.database.transaction(workspace_id) as session:
        editing.there(await workflows.find(session, workspace_id, workflow_id))
        found = await version_rows.list_(session, workspace_id, workflow_id, before=before, limit=limit + 1)
    return page_of(found, limit, lambda row: {"number": row.number})


async def version(platform: Platform, workspace_id: UUID, workflow_id: UUID, number: int) -> Version:
    """One published version. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = editing.there(await workflows.find(session, workspace_id, workflow_id))
        return await _version(session, workflow, number)


async def restore(platform: Platform, workspace_id: UUID, workflow_id: UUID, number: int) -> Workflow:
    """Make a version's definition the draft again; publishing it is another step. Raises as any draft change does."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = await editing.locked(session, workspace_id, workflow_id)
        wanted = await _version(session, workflow, number)
        editing.require_changeable(workflow, await editing.settings(session, workspace_id))
        before = of_workflow(workflow)
        editing.put_draft(workflow, wanted.definition)
        after = {**of_workflow(workflow), "version": number}
        await audit.note(session, "workflow.restore", workflow_id, workflow.name, before=before, after=after)
        return workflow


async def _problems(
    session: AsyncSession, workspace_id: UUID, definition: Definition, own: Workflow | None
) -> list[Problem]:
    rules = await editing.settings(session, workspace_id)
    kinds = await connections.kinds(session, workspace_id)
    known = await variables.kinds(session, workspace_id)
    problems = check(
        definition, actions=LOOKUP, connections=kinds, events=EVENTS, variables=known, max_steps=rules.max_steps
    )
    return problems if own is None else [*problems, *await check_runs(session, workspace_id, definition, own)]


async def _version(session: AsyncSession, workflow: Workflow, number: int) -> Version:
    found = await version_rows.find(session, workflow.workspace_id, workflow.id, number)
    if found is None:
        raise NotFound(
            "version_not_found",
            f'The workflow "{workflow.name}" has no version {number}; its latest is {workflow.latest_version}.',
        )
    return found


async def _run_version(session: AsyncSession, workflow: Workflow, chosen: Version) -> bool:
    """Whether that is news. Schedules that were paused after failures run again either way."""
    await scheduling.follow(session, workflow, parse(chosen.definition))
    if (workflow.status, workflow.active_version) == ("active", chosen.number):
        return False
    listens = subscribing.listens(workflow.id, parse(chosen.definition))
    await subscriptions.replace(session, workflow.workspace_id, workflow.id, listens)
    workflow.status, workflow.active_version = "active", chosen.number
    return True


async def _rest(session: AsyncSession, workflow: Workflow, status: str) -> None:
    if workflow.status != status:
        await subscriptions.replace(session, workflow.workspace_id, workflow.id, [])
        await (scheduling.rest if status == "paused" else scheduling.retire)(session, workflow)
        workflow.status = status
        editing.touch(workflow)
