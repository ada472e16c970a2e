"""Workspaces, their settings and their API keys: making them, and telling whose key a request carries."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from uuid_utils.compat import uuid7

from app.db.models import ApiKey, Workspace
from app.json import JsonObject
from app.security import api_keys as key_text
from app.security.egress_hosts import EgressSettings
from app.security.permissions import Role
from app.services import audit, members, plans
from app.services.actors import NO_WORKSPACE, Actor
from app.services.errors import Invalid, Lapsed, NotFound, Unauthenticated
from app.services.members import FirstAdmin
from app.services.platform import Platform
from app.services.validation import validated
from app.settings import MAX_RETENTION_DAYS
from app.store import api_keys, workspaces

FIRST_KEY_NAME = "first key"
MAX_NAME_LENGTH = 200


class WorkspaceSettings(BaseModel):
    """What a workspace may decide for itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    max_steps: int = Field(50, ge=1, le=1000, description="Most steps a definition may have.")
    allow_drafts_beside_active: bool = Field(
        False, description="Whether the draft of an active workflow may be changed."
    )
    retention_days: int | None = Field(
        None, ge=0, le=MAX_RETENTION_DAYS, description="Days that ended runs and events are kept; 0 = for ever."
    )
    egress: EgressSettings = Field(EgressSettings(), description="Where actions may call.")


async def create_workspace(
    platform: Platform,
    name: str,
    *,
    admin: FirstAdmin | None = None,
    plan: str = "own",
    plan_overrides: JsonObject | None = None,
    by: str | None = None,
) -> tuple[Workspace, str]:
    """A new workspace with its first member, if one is named, and its first API key, which is shown here and never
    again. Raises `Invalid` (`invalid_name`, `invalid_subject`, `unknown_plan`, `invalid_overrides`)."""
    workspace = Workspace(workspace_id=uuid7(), name=name_of(name, "workspace"), settings={})
    plans.give(workspace, plan, plans.checked(plan, plan_overrides) or {})
    row, key = _new_key(workspace.workspace_id, FIRST_KEY_NAME)
    row.created_by = by
    member = None if admin is None else members.first(workspace.workspace_id, admin, by)
    async with platform.database.transaction(workspace.workspace_id) as session:
        session.add(workspace)
        # What hangs on it can only be written after it.
        await session.flush()
        session.add_all([row] if member is None else [row, member])
        after = {"name": workspace.name, "admin": None if member is None else member.subject, **plans.facts(workspace)}
        await audit.note(session, "workspace.create", workspace.workspace_id, workspace.name, after=after)
    about = (NO_WORKSPACE, "workspace.create", workspace.workspace_id, workspace.name)
    await audit.note_done(platform.database, *about, after=after)
    return workspace, key


async def create_api_key(platform: Platform, workspace_id: UUID, name: str) -> str:
    """A further key; the answer is the only time its text is seen. Raises `NotFound` for an unknown workspace."""
    row, key = _new_key(workspace_id, name_of(name, "key"))
    async with platform.database.transaction(workspace_id) as session:
        there(await workspaces.find(session, workspace_id))
        session.add(row)
        after = {"name": row.name, "prefix": row.prefix, "role": row.role}
        await audit.note(session, "api_key.create", row.id, row.name, after=after)
    return key


def knows(platform: Platform, key: str) -> bool:
    """Whether the key was found to be right lately."""
    presented = key_text.read(key)
    return presented is not None and platform.let_in.get(presented.hash) is not None


async def authenticate(platform: Platform, key: str) -> Actor:
    """Whose key this is. Raises `Unauthenticated`, which never says how close the key was (`Lapsed` where it was
    right once)."""
    presented = key_text.read(key)
    if presented is None:
        raise _wrong_key()
    known = platform.actors.get(presented.hash)
    if known is not None and not known.is_over:
        return known
    if refused := platform.refused.get(presented.hash):
        raise _wrong_key(refused)
    forgotten = platform.actors.forgotten
    async with platform.database.transaction(presented.workspace_id) as session:
        for row in await api_keys.with_prefix(session, presented.prefix):
            if (actor := _whose(row, presented)) is not None:
                await api_keys.note_use(session, row.workspace_id, row.id)
                break
        else:
            lapsed = any(_was(row, presented) for row in await api_keys.ever_with_prefix(session, presented.prefix))
            refused = Lapsed if lapsed else Unauthenticated
            platform.refused.put(presented.hash, refused)
            raise _wrong_key(refused)
    platform.actors.put(presented.hash, actor, forgotten=forgotten)
    platform.let_in.put(presented.hash, True)
    return actor


async def get_workspace(platform: Platform, workspace_id: UUID) -> Workspace:
    """The workspace. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        return there(await workspaces.find(session, workspace_id))


async def update_settings(platform: Platform, workspace_id: UUID, changes: JsonObject) -> Workspace:
    """Change the settings named in `changes`; the others stay. Raises `Invalid` with all problems, or `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        workspace = there(await workspaces.find(session, workspace_id, lock=True))
        settings = validated(
            WorkspaceSettings,
            {**workspace.settings, **changes},
            code="invalid_settings",
            subject="the workspace's settings",
        )
        before, after = settings_of(workspace).model_dump(), settings.model_dump()
        workspace.settings = after
        await audit.note(session, "workspace.update", workspace_id, workspace.name, before=before, after=after)
    platform.known_hosts.put(workspace_id, settings.egress.hosts())
    return workspace


def settings_of(workspace: Workspace) -> WorkspaceSettings:
    """The workspace's settings with the defaults of those it never set."""
    return WorkspaceSettings.model_validate(workspace.settings)


def _new_key(workspace_id: UUID, name: str) -> tuple[ApiKey, str]:
    key = key_text.generate(workspace_id)
    parsed = key_text.read(key)
    assert parsed is not None
    return ApiKey(workspace_id=workspace_id, id=uuid7(), name=name, prefix=parsed.prefix, hash=parsed.hash), key


def _whose(row: ApiKey, presented: key_text.ReadKey) -> Actor | None:
    """Who asks with it, if it is the text of this key, or the one before a rotation and still good."""
    if key_text.matches(presented, row.hash):
        return _actor(row, row.expires_at)
    if row.previous_hash is None or row.previous_until is None or not key_text.matches(presented, row.previous_hash):
        return None
    actor = _actor(row, min(row.previous_until, row.expires_at or row.previous_until))
    return None if actor.is_over else actor


def _was(row: ApiKey, presented: key_text.ReadKey) -> bool:
    """Whether it is a text of this key, however long ago."""
    texts = (row.hash, row.previous_hash)
    return any(text is not None and key_text.matches(presented, text) for text in texts)


def _actor(row: ApiKey, expires_at: datetime | None) -> Actor:
    return Actor(
        row.workspace_id,
        row.id,
        row.name,
        Role(row.role),
        None if row.scopes is None else frozenset(row.scopes),
        expires_at=expires_at,
    )


def name_of(name: str, what: str) -> str:
    """The name as it is kept. Raises `Invalid` (`invalid_name`)."""
    name = name.strip()
    if not name or len(name) > MAX_NAME_LENGTH:
        raise Invalid("invalid_name", f"a {what} needs a name of 1 to {MAX_NAME_LENGTH} characters")
    return name


def there(workspace: Workspace | None) -> Workspace:
    """The workspace; raises `NotFound` for None."""
    if workspace is None:
        raise NotFound("workspace_not_found", "There is no such workspace.")
    return workspace


def _wrong_key(kind: type[Unauthenticated] = Unauthenticated) -> Unauthenticated:
    return kind("invalid_api_key", "This API key is not known. Send one as `Authorization: Bearer hf_...`.")
