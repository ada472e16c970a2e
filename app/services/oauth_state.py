"""What a change of a connection means for its tokens: they are good for one client at one server, and for no other.

Only who changes or authorizes a connection decides this; getting tokens anew is `oauth_tokens.py`'s.
"""

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Connection
from app.json import JsonObject
from app.store import oauth as store
from app.store.connections import AWAITING

KIND = "oauth2"
NOT_AUTHORIZED = "It has not been authorized yet: POST /v1/connections/{id}/authorize gives a link to do that."

_STAYS = frozenset({"headers", "test_path", "client_auth"})
"""What of its configuration may change without a new authorization."""
_NONE = store.Lifetimes(access=None, refresh=None)


def needs_authorization(row: Connection) -> bool:
    """Whether somebody has to authorize the connection before it can be used."""
    return row.kind == KIND and row.config.get("grant", "authorization_code") == "authorization_code"


def is_other(row: Connection, before: JsonObject) -> bool:
    """Whether the configuration became one that the tokens of the one before are not for."""

    def bound(config: JsonObject) -> JsonObject:
        return {name: value for name, value in config.items() if name not in _STAYS}

    return row.kind == KIND and bound(row.config) != bound(before)


async def forget(session: AsyncSession, row: Connection) -> None:
    """Take away its tokens, and what was begun to get others."""
    await store.keep(session, row.workspace_id, row.id, tokens=None, lives=_NONE)
    await store.forget_authorizations(session, row.workspace_id, row.id)


async def has_tokens(session: AsyncSession, row: Connection) -> bool:
    """Whether it has tokens, good or not."""
    found = await store.tokens(session, row.workspace_id, row.id)
    return found is not None and found[1] is not None and found[1].tokens is not None


def begin_anew(row: Connection, *, with_tokens: bool) -> None:
    """Say of a connection that was made or changed that nothing is known against it, but what it still lacks."""
    lacking = needs_authorization(row) and not with_tokens
    if lacking and row.status in AWAITING:
        return
    status = "error" if lacking else "active"
    if row.status != status:
        row.status_changed_at = func.now()
    row.status, row.last_error = status, NOT_AUTHORIZED.format(id=row.id) if lacking else None
