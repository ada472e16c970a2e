"""Queries about runs that wait for an event."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Wait
from app.json import Json, JsonObject
from app.store.events import patterns_of


async def open_(
    session: AsyncSession,
    workspace_id: UUID,
    run_id: UUID,
    path: str,
    *,
    event: str,
    match: Json,
    context: JsonObject,
    since: datetime | None,
    until: datetime | None,
) -> datetime:
    """Register a wait; `since` None means from now on, by the database's clock. Answers with its `since`.

    A wait that is open already keeps its `since`, so that a repeat of the registration misses nothing; one that was
    closed (the step is walked again) begins anew.
    """
    statement = insert(Wait).values(
        workspace_id=workspace_id,
        run_id=run_id,
        path=path,
        event=event,
        match=match,
        context=context,
        since=func.clock_timestamp() if since is None else since,
        until=until,
    )
    fresh = statement.excluded
    kept_since: datetime | None = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=[Wait.workspace_id, Wait.run_id, Wait.path],
            set_={
                "event": fresh.event,
                "match": fresh.match,
                "context": fresh.context,
                "since": case((Wait.closed_at.is_(None), Wait.since), else_=fresh.since),
                "until": fresh.until,
                "closed_at": None,
            },
        ).returning(Wait.since)
    )
    assert kept_since is not None, "the row was written"
    return kept_since


async def close(session: AsyncSession, workspace_id: UUID, run_id: UUID, paths: Sequence[str] | None) -> None:
    """These waits of the run are over; None: all of them."""
    statement = update(Wait).where(Wait.workspace_id == workspace_id, Wait.run_id == run_id, Wait.closed_at.is_(None))
    if paths is not None:
        statement = statement.where(Wait.path.in_(paths))
    await session.execute(statement.values(closed_at=func.now()).execution_options(synchronize_session=False))


async def open_for(session: AsyncSession, workspace_id: UUID, event_type: str, received_at: datetime) -> Sequence[Wait]:
    """Open waits an event of this type, received then, may end; whether their `match` holds is left to the caller.

    `received_at` may precede a wait's `since` by whatever the caller allows for.
    """
    statement = select(Wait).where(
        Wait.workspace_id == workspace_id,
        Wait.closed_at.is_(None),
        Wait.event.in_(patterns_of(event_type)),
        Wait.since <= received_at,
    )
    return (await session.scalars(statement.order_by(Wait.run_id, Wait.path))).all()
