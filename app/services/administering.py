"""What the platform's administrator does with workspaces: list, rename, suspend, resume and
delete them, and give them plans.

Making one is `workspaces.create_workspace`. Nothing of what is in a workspace is seen here.
"""

from typing import Literal
from uuid import UUID

from app.json import Json, JsonObject
from app.services import audit, plans
from app.services.actors import NO_WORKSPACE
from app.services.errors import Conflict, NotFound
from app.services.paging import Page, decode_cursor, page_of, plain_text
from app.services.platform import Platform
from app.services.workspaces import name_of
from app.store.sweeps import WorkspaceFacts

State = Literal["active", "suspended", "deleting"]


async def list_(platform: Platform, *, state: State | None, limit: int, cursor: str | None) -> Page[WorkspaceFacts]:
    """A page of the workspaces in the order they were made. Raises `Invalid` (`invalid_cursor`)."""
    after = decode_cursor(cursor, _id)
    found = await platform.sweeps.list_(state=state, after=after, limit=limit + 1)
    return page_of(found, limit, lambda workspace: str(workspace.id))


async def get(platform: Platform, workspace_id: UUID) -> WorkspaceFacts:
    """The workspace. Raises `NotFound`."""
    return _there(await platform.sweeps.find(workspace_id))


async def change(
    platform: Platform,
    workspace_id: UUID,
    *,
    name: str | None = None,
    state: Literal["active", "suspended"] | None = None,
    plan: str | None = None,
    plan_overrides: JsonObject | None = None,
) -> WorkspaceFacts:
    """Give the workspace another name or plan; suspend it, so that nothing new starts in it, or resume it. Known
    everywhere within seconds. Raises `NotFound`, `Conflict` (`workspace_deleting`), `Invalid` (`invalid_name`,
    `unknown_plan`, `invalid_overrides`)."""
    plans.checked(plan, plan_overrides)
    changed = await _change(platform, workspace_id, None if name is None else name_of(name, "workspace"), state)
    if plan is None and plan_overrides is None:
        return changed
    # As the application in that workspace: the platform's own role may not write what a plan is held by.
    await plans.set_plan(platform, workspace_id, plan, plan_overrides)
    return await get(platform, workspace_id)


async def delete(platform: Platform, workspace_id: UUID) -> WorkspaceFacts:
    """Delete the workspace with everything in it, for good. Its keys stop at once, upkeep does the rest. Raises
    `NotFound`. One that is being deleted already stays so."""
    there = await get(platform, workspace_id)
    if there.state == "deleting":
        return there
    return await _change(platform, workspace_id, None, "deleting")


async def _change(platform: Platform, workspace_id: UUID, name: str | None, state: State | None) -> WorkspaceFacts:
    before = await get(platform, workspace_id)
    changed = await platform.sweeps.change(workspace_id, name=name, state=state)
    if changed is None:
        there = await get(platform, workspace_id)
        raise Conflict(
            "workspace_deleting",
            f'The workspace "{there.name}" is being deleted since {there.state_changed_at.isoformat()}, for good: '
            "make another one.",
        )
    platform.standings.put(workspace_id, changed.state)
    await _note(platform, before, changed)
    return changed


async def _note(platform: Platform, before: WorkspaceFacts, after: WorkspaceFacts) -> None:
    """In the log of the platform, and in that of the workspace, unless it goes."""
    deleted = after.state == "deleting"
    facts = ({"name": one.name, "state": one.state} for one in (before, after))
    told: JsonObject = dict(zip(("before", "after"), facts, strict=True))
    action = "workspace.delete" if deleted else "workspace.update"
    for log in (NO_WORKSPACE,) if deleted else (NO_WORKSPACE, after.id):
        await audit.note_done(platform.database, log, action, after.id, after.name, **told)


def _id(key: Json) -> UUID:
    return UUID(plain_text(key))


def _there(workspace: WorkspaceFacts | None) -> WorkspaceFacts:
    if workspace is None:
        raise NotFound("workspace_not_found", "There is no such workspace.")
    return workspace
