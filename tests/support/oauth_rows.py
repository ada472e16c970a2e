"""Rows of OAuth connections as tests want them: with tokens, with tokens whose time is over; and what they say."""

from typing import Any

from sqlalchemy import func, text, update

from app.db.models import Connection, OAuthToken
from app.services import connections
from app.services.oauth_exchange import Tokens
from app.services.oauth_tokens import lifetimes, sealed_tokens
from app.services.platform import Platform
from app.store import oauth as store


async def hold(platform: Platform, row: Connection, tokens: Tokens) -> None:
    sealed = sealed_tokens(platform, row.workspace_id, row.id, tokens, before={})
    async with platform.database.transaction(row.workspace_id) as session:
        await store.keep(session, row.workspace_id, row.id, tokens=sealed, lives=lifetimes(tokens, 0))
        await session.execute(update(Connection).values(status="active", last_error=None))


async def expired(platform: Platform, row: Connection, **values: Any) -> None:
    values = values or {"expires_at": func.now() - text("interval '1 second'")}
    async with platform.database.transaction(row.workspace_id) as session:
        await session.execute(update(OAuthToken).values(**values))


async def status(platform: Platform, row: Connection) -> tuple[str, str | None]:
    found = await connections.get(platform, row.workspace_id, row.id)
    return found.status, found.last_error
