"""The keys of the platform's administrator: keys of no workspace, which may make workspaces and see nothing in them."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db.models import ApiKey
from app.security import api_keys as key_text
from app.security.permissions import Role
from app.services.actors import NO_WORKSPACE
from app.services.errors import Conflict, Invalid, NotFound
from app.services.paging import Page, decode_cursor, page_of, plain_text
from app.services.platform import Platform
from app.services.workspaces import name_of
from app.store import api_keys, workspaces


async def create(
    platform: Platform, name: str, *, expires_at: datetime | None = None, by: str | None = None
) -> tuple[ApiKey, str]:
    """A new key; the answer is the only time its text is seen. Raises `Invalid` (`invalid_name`, `invalid_expiry`)."""
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Invalid("invalid_expiry", "expires_at is over already: give a moment in the future, or none")
    key = key_text.generate(NO_WORKSPACE)
    parsed = key_text.read(key)
    assert parsed is not None
    row = ApiKey(
        workspace_id=NO_WORKSPACE,
        id=uuid7(),
        name=name_of(name, "key"),
        prefix=parsed.prefix,
        hash=parsed.hash,
        role=Role.PLATFORM.value,
        created_by=by,
        expires_at=expires_at,
    )
    async with platform.database.transaction(NO_WORKSPACE) as session:
        session.add(row)
    return row, key


async def list_(platform: Platform, *, limit: int, cursor: str | None) -> Page[ApiKey]:
    """A page of all there were made, in that order, revoked ones as well. Raises `Invalid` (`invalid_cursor`)."""
    after = decode_cursor(cursor, lambda key: UUID(plain_text(key)))
    async with platform.database.transaction(NO_WORKSPACE) as session:
        found = await api_keys.of_platform(session, after=after, limit=limit + 1)
    return page_of(found, limit, lambda key: str(key.id))


async def revoke(platform: Platform, key_id: UUID) -> None:
    """End a key. Raises `NotFound`, `Conflict` (`last_platform_key`). One that is revoked already stays so."""
    async with platform.database.transaction(NO_WORKSPACE) as session:
        # One after the other, so that no two take the last two at once.
        await workspaces.find(session, NO_WORKSPACE, lock=True)
        now = datetime.now(UTC)
        keys = await api_keys.of_platform(session)
        row = next((key for key in keys if key.id == key_id), None)
        if row is None:
            raise NotFound("key_not_found", "There is no such platform key.")
        if row.revoked_at is not None:
            return
        live = [key for key in keys if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)]
        if live == [row]:
            raise Conflict(
                "last_platform_key",
                "This is the last platform key that works: make another one first (`POST /v1/platform-keys`, or "
                "`holdfast keys create-platform-key` on the server).",
            )
        row.revoked_at = now
    platform.actors.forget(row.hash)
