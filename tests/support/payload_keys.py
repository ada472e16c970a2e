"""Passing the time that a payload key must have been retired for."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import update

from app.db.models import PayloadKey
from app.services.payload_keys import LAG
from app.services.platform import Platform


async def retired_for(platform: Platform, workspace_id: UUID, passed: timedelta = LAG) -> None:
    """As if so much time had passed since the workspace's retired keys were retired."""
    async with platform.database.transaction(workspace_id) as session:
        await session.execute(update(PayloadKey).values(retired_at=PayloadKey.retired_at - passed))
