"""Members of a workspace: who somebody with a token is there, and adding, changing and removing them.

A workspace always keeps a way in: what would take the last administrator from it, member or key, is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from string import ascii_lowercase, ascii_uppercase
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.models import Member
from app.json import Json
from app.security.permissions import WORKSPACE_ROLES, Role
from app.services import audit
from app.services.audit_facts import of_member
from app.services.errors import Conflict, Invalid, NotFound
from app.services.paging import Page, decode_cursor, page_of, plain_text
from app.services.platform import Platform
from app.store import members as store
from app.store import workspaces
from app.store.sweeps import Membership

LONGEST = 320
"""Characters of a subject, a name or an address (RFC 5321 allows an address 254)."""
_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """Who is to administer a workspace that is made."""

    subject: str
    name: str | None = None
    email: str | None = None


def first(workspace_id: UUID, admin: FirstAdmin, by: str | None) -> Member:
    """The row of a new workspace's first member. Raises `Invalid` (`invalid_subject`)."""
    return new_member(workspace_id, subject=admin.subject, role=Role.ADMIN, name=admin.name, email=admin.email, by=by)


def subject_of(text: str) -> str:
    """A subject as it is kept and compared: e-mail addresses in small letters (of ASCII: the sign for kelvin must not
    become somebody's k), anything else as it is. Raises `Invalid` (`invalid_subject`)."""
    text = text.strip()
    if not text or len(text) > LONGEST or not text.isprintable():
        raise Invalid("invalid_subject", f"a subject has 1 to {LONGEST} printable characters: the token's `sub`")
    return text.translate(_SMALL) if "@" in text else text


async def role_of(platform: Platform, workspace_id: UUID, subject: str) -> Role | None:
    """What this subject (`sub` or e-mail address of a token) is in the workspace; None for nobody. The member counts as
    seen from now on. Says nothing of whether the workspace is suspended: that is `standing`'s to say."""
    subject = subject_of(subject)
    async with platform.database.transaction(workspace_id) as session:
        member = await store.of_subject(session, workspace_id, subject)
        if member is None:
            return None
        await store.note_seen(session, workspace_id, subject)
        return Role(member.role)


async def workspaces_of(platform: Platform, subject: str) -> Sequence[Membership]:
    """Where this subject is a member, and as what, in the order of the workspaces' ids."""
    return await platform.sweeps.memberships_of(subject_of(subject))


async def list_(
    platform: Platform, workspace_id: UUID, *, role: Role | None, limit: int, cursor: str | None
) -> Page[Member]:
    """A page of the members in the order they were added. Raises `Invalid` (`invalid_cursor`)."""
    after = decode_cursor(cursor, _id)
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(session, workspace_id, role=role, after=after, limit=limit + 1)
    return page_of(found, limit, lambda member: str(member.id))


async def get(platform: Platform, workspace_id: UUID, member_id: UUID) -> Member:
    """The member. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        return _there(await store.find(session, workspace_id, member_id))


async def add(
    platform: Platform,
    workspace_id: UUID,
    *,
    subject: str,
    role: Role,
    name: str | None = None,
    email: str | None = None,
    by: str | None = None,
) -> Member:
    """A new member. Raises `Conflict` (`member_exists`), `Invalid` (`invalid_role`, `invalid_subject`)."""
    member = new_member(workspace_id, subject=subject, role=role, name=name, email=email, by=by)
    async with platform.database.transaction(workspace_id) as session:
        await workspaces.find(session, workspace_id, lock=True)
        if (there := await store.of_subject(session, workspace_id, member.subject)) is not None:
            raise Conflict(
                "member_exists", f"{member.subject} is a member already, with the role {there.role}: change that one."
            )
        session.add(member)
        await audit.note(session, "member.create", member.id, member.subject, after=of_member(member))
    _forget_people(platform, workspace_id)
    return member


def new_member(
    workspace_id: UUID,
    *,
    subject: str,
    role: Role,
    name: str | None = None,
    email: str | None = None,
    by: str | None = None,
) -> Member:
    """The row of a new member. Raises `Invalid` (`invalid_role`, `invalid_subject`)."""
    return Member(
        workspace_id=workspace_id,
        id=uuid7(),
        subject=subject_of(subject),
        role=_role(role).value,
        name=name,
        email=email,
        invited_by=by,
    )


async def change(
    platform: Platform,
    workspace_id: UUID,
    member_id: UUID,
    *,
    role: Role | None = None,
    name: str | None = None,
    email: str | None = None,
) -> Member:
    """Change what is given. Raises `NotFound`, `Conflict` (`last_admin`), `Invalid` (`invalid_role`)."""
    async with platform.database.transaction(workspace_id) as session:
        await workspaces.find(session, workspace_id, lock=True)
        member = _there(await store.find(session, workspace_id, member_id))
        before = of_member(member)
        if role is not None and _role(role).value != member.role:
            if member.role == Role.ADMIN:
                await keep_an_admin(session, workspace_id, but_member=member_id)
            member.role = role.value
        member.name = member.name if name is None else name
        member.email = member.email if email is None else email
        member.updated_at = datetime.now(UTC)
        after = of_member(member)
        await audit.note(session, "member.update", member_id, member.subject, before=before, after=after)
    _forget_people(platform, workspace_id)
    return member


async def remove(platform: Platform, workspace_id: UUID, member_id: UUID) -> None:
    """Remove a member; tokens of theirs open nothing here from now on. Raises `NotFound`, `Conflict` (`last_admin`)."""
    async with platform.database.transaction(workspace_id) as session:
        await workspaces.find(session, workspace_id, lock=True)
        member = _there(await store.find(session, workspace_id, member_id))
        if member.role == Role.ADMIN:
            await keep_an_admin(session, workspace_id, but_member=member_id)
        await session.delete(member)
        await audit.note(session, "member.delete", member_id, member.subject, before=of_member(member))
    _forget_people(platform, workspace_id)


async def keep_an_admin(
    session: AsyncSession, workspace_id: UUID, *, but_member: UUID | None = None, but_key: UUID | None = None
) -> None:
    """Make sure that somebody else can still administer the workspace when this member, or key, no longer does. The
    workspace's row must be locked, so that no two leave at once. Raises `Conflict` (`last_admin`)."""
    if await store.has_admin_member(session, workspace_id, but=but_member):
        return
    if await store.has_admin_key(session, workspace_id, but=but_key):
        return
    raise Conflict(
        "last_admin",
        "Nobody else is an administrator of this workspace: give another member the role admin, or make another admin "
        "key, first.",
    )


def _forget_people(platform: Platform, workspace_id: UUID) -> None:
    """Have this process look anew at who they are here: a member is called by `sub` or address, what is known by
    token."""
    platform.actors.forget_those(lambda actor: actor.kind == "person" and actor.workspace_id == workspace_id)


def _role(role: Role) -> Role:
    if role not in WORKSPACE_ROLES:
        raise Invalid("invalid_role", f"a member's role is one of {', '.join(WORKSPACE_ROLES)}")
    return role


def _id(key: Json) -> UUID:
    return UUID(plain_text(key))


def _there(member: Member | None) -> Member:
    if member is None:
        raise NotFound("member_not_found", "There is no such member in this workspace.")
    return member
