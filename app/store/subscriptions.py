"""What active workflows listen to, as it is written. How an event finds it is `listening`'s subject."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Subscription
from app.definition.event_keys import EventKey
from app.json import Json, JsonObject


@dataclass(frozen=True, kw_only=True)
class Listen:
    """What one trigger listens to. `position` is its place among all triggers of the definition."""

    position: int
    kind: str
    event: str
    source: str | None = None
    filter: Json = None
    options: JsonObject = field(default_factory=dict)
    key: EventKey | None = None
    """What an event must say for the filter to hold, where that is known."""


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
            key_fields=each.key.fields if each.key else None,
            key_digest=each.key.digest if each.key else None,
        )
        for each in listens
    )
