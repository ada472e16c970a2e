"""Calls: what is told of one bit by bit is kept until it is all there, and becomes one event then.

Whatever is heard is committed before it is acted on. A call that is never heard of to its end is told as far as it is
known when its time is over, which upkeep sees to.
"""

import logging
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func

from app.db.models import Call
from app.inbound.calls import patience, read_call
from app.json import JsonObject
from app.services import incoming
from app.services.errors import Invalid, TooLarge
from app.services.incoming import Door
from app.services.platform import Platform
from app.store import messages as store

_log = logging.getLogger(__name__)

FORGET_AFTER = timedelta(days=1)
"""Nothing is heard of a call any more that was told so long ago."""


async def heard(platform: Platform, door: Door, call_id: str, told: JsonObject) -> None:
    """Keep what is told of the call; when nothing is missing, make it an event. What comes after that is too late."""
    async with platform.database.transaction(door.workspace_id) as session:
        call = await store.call(session, door.workspace_id, door.connection_id, call_id)
        if call.told_at is not None:
            return
        call.known = {**call.known, **told}
        wait = patience(call.known)
        call.due_at = func.now() + wait
        await store.forget_calls(session, door.workspace_id, older_than=FORGET_AFTER)
    if not wait:
        await _tell(platform, call, door.connection.name)


async def tell_overdue(platform: Platform, workspace_id: UUID, limit: int) -> int:
    """Make events of calls that nothing more is waited for of; answers how many."""
    async with platform.database.transaction(workspace_id) as session:
        overdue = await store.overdue_calls(session, workspace_id, limit=limit)
    for call, connection in overdue:
        await _tell(platform, call, connection)
    return len(overdue)


async def _tell(platform: Platform, call: Call, connection: str) -> None:
    message = read_call(call.call_id, call.known, call.began_at)
    # In this order: told twice it is one event, not told it would be none.
    try:
        await incoming.take(platform, call.workspace_id, connection, [message])
    except (TooLarge, Invalid) as refusal:
        # Told again it would be the same, and no call after it would ever be told.
        _log.error("the call %s over %s is no event: %s", call.call_id, connection, refusal.detail)
    async with platform.database.transaction(call.workspace_id) as session:
        await store.call_told(session, call)
