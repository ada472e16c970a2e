"""The keys of a workspace: making, showing, changing, rotating and revoking them. Whose a key is, others tell.

Nobody hands out more than they have: a key that somebody makes, changes or gives a new text may do at most what they
may. To revoke one takes no more than the permission, since what is lost must be revocable at once. A text is shown when
it is made; after that there is its hash.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.models import ApiKey
from app.definition.nearest import suggestion
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.security import api_keys as key_text
from app.security.permissions import FROM_ROLE, WORKSPACE_ROLES, Role, narrowed, permissions_of
from app.services import audit, members
from app.services.actors import Actor
from app.services.audit_facts import of_api_key
from app.services.errors import Conflict, Forbidden, Invalid, NotFound
from app.services.paging import Page, decode_cursor, page_of, plain_text
from app.services.platform import Platform
from app.services.validation import validated
from app.store import api_keys as store
from app.store import workspaces

LONGEST_GRACE_SECONDS = 7 * 86_400
SCOPES = tuple(permission for permission in FROM_ROLE if permission in permissions_of(Role.ADMIN))
"""What a key of a workspace can be narrowed to."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Fields(BaseModel):
    """What is said of a key by whoever makes or changes it."""

    model_config = ConfigDict(extra="forbid")

    name: Name = "key"
    role: Role = Role.VIEWER
    scopes: list[str] | None = None
    expires_at: AwareDatetime | None = None


async def list_(
    platform: Platform,
    workspace_id: UUID,
    *,
    status: store.Status | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[ApiKey]:
    """The workspace's keys, those made last first."""
    before = decode_cursor(cursor, _id)
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(session, workspace_id, status=status, before=before, limit=limit + 1)
    return page_of(found, limit, lambda row: str(row.id))


async def get(platform: Platform, workspace_id: UUID, key_id: UUID) -> ApiKey:
    """The key. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        return await _found(session, workspace_id, key_id)


async def create(platform: Platform, actor: Actor, fields: JsonObject) -> tuple[ApiKey, str]:
    """A new key of the actor's workspace (`name`, `role`, `scopes`, `expires_at`) and its text, seen here alone.

    Raises `Invalid` (`invalid_key`) with all problems, or `Forbidden` (`beyond_own_permissions`).
    """
    given = _validated(fields)
    row = ApiKey(
        workspace_id=actor.workspace_id,
        id=uuid7(),
        name=given.name,
        role=given.role.value,
        scopes=given.scopes,
        expires_at=given.expires_at,
        created_by=actor.name,
    )
    _check(row, fields)
    _require_reach(actor, row, "make")
    text = _give_text(row)
    async with platform.database.transaction(actor.workspace_id) as session:
        session.add(row)
        await audit.note(session, "api_key.create", row.id, row.name, after=of_api_key(row))
    return row, text


async def change(platform: Platform, actor: Actor, key_id: UUID, fields: JsonObject) -> ApiKey:
    """Change the fields named. Raises as `create` does, `NotFound`, or `Conflict` (`key_revoked`, `last_admin`)."""
    given = _validated(fields)
    async with platform.database.transaction(actor.workspace_id) as session:
        row = await _usable(session, actor, key_id)
        _require_reach(actor, row, "change")
        before, facts = _ways_in(row), of_api_key(row)
        for name in given.model_fields_set:
            value = getattr(given, name)
            setattr(row, name, value.value if isinstance(value, Role) else value)
        _check(row, fields)
        _require_reach(actor, row, "make")
        if before - _ways_in(row):
            await _keep_a_way_in(session, actor, row)
        await audit.note(session, "api_key.update", row.id, row.name, before=facts, after=of_api_key(row))
    _forget(platform, _hashes(row))
    return row


async def rotate(platform: Platform, actor: Actor, key_id: UUID, grace_seconds: int) -> tuple[ApiKey, str]:
    """Give the key a new text; the old one works `grace_seconds` longer, one from before that no more.

    Raises `NotFound`, `Forbidden` (`beyond_own_permissions`), or `Conflict` (`key_revoked`, `key_expired`).
    """
    now = datetime.now(UTC)
    async with platform.database.transaction(actor.workspace_id) as session:
        row = await _usable(session, actor, key_id)
        _require_reach(actor, row, "rotate")
        if row.expires_at is not None and row.expires_at <= now:
            raise Conflict(
                "key_expired", f"The key {row.name!r} has expired: change its `expires_at` first, or make a new one."
            )
        known, before = _hashes(row), {"prefix": row.prefix}
        row.previous_prefix, row.previous_hash = (row.prefix, row.hash) if grace_seconds else (None, None)
        row.previous_until = now + timedelta(seconds=grace_seconds) if grace_seconds else None
        text = _give_text(row)
        after = {"prefix": row.prefix, "grace_seconds": grace_seconds}
        await audit.note(session, "api_key.rotate", row.id, row.name, before=before, after=after)
    _forget(platform, known)
    return row, text


async def revoke(platform: Platform, actor: Actor, key_id: UUID) -> None:
    """End the key for good: here at once, in other processes within seconds (`platform.actors`). Doing so again changes
    nothing. Raises `NotFound`, or `Conflict` (`last_admin`)."""
    async with platform.database.transaction(actor.workspace_id) as session:
        row = await _locked(session, actor, key_id)
        if row.revoked_at is None:
            if _ways_in(row):
                await _keep_a_way_in(session, actor, row)
            row.revoked_at = datetime.now(UTC)
            await audit.note(session, "api_key.revoke", row.id, row.name, before=of_api_key(row))
    _forget(platform, _hashes(row))


def status_of(row: ApiKey) -> store.Status:
    """Whether it works."""
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= datetime.now(UTC) else "active"


def _validated(fields: JsonObject) -> _Fields:
    return validated(_Fields, fields, code="invalid_key", subject="the key")


def _check(row: ApiKey, fields: JsonObject) -> None:
    """Raises `Invalid` with all that is wrong with the key as it would be."""
    problems = [] if row.role in WORKSPACE_ROLES else [_no_role(row.role)]
    if row.scopes is not None and len(row.scopes) > len(SCOPES):
        # Not looked at one by one: to find what each was meant to be takes long.
        problems.append(Problem("scopes", f"names more than the {len(SCOPES)} permissions there are", "each once"))
    elif row.scopes is not None and not problems:
        problems = [] if row.scopes else [Problem("scopes", "names no permission", "leave it out to narrow nothing")]
        problems += [
            problem
            for place, scope in enumerate(row.scopes)
            if (problem := _wrong_scope(row, place, scope)) is not None
        ]
    if "expires_at" in fields and row.expires_at is not None and row.expires_at <= datetime.now(UTC):
        problems.append(Problem("expires_at", "is over already", "name a moment to come; null = never"))
    if problems:
        raise Invalid("invalid_key", f"the key cannot be taken: {problems[0].path}: {problems[0].message}", problems)


def _no_role(role: str) -> Problem:
    return Problem("role", f"{role!r} is no role of a workspace", f"roles: {', '.join(WORKSPACE_ROLES)}")


def _wrong_scope(row: ApiKey, place: int, scope: str) -> Problem | None:
    if scope not in SCOPES:
        near = suggestion(scope, SCOPES) if scope else ""
        known = f"known: {', '.join(SCOPES)}"
        return Problem(f"scopes[{place}]", "there is no such permission", f"{near}; {known}" if "?" in near else known)
    if scope not in permissions_of(Role(row.role)):
        return Problem(f"scopes[{place}]", f"the role {row.role} does not have it", f"{FROM_ROLE[scope]} does")
    return None


def _require_reach(actor: Actor, row: ApiKey, verb: str) -> None:
    """Raises `Forbidden` when the key may do more than the actor."""
    reach = narrowed(Role(row.role), row.scopes)
    role_above = WORKSPACE_ROLES.index(Role(row.role)) > WORKSPACE_ROLES.index(actor.role)
    beyond = [permission for permission in FROM_ROLE if permission in reach - actor.permissions]
    if not role_above and not beyond:
        return
    why = f"its role {row.role} is above yours, {actor.role}" if role_above else f"it has {', '.join(beyond)}"
    raise Forbidden(
        "beyond_own_permissions",
        f"You cannot {verb} a key that may do more than you: {why}. Choose a weaker role or fewer scopes, or have "
        "somebody do it who may.",
    )


def _ways_in(row: ApiKey) -> set[str]:
    """In which sense the workspace may be administered with it: now, and for good."""
    now = "keys:write" in narrowed(Role(row.role), row.scopes)
    for_good = now and row.scopes is None and row.expires_at is None
    return {sense for sense, is_so in (("now", now), ("for good", for_good)) if is_so}


async def _keep_a_way_in(session: AsyncSession, actor: Actor, row: ApiKey) -> None:
    """Raises `Conflict` when nobody else could administer the workspace. A person who asks is a way in."""
    await session.flush()
    if actor.kind == "key":
        await members.keep_an_admin(session, actor.workspace_id, but_key=row.id)


async def _usable(session: AsyncSession, actor: Actor, key_id: UUID) -> ApiKey:
    row = await _locked(session, actor, key_id)
    if row.revoked_at is not None:
        raise Conflict("key_revoked", f"The key {row.name!r} was revoked, which is for good: make a new one.")
    return row


async def _locked(session: AsyncSession, actor: Actor, key_id: UUID) -> ApiKey:
    """The key, locked after its workspace, so that no two who each leave the other as the last one pass."""
    await workspaces.find(session, actor.workspace_id, lock=True)
    return await _found(session, actor.workspace_id, key_id, lock=True)


async def _found(session: AsyncSession, workspace_id: UUID, key_id: UUID, *, lock: bool = False) -> ApiKey:
    row = await store.find(session, workspace_id, key_id, lock=lock)
    if row is None:
        raise NotFound("key_not_found", "There is no such key.")
    return row


def _give_text(row: ApiKey) -> str:
    text = key_text.generate(row.workspace_id)
    parsed = key_text.read(text)
    assert parsed is not None
    row.prefix, row.hash = parsed.prefix, parsed.hash
    return text


def _hashes(row: ApiKey) -> list[str]:
    return [row.hash] if row.previous_hash is None else [row.hash, row.previous_hash]


def _forget(platform: Platform, hashes: list[str]) -> None:
    """Have these texts judged anew in this process; others know them for `KEY_CACHE_SECONDS` longer."""
    for hash_ in hashes:
        platform.actors.forget(hash_)
        platform.refused.forget(hash_)


def _id(key: Json) -> UUID:
    return UUID(plain_text(key))
