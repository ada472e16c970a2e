"""Somebody authorizes a connection: from the link they are given, over their provider, back to us with a code.

RFC 6749, 4.1, with PKCE (RFC 7636) and what RFC 9700 asks for.

The link leads to a page of ours first. It says what is about to be authorized, and only the browser that went on from
there can bring the answer: nobody can have the authorization of another end in their own connection unseen, nor end
somebody's with an answer of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.catalog.http_connections import OAuthConfig, OAuthCredentials
from app.db.models import Connection, OAuthAuthorization
from app.security import oauth
from app.security.credentials import CredentialsError, NoEncryptionKey
from app.services import audit, connections, oauth_state
from app.services.errors import Conflict, NotFound, Unavailable
from app.services.oauth_exchange import TokenClient, code_grant, exchange, plain
from app.services.oauth_tokens import lifetimes, sealed_tokens
from app.services.platform import Platform
from app.settings import Settings
from app.store import connections as connection_store
from app.store import oauth as store
from app.store import workspaces

GOOD_FOR = timedelta(minutes=15)
CALLBACK = "/oauth/callback"


@dataclass(frozen=True)
class Begun:
    """What somebody is to open, and until when it is good."""

    url: str
    expires_at: datetime


@dataclass(frozen=True)
class Asked:
    """What a ticket asks for."""

    workspace: str
    connection: str
    description: str
    server: str
    origin: str
    """Where it is, `https://login.example.com`."""
    used_at: str
    """The server that the access is used at."""
    scopes: Sequence[str]
    asked_by: str
    expires_at: datetime


@dataclass(frozen=True)
class Leaving:
    """Where the browser goes, with the state that comes back, and what it must still know then."""

    url: str
    state: str
    browser: str


class NotAuthorized(Exception):
    """The provider, or who was asked, said no. `message` is for people and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def redirect_uri(settings: Settings) -> str:
    """What has to be registered at every provider."""
    return f"{settings.resolved_public_url}{CALLBACK}"


async def begin(platform: Platform, workspace_id: UUID, connection_id: UUID, asked_by: str) -> Begun:
    """A link that lets whoever opens it authorize the connection, once.

    Raises `NotFound`, `Conflict` (`connection_needs_no_authorization`) or `Unavailable` without a key to encrypt with.
    """
    ticket, expires_at = oauth.generate("ticket", workspace_id), datetime.now(UTC) + GOOD_FOR
    async with platform.database.transaction(workspace_id) as session:
        row = await connection_store.find(session, workspace_id, connection_id)
        if row is None:
            raise NotFound("connection_not_found", "There is no such connection.")
        if not oauth_state.needs_authorization(row):
            raise Conflict(
                "connection_needs_no_authorization",
                f"The connection {row.name!r} (kind {row.kind}) has all it needs of its own; people authorize those of "
                "kind oauth2 with grant authorization_code.",
            )
        _require_key(platform)
        await store.forget_late(session, workspace_id)
        session.add(
            OAuthAuthorization(
                workspace_id=workspace_id,
                id=uuid7(),
                connection_id=connection_id,
                ticket_hash=oauth.digest(ticket),
                asked_by=asked_by,
                expires_at=expires_at,
            )
        )
        after = {"link_until": expires_at.isoformat()}
        await audit.note(session, "connection.authorize", connection_id, row.name, after=after)
    return Begun(f"{platform.settings.resolved_public_url}/oauth/begin/{ticket}", expires_at)


async def asked(platform: Platform, ticket: str) -> Asked:
    """What the ticket asks for. Raises `NotFound` (`authorization_not_found`) whatever is wrong with it."""
    workspace_id = _workspace("ticket", ticket)
    async with platform.database.transaction(workspace_id) as session:
        authorization, row = await _of_ticket(session, workspace_id, ticket)
        workspace = await workspaces.find(session, workspace_id)
    config = OAuthConfig.model_validate(row.config)
    address = urlsplit(config.authorization_url or "")
    return Asked(
        workspace=workspace.name if workspace else "",
        connection=row.name,
        description=row.description,
        server=address.hostname or "",
        origin=f"{address.scheme}://{address.netloc}",
        used_at=urlsplit(config.base_url).netloc,
        scopes=config.scopes,
        asked_by=authorization.asked_by,
        expires_at=authorization.expires_at,
    )


async def leave(platform: Platform, ticket: str) -> Leaving:
    """Send this browser on to the provider; one that was sent on before can no longer come back. Raises as `asked`."""
    workspace_id = _workspace("ticket", ticket)
    state, browser, verifier = oauth.generate("state", workspace_id), oauth.browser_secret(), oauth.verifier()
    _require_key(platform)
    async with platform.database.transaction(workspace_id) as session:
        authorization, row = await _of_ticket(session, workspace_id, ticket, lock=True)
        authorization.state_hash, authorization.browser_hash = oauth.digest(state), oauth.digest(browser)
        authorization.verifier = platform.keyring.encrypt({"verifier": verifier}, context=_context(authorization))
    url = _authorization_url(platform.settings, OAuthConfig.model_validate(row.config), state, verifier)
    return Leaving(url, state, browser)


async def arrive(
    platform: Platform,
    client: TokenClient,
    *,
    state: str,
    browser: str,
    code: str | None,
    error: str | None = None,
    said: str | None = None,
) -> str:
    """Take the provider's answer, and get tokens for its code; answers with the connection's name.

    Raises `NotFound` (`authorization_not_found`) for an answer to nothing this browser asked for, an old or a repeated
    one; `NotAuthorized`, `TokenError`, `Conflict` (`connection_changed`) and `Unavailable`.
    """
    workspace_id = _workspace("state", state)
    async with platform.database.transaction(workspace_id) as session:
        found = await store.taken(session, workspace_id, oauth.digest(state), oauth.digest(browser))
    if found is None:
        raise _unknown()
    authorization, row = found
    if code is None:
        raise NotAuthorized(_denied(error, said))
    resolved = connections.opened(platform, row)
    config = OAuthConfig.model_validate(resolved.config)
    credentials = OAuthCredentials.model_validate(resolved.credentials)
    grant = code_grant(code, redirect_uri(platform.settings), _verifier(platform, authorization))
    began = monotonic()
    tokens = await exchange(client, workspace_id, config, credentials, grant)
    sealed = sealed_tokens(platform, workspace_id, row.id, tokens, before={})
    lives = lifetimes(tokens, monotonic() - began)
    async with platform.database.transaction(workspace_id) as session:
        now = await connection_store.find(session, workspace_id, row.id, lock=True)
        if now is None or oauth_state.is_other(now, row.config):
            raise Conflict("connection_changed", f"The connection {row.name!r} was changed meanwhile: begin again.")
        await store.keep(session, workspace_id, row.id, tokens=sealed, lives=lives)
        oauth_state.begin_anew(now, with_tokens=True)
        after = {"authorized": True, "asked_by": authorization.asked_by}
        await audit.note(session, "connection.authorize", row.id, row.name, after=after)
    return row.name


def _authorization_url(settings: Settings, config: OAuthConfig, state: str, verifier: str) -> str:
    """RFC 6749, 4.1.1, and RFC 7636, 4.3. A query that the address has stays (RFC 6749, 3.1)."""
    parameters = {
        **config.authorization_parameters,
        "response_type": "code",
        "client_id": config.client_id,
        "redirect_uri": redirect_uri(settings),
        **({"scope": " ".join(config.scopes)} if config.scopes else {}),
        "state": state,
        "code_challenge": oauth.challenge(verifier),
        "code_challenge_method": "S256",
    }
    parts = urlsplit(config.authorization_url or "")
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(parameters))))))


def _denied(error: str | None, said: str | None) -> str:
    code = plain(error or "no code came back")
    told = f": {plain(said)}" if said else ""
    return "It was not authorized." if code == "access_denied" and not told else f"It was not authorized ({code}){told}"


def _workspace(kind: oauth.Kind, text: str) -> UUID:
    workspace_id = oauth.workspace_of(kind, text)
    if workspace_id is None:
        raise _unknown()
    return workspace_id


async def _of_ticket(
    session: AsyncSession, workspace_id: UUID, ticket: str, *, lock: bool = False
) -> tuple[OAuthAuthorization, Connection]:
    found = await store.asked(session, workspace_id, oauth.digest(ticket), lock=lock)
    if found is None:
        raise _unknown()
    return found


def _verifier(platform: Platform, authorization: OAuthAuthorization) -> str:
    try:
        opened = platform.keyring.decrypt(authorization.verifier or "", context=_context(authorization))
    except CredentialsError as error:
        raise Conflict("credentials_unreadable", f"What was begun cannot be ended: {error}.") from error
    return str(opened["verifier"])


def _context(authorization: OAuthAuthorization) -> str:
    return f"authorization:{authorization.workspace_id}:{authorization.connection_id}:{authorization.id}"


def _require_key(platform: Platform) -> None:
    try:
        _ = platform.keyring.newest
    except NoEncryptionKey as error:
        raise Unavailable("no_encryption_key", f"Tokens cannot be kept: {error}.") from error


def _unknown() -> NotFound:
    return NotFound("authorization_not_found", "This leads to no authorization that is under way.")
