"""The log of what came to webhooks: looking at it, and having a delivery done again on purpose."""

import time
from dataclasses import dataclass
from uuid import UUID

from app.db.models import Delivery, Webhook
from app.security.webhook_tokens import HIDDEN
from app.services import receiving, webhook_facts, webhooks
from app.services.errors import Conflict, NotFound, TooLarge
from app.services.paging import Page, decode_cursor, page_of
from app.services.platform import Platform
from app.services.receiving import Judged, Received
from app.services.webhook_refusals import Rejected
from app.services.webhook_requests import Arrived, data_of
from app.store import deliveries as store
from app.store.deliveries import Filter


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery, and the ids of the runs its event started."""

    delivery: Delivery
    started: list[str]


async def list_(
    platform: Platform,
    workspace_id: UUID,
    webhook_id: UUID,
    wanted: Filter,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Logged]:
    """Deliveries of a webhook, newest first, without their bodies. Raises `NotFound`, `Invalid` (`invalid_cursor`)."""
    before = decode_cursor(cursor, UUID)
    async with platform.database.transaction(workspace_id) as session:
        if await session.get(Webhook, (workspace_id, webhook_id)) is None:
            raise webhooks.unknown()
        found = await store.list_(session, workspace_id, webhook_id, wanted, before=before, limit=limit + 1)
    return page_of([Logged(*row) for row in found], limit, lambda logged: str(logged.delivery.id))


async def get(platform: Platform, workspace_id: UUID, delivery_id: UUID) -> Logged:
    """One delivery with its body. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        found = await store.find(session, workspace_id, delivery_id)
    if found is None:
        raise NotFound("delivery_not_found", "There is no such delivery.")
    return Logged(*found)


async def replay(platform: Platform, workspace_id: UUID, delivery_id: UUID) -> Received:
    """Take a delivery once more, as a new one that starts a run of its own, by the trigger as it is now.

    Its signature is not looked at again: of one that was refused for it nothing is kept to replay. Raises `NotFound`,
    `Conflict` (`delivery_not_replayable`, `workflow_not_active`), `TooLarge` and `Unavailable`.
    """
    delivery = (await get(platform, workspace_id, delivery_id)).delivery
    if delivery.body is None or delivery.status == "verification":
        why = delivery.reason or "it only tried the address"
        raise Conflict("delivery_not_replayable", f"This delivery was not taken, nor can it be: {why}.")
    view = await webhooks.get(platform, workspace_id, delivery.webhook_id)
    if view.token is None:
        raise Conflict("webhook_unreadable", "The webhook cannot be read with the keys there are.")
    arrived = Arrived(
        method=delivery.method,
        address=HIDDEN,
        query=delivery.query,
        headers=delivery.headers,
        remote_address=delivery.remote_address,
        body=delivery.body,
        began=time.monotonic(),
    )
    for _ in range(receiving.TRIES):
        hook = await webhook_facts.read(platform, view.token)
        try:
            if hook.trigger is None:
                raise Rejected("webhook_without_trigger", "The workflow has no webhook trigger at this place any more.")
            if not hook.enabled:
                raise Rejected("webhook_disabled", "The webhook is switched off: enable it, then replay.")
            receiving.require_active(hook)
            judged = Judged(
                hook.trigger, delivery.headers, data_of(arrived, delivery.headers, platform.settings.max_event_bytes)
            )
            received = await receiving.accept(platform, hook, arrived, judged, replay_of=delivery.id)
        except Rejected as rejected:
            raise _refusal(rejected) from rejected
        if received is not None:
            return await receiving.hand_over(platform, received)
    raise Conflict("delivery_not_replayable", "The workflow changes too often at present: try again.")


def _refusal(rejected: Rejected) -> Conflict | TooLarge:
    if rejected.status == 413:
        return TooLarge(rejected.code, rejected.reason)
    code = rejected.code if rejected.status in (409, 410) else "delivery_not_replayable"
    return Conflict(code, rejected.reason)
