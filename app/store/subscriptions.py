"""Queries about what active workflows listen to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Subscription
from app.json import Json, JsonObject
from app.store.events import patterns_of


@dataclass(frozen=True, kw_only=True)
class Listen:
    """What one trigger listens to. `position` is its place among all triggers of the definition."""

    position: int
    kind: str
    event: str
    source: str | None = None
    filter: Json = None
    options: JsonObject = field(default_factory=dict)


async def replace(session: AsyncSession, workspace_id: UUID, workflow_id: UUID, listens: Iterable[Listen]) -> None:
    """The workflow listens to exactly this from now on."""
    await session.execute(
        delete(Subscription)
        .where(Subscription.workspace_id == workspace_id, Subscription.workflow_id == workflow_id)
        .execution_options(synchronize_session=False)
    )
    session.add_all(
        Subscription(
            workspace_id=workspace_id,
            workflow_id=workflow_id,
            position=each.position,
            kind=each.kind,
            event=each.event,
            source=each.source,
            filter=each.filter,
            options=each.options,
        )
        for each in listens
    )


async def listening(session: AsyncSession, workspace_id: UUID, event_type: str, source: str) -> Sequence[Subscription]:
    """Subscriptions an event of this type and source may start; whether their `filter` holds is left to the caller."""
    statement = select(Subscription).where(
        Subscription.workspace_id == workspace_id,
        Subscription.event.in_(patterns_of(event_type)),
        (Subscription.source.is_(None)) | (Subscription.source == source),
    )
    return (await session.scalars(statement.order_by(Subscription.workflow_id, Subscription.position))).all()
