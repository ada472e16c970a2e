"""Queries about what active workflows listen to."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Subscription
from app.definition.model import EventTrigger
from app.store.events import patterns_of


async def replace(
    session: AsyncSession, workspace_id: UUID, workflow_id: UUID, triggers: Iterable[EventTrigger]
) -> None:
    """The workflow listens to exactly these triggers from now on."""
    await session.execute(
        delete(Subscription)
        .where(Subscription.workspace_id == workspace_id, Subscription.workflow_id == workflow_id)
        .execution_options(synchronize_session=False)
    )
    session.add_all(
        Subscription(
            workspace_id=workspace_id,
            workflow_id=workflow_id,
            position=position,
            event=trigger.event,
            source=trigger.source,
            filter=trigger.filter,
        )
        for position, trigger in enumerate(triggers)
    )


async def listening(session: AsyncSession, workspace_id: UUID, event_type: str, source: str) -> Sequence[Subscription]:
    """Subscriptions an event of this type and source may start; whether their `filter` holds is left to the caller."""
    statement = select(Subscription).where(
        Subscription.workspace_id == workspace_id,
        Subscription.event.in_(patterns_of(event_type)),
        (Subscription.source.is_(None)) | (Subscription.source == source),
    )
    return (await session.scalars(statement.order_by(Subscription.workflow_id, Subscription.position))).all()
