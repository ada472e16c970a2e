"""Who asks: whose key or token a request carries, in which workspace, and as what.

A key says all of it itself. A token says who somebody is; the workspace and the role are in its claims, or in the
workspace's list of members, or in both, and then the weaker role counts. A refusal tells nothing that is not the
caller's to know: all tokens that are not believed get one answer, and so do all workspaces that somebody is not in.
"""

import hashlib
import logging
from collections.abc import Sequence
from uuid import UUID

from app.definition.problems import Problem
from app.json import Json
from app.security.issuer_keys import KeysUnavailable
from app.security.permissions import WORKSPACE_ROLES, Role, weaker
from app.security.tokens import Token, TokenExpired, TokenReader, TokenRefused, looks_like_token
from app.services import members, workspaces
from app.services.actors import NO_WORKSPACE, Actor
from app.services.errors import Forbidden, Invalid, Lapsed, NotFound, Unauthenticated, Unavailable
from app.services.platform import Platform
from app.settings import Settings
from app.store.sweeps import Membership

HEADER = "Holdfast-Workspace"
LONGEST_NAME = 200
SHOWN = 20
"""Workspaces that are listed for somebody who has to name one."""

logger = logging.getLogger(__name__)


async def authenticate(platform: Platform, text: str, workspace: UUID | None) -> Actor:
    """Who asks with this key or token, in the workspace named beside it (by `HEADER`) or the only one there is.

    Raises `Unauthenticated` (`invalid_api_key`, `invalid_token`), `Forbidden` (`not_a_member`, `other_workspace`),
    `Invalid` (`which_workspace`), or `Unavailable` (`issuer_unavailable`).
    """
    if platform.tokens is not None and looks_like_token(text):
        return await _person(platform, platform.tokens, text, workspace)
    actor = await workspaces.authenticate(platform, text)
    if workspace is not None and workspace != actor.workspace_id != NO_WORKSPACE:
        raise Forbidden(
            "other_workspace", f"This key is of another workspace than {HEADER} names: leave the header out."
        )
    return actor


def knows(platform: Platform, text: str, workspace: UUID | None) -> bool:
    """Whether this was found to be right lately."""
    if platform.tokens is not None and looks_like_token(text):
        return platform.let_in.get(_known_as(text, workspace)) is not None
    return workspaces.knows(platform, text)


def _known_as(token: str, workspace: UUID | None) -> str:
    return f"{hashlib.sha256(token.encode()).hexdigest()} {workspace or ''}"


async def _person(platform: Platform, reader: TokenReader, text: str, workspace: UUID | None) -> Actor:
    known_as = _known_as(text, workspace)
    known = platform.actors.get(known_as)
    if known is not None and not known.is_over:
        return known
    if refused := platform.refused.get(known_as):
        raise _not_accepted(refused)
    forgotten = platform.actors.forgotten
    try:
        token = await reader.read(text)
    except TokenRefused as error:
        logger.info("a token is refused: %r", str(error))
        if not isinstance(error, TokenExpired):
            raise _not_accepted(Unauthenticated) from None
        platform.refused.put(known_as, Lapsed)
        raise _not_accepted(Lapsed) from None
    except KeysUnavailable:
        raise Unavailable(
            "issuer_unavailable", "The keys that tokens are checked with cannot be fetched; try again in a moment."
        ) from None
    actor = await _actor(platform, token, workspace)
    platform.actors.put(known_as, actor, forgotten=forgotten)
    platform.let_in.put(known_as, True)
    return actor


async def _actor(platform: Platform, token: Token, wanted: UUID | None) -> Actor:
    settings = platform.settings
    claimed = _workspace_claim(token, settings)
    if claimed is not None and wanted not in (None, claimed):
        raise _not_a_member()
    workspace_id = claimed or wanted or await _the_only(platform, token)
    role = await _role(platform, token, workspace_id, claims=claimed is not None)
    name, email = (_shown(token.claims.get(claim)) for claim in (settings.jwt_name_claim, settings.jwt_email_claim))
    return Actor(
        workspace_id,
        None,
        name or email or token.subject,
        role,
        kind="person",
        subject=token.subject,
        expires_at=token.expires_at,
        email=email,
    )


async def _role(platform: Platform, token: Token, workspace_id: UUID, *, claims: bool) -> Role:
    """What the person is there. A role that is claimed without a workspace opens none: it only narrows.

    Raises `Forbidden` for somebody who is nothing there, and in the same words when there is no such workspace.
    """
    claimed = _role_claim(token, platform.settings)
    for subject in _subjects(token, platform.settings):
        member = await members.role_of(platform, workspace_id, subject)
        if member is not None:
            return member if claimed is None else weaker(member, claimed)
    if claimed is None or not claims:
        raise _not_a_member()
    try:
        await workspaces.get_workspace(platform, workspace_id)
    except NotFound:
        raise _not_a_member() from None
    return claimed


async def _the_only(platform: Platform, token: Token) -> UUID:
    """The one workspace the person is a member of and has been in. One they were never in does not count: anybody may
    add anybody to a workspace of their own, and draws nobody in by it. Raises `Forbidden`, or `Invalid` when there are
    several, or none that counts."""
    every = [
        each
        for subject in _subjects(token, platform.settings)
        for each in await members.workspaces_of(platform, subject)
    ]
    used = {each.workspace_id: each for each in every if each.used}
    unused = {each.workspace_id: each for each in every if each.workspace_id not in used}
    if not used and not unused:
        raise _not_a_member()
    if len(used) != 1:
        raise _which([*used.values(), *unused.values()], len(used))
    return next(iter(used))


def _which(found: Sequence[Membership], used: int) -> Invalid:
    """Those the person has been in come first, so that however many others do not hide them."""
    names = [f"{each.workspace_id} ({each.name}{'' if each.used else ', never used'})" for each in found[:SHOWN]]
    problem = Problem(f"header.{HEADER}", "is needed", f"one of {', '.join(names)}")
    where = f"You are a member of {len(found)} workspace{'s' if len(found) > 1 else ''}"
    why = where if used else f"{where} and were in none yet"
    return Invalid("which_workspace", f"{why}: name the one you want in {HEADER}.", [problem])


def _subjects(token: Token, settings: Settings) -> list[str]:
    """What the person may be called among members: their subject; and their address, where the issuer has made sure
    that it is theirs (`email_verified`, OpenID Connect Core, 5.1). An address that would have to be mended to be shown
    is not the one it would become."""
    said = token.claims.get(settings.jwt_email_claim)
    email = _shown(said)
    is_theirs = token.claims.get("email_verified") is True and email == said
    return [token.subject, email] if email is not None and is_theirs and "@" in email else [token.subject]


def _workspace_claim(token: Token, settings: Settings) -> UUID | None:
    """The workspace the token is for; None when it says none. Raises `Forbidden` when it says something else."""
    said = token.claims.get(settings.jwt_workspace_claim)
    if said is None:
        return None
    try:
        found = UUID(said)
    except (ValueError, TypeError, AttributeError):
        raise _not_a_member() from None
    if found == NO_WORKSPACE:
        raise _not_a_member()
    return found


def _role_claim(token: Token, settings: Settings) -> Role | None:
    """The role the token gives, the strongest of several. Roles of others stand in such lists too; one that gives none
    of ours gives the right to nothing: `Forbidden`."""
    said = token.claims.get(settings.jwt_role_claim)
    if said is None:
        return None
    named = said if isinstance(said, list) else [said]
    roles = [role for role in WORKSPACE_ROLES if role.value in named]
    if not roles:
        raise _not_a_member()
    return roles[-1]


def _shown(value: Json) -> str | None:
    """A claim as it may be shown and kept; None when there is nothing of it."""
    if not isinstance(value, str):
        return None
    return "".join(each for each in value if each.isprintable()).strip()[:LONGEST_NAME] or None


def _not_accepted(kind: type[Unauthenticated]) -> Unauthenticated:
    return kind("invalid_token", "This token is not accepted: sign in again where you got it, or send an API key.")


def _not_a_member() -> Forbidden:
    return Forbidden(
        "not_a_member",
        "You are signed in, and in no such workspace: ask an administrator of it to add you as a member, or name one "
        f"of yours in {HEADER}.",
    )
