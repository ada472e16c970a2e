"""Whose address a token that stands in one leads to: of webhooks, forms and messages. What is taken there is theirs.

A token names its workspace, but anybody can write one that names another's. So nothing is counted against a workspace
before its token is found.
"""

import hashlib
from uuid import UUID

from app.services import forms, incoming, webhook_facts
from app.services.errors import ServiceError
from app.services.platform import Platform


async def workspace_of(platform: Platform, token: str) -> UUID | None:
    """The workspace whose address has this token, as it was some seconds ago at most. None where it leads nowhere,
    nothing is taken at present, or the database is away: whoever serves the address says so."""
    key = hashlib.sha256(token.encode()).hexdigest()
    known = platform.doors.get(key)
    if known is None:
        try:
            known = await _find(platform, token)
        except ServiceError:
            return None
        platform.doors.put(key, known)
    return known


async def _find(platform: Platform, token: str) -> UUID:
    if token.startswith("wh_"):
        hook, _ = await webhook_facts.remembered(platform, token)
        return hook.workspace_id
    if token.startswith("msg_"):
        return (await incoming.door(platform, token)).workspace_id
    return (await forms.by_token(platform, token)).workspace_id
