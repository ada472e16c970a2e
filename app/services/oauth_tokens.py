"""Access tokens of connections of kind oauth2, fresh for whoever uses them. One of all processes gets new ones.

A refresh token may be good for a single use, so that two processes must not use it at once, and what it gave must not
be lost: a lease in the database lets one ask (no transaction is open meanwhile; a lease runs out if its holder dies),
what it gets is kept only in place of what it began with, and the asking goes on when who wanted the token gives up.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic import ValidationError

from app.catalog.http_connections import OAuthConfig, OAuthCredentials
from app.db.models import Connection, OAuthToken
from app.definition.error_types import ErrorType
from app.json import JsonObject
from app.security.credentials import CredentialsError
from app.services import connections
from app.services.errors import Conflict, NotFound, Unavailable
from app.services.oauth_exchange import Form, TokenClient, TokenError, Tokens, client_grant, exchange, refresh_grant
from app.services.platform import Platform
from app.store import connections as connection_store
from app.store import oauth as store

EARLY = timedelta(seconds=60)
"""A token is renewed this long before it expires, but not before the last quarter of its life."""
LEASE = timedelta(seconds=30)
"""Longer than one exchange takes, with what is kept of it."""
WAIT_SECONDS = 40.0
"""How long one waits for another's exchange: longer than the lease of a process that died."""
KEEP_SECONDS = 60.0
"""How long new tokens are held while the database is away."""

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """A connection and what it has of tokens, as the database had it at `now`."""

    row: Connection
    config: OAuthConfig
    credentials: OAuthCredentials
    tokens: JsonObject
    kept: OAuthToken | None
    now: datetime

    @property
    def access_token(self) -> str | None:
        """The access token, whatever its age."""
        return self.tokens.get("access_token")

    @property
    def revision(self) -> int:
        """Which tokens these are."""
        return store.FIRST_REVISION if self.kept is None else self.kept.revision

    @property
    def has_expired(self) -> bool:
        """Whether the access token is of no use any more."""
        return self.kept is not None and self.kept.expires_at is not None and self.kept.expires_at <= self.now

    @property
    def expires_soon(self) -> bool:
        """Whether it is time to get another one."""
        if self.kept is None or self.kept.expires_at is None or self.kept.obtained_at is None:
            return False
        early = min(EARLY, (self.kept.expires_at - self.kept.obtained_at) / 4)
        return self.kept.expires_at - early <= self.now

    @property
    def grant(self) -> Form | None:
        """How another token is had; None when somebody has to authorize first."""
        if self.config.grant == "client_credentials":
            return client_grant(self.config)
        refresh_token = self.tokens.get("refresh_token")
        return None if refresh_token is None else refresh_grant(refresh_token)


class OAuthTokens:
    """One a process."""

    def __init__(self, platform: Platform, client: TokenClient) -> None:
        self._platform = platform
        self._client = client
        self._under_way: dict[tuple[UUID, UUID], asyncio.Task[str]] = {}

    async def access_token(self, workspace_id: UUID, connection_id: UUID, *, rejected: str | None = None) -> str:
        """A token to use now; another one than the one that the provider `rejected`.

        Raises `TokenError` when none can be had, `NotFound`, `Conflict` (`credentials_unreadable`) or `Unavailable`.
        """
        held = await self._held(workspace_id, connection_id)
        token = held.access_token
        usable = token is not None and token != rejected and not held.has_expired
        if token is not None and usable and (not held.expires_soon or held.grant is None):
            return token
        try:
            return await self._renewed(held)
        except TokenError as error:
            if token is not None and usable and error.passes:
                _log.warning("the token of connection %s is used to its end: %s", held.row.id, error.message)
                return token
            raise

    async def _renewed(self, held: Held) -> str:
        """Ask once for all of this process that want it. Who gives up does not end the asking."""
        key = (held.row.workspace_id, held.row.id)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._in_turn(held))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(task)

    def _over(self, key: tuple[UUID, UUID], task: asyncio.Task[str]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # looked at, should everybody have given up

    async def _in_turn(self, seen: Held) -> str:
        """Be the one of all processes who asks, or wait for the one who does."""
        until, pause, holder = monotonic() + WAIT_SECONDS, 0.05, str(uuid4())
        workspace_id, connection_id = seen.row.workspace_id, seen.row.id
        while True:
            if seen.grant is None:
                raise await self._gone(seen)
            async with self._platform.database.transaction(workspace_id) as session:
                leased = await store.lease(
                    session, workspace_id, connection_id, revision=seen.revision, holder=holder, length=LEASE
                )
            if leased:
                return await self._asked(seen, holder)
            found = await self._held(workspace_id, connection_id)
            if found.revision != seen.revision:
                return await self._of_another(found)
            if monotonic() >= until:
                raise TokenError(ErrorType.TIMEOUT, "another process is getting a token, and did not end in time")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _of_another(self, found: Held) -> str:
        """What another process got."""
        if found.access_token is None or found.has_expired:
            raise await self._gone(found)
        return found.access_token

    async def _asked(self, held: Held, holder: str) -> str:
        began, ids = monotonic(), (held.row.workspace_id, held.row.id)
        assert held.grant is not None
        try:
            tokens = await exchange(self._client, ids[0], held.config, held.credentials, held.grant)
        except TokenError as error:
            if error.code == "invalid_grant" and held.config.grant == "authorization_code":
                return await self._refused(held, holder, error)
            await self._release(held, holder, error)
            raise
        except BaseException:
            await self._release(held, holder, None)
            raise
        sealed = sealed_tokens(self._platform, *ids, tokens, before=held.tokens)
        lives = lifetimes(tokens, monotonic() - began)
        kept = await _until_available(lambda: self._keep(held, sealed, lives))
        # Somebody authorized or changed it meanwhile: what they did is newer.
        return tokens.access_token if kept else await self._of_another(await self._held(*ids))

    async def _keep(self, held: Held, sealed: str, lives: store.Lifetimes) -> bool:
        workspace_id, connection_id = held.row.workspace_id, held.row.id
        async with self._platform.database.transaction(workspace_id) as session:
            row = await connection_store.find(session, workspace_id, connection_id, lock=True)
            if row is None:
                raise _not_there()
            kept = await store.keep(
                session, workspace_id, connection_id, tokens=sealed, lives=lives, revision=held.revision
            )
            if kept and row.status != "active":
                await connection_store.set_status(session, workspace_id, connection_id, status="active", error=None)
            return kept

    async def _refused(self, held: Held, holder: str, error: TokenError) -> str:
        """The refresh token is no longer good, unless somebody else has used it meanwhile."""
        found = await self._held(held.row.workspace_id, held.row.id)
        if found.revision != held.revision:
            return await self._of_another(found)
        if found.kept is not None and found.kept.lease_holder not in (holder, None):
            return await self._in_turn(held)
        raise await self._gone(held, error) from error

    async def _gone(self, held: Held, error: TokenError | None = None) -> TokenError:
        """There is no way to a token but a new authorization: the connection says so from now on."""
        if held.config.grant == "client_credentials":
            return TokenError(ErrorType.PROVIDER_UNAVAILABLE, "its token expired while another process got a new one")
        if not held.tokens and held.row.last_error:
            return TokenError(ErrorType.PROVIDER_AUTH, _told(held.row, held.row.last_error))
        refresh_until = None if held.kept is None else held.kept.refresh_expires_at
        expired = refresh_until is not None and refresh_until <= held.now if error is not None else held.has_expired
        status, way_out = "expired" if expired else "revoked", "authorize it again"
        what = "its access has expired" if expired else "its access was revoked"
        message = f"{what} ({error.message}): {way_out}" if error else f"{what}, and it cannot be renewed: {way_out}"
        message += f" (POST /v1/connections/{held.row.id}/authorize)."
        workspace_id, connection_id = held.row.workspace_id, held.row.id
        async with self._platform.database.transaction(workspace_id) as session:
            if await connection_store.find(session, workspace_id, connection_id, lock=True) is None:
                raise _not_there()
            none = store.Lifetimes(access=None, refresh=None)
            if await store.keep(session, workspace_id, connection_id, tokens=None, lives=none, revision=held.revision):
                await connection_store.set_status(session, workspace_id, connection_id, status=status, error=message)
        return TokenError(ErrorType.PROVIDER_AUTH, _told(held.row, message), code=error.code if error else None)

    async def _release(self, held: Held, holder: str, error: TokenError | None) -> None:
        """Let others try. What will not pass by itself is told at the connection."""
        workspace_id, connection_id = held.row.workspace_id, held.row.id
        try:
            async with self._platform.database.transaction(workspace_id) as session:
                await store.release(session, workspace_id, connection_id, holder)
                if error is not None and not error.passes:
                    told = error.message
                    await connection_store.set_status(session, workspace_id, connection_id, status="error", error=told)
        except Unavailable:
            _log.warning("the lease of connection %s runs out by itself: the database is away", connection_id)

    async def _held(self, workspace_id: UUID, connection_id: UUID) -> Held:
        async with self._platform.database.transaction(workspace_id) as session:
            found = await store.tokens(session, workspace_id, connection_id)
        if found is None:
            raise _not_there()
        row, kept, now = found
        resolved = connections.opened(self._platform, row)
        try:
            config = OAuthConfig.model_validate(resolved.config)
            credentials = OAuthCredentials.model_validate(resolved.credentials)
        except ValidationError as error:
            told = error.errors(include_input=False)[0]["msg"]
            raise TokenError(ErrorType.CONNECTION_INVALID, _told(row, f"it is not usable: {told}")) from None
        return Held(row, config, credentials, _opened(self._platform, row, kept), kept, now)


def sealed_tokens(
    platform: Platform, workspace_id: UUID, connection_id: UUID, tokens: Tokens, *, before: JsonObject
) -> str:
    """Tokens as they are kept. A server that gives no new refresh token means the one `before` (RFC 6749, 6)."""
    refresh = tokens.refresh_token or before.get("refresh_token")
    plain = {"access_token": tokens.access_token, **({"refresh_token": refresh} if refresh else {})}
    return platform.keyring.encrypt(plain, context=_context(workspace_id, connection_id))


def lifetimes(tokens: Tokens, elapsed: float) -> store.Lifetimes:
    """How long they are good from now on, if their lives began when they were asked for, `elapsed` seconds ago."""

    def left(seconds: float | None) -> timedelta | None:
        return None if seconds is None else timedelta(seconds=max(seconds - elapsed, 0))

    return store.Lifetimes(left(tokens.expires_in), left(tokens.refresh_expires_in))


def _opened(platform: Platform, row: Connection, kept: OAuthToken | None) -> JsonObject:
    if kept is None or kept.tokens is None:
        return {}
    try:
        return platform.keyring.decrypt(kept.tokens, context=_context(row.workspace_id, row.id))
    except CredentialsError as error:
        raise Conflict("credentials_unreadable", f"The connection {row.name!r} cannot be used: {error}.") from error


def _context(workspace_id: UUID, connection_id: UUID) -> str:
    return f"tokens:{workspace_id}:{connection_id}"


def _told(row: Connection, message: str) -> str:
    return f"the connection {row.name!r} cannot be used: {message[:1].lower()}{message[1:]}"


def _not_there() -> NotFound:
    return NotFound("connection_not_found", "There is no such connection.")


async def _until_available(keep: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """See it through while the database is away: what a server gave once it may not give again."""
    until, pause = monotonic() + KEEP_SECONDS, 0.1
    while True:
        try:
            return await keep()
        except Unavailable:
            if monotonic() >= until:
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
