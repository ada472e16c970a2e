"""The door of webhooks: whether a request is taken, and its delivery and event committed before anybody is answered.

Refused ones are kept as well, as far as nobody can flood the log with them. Whatever is wrong with a signature, its
sender is told the same; the reason is in the log alone.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db.models import Delivery, Event, Run
from app.db.values import clean_text
from app.definition.durations import format_moment
from app.definition.triggers import WebhookTrigger
from app.json import Json, JsonObject
from app.security import webhook_tokens
from app.security.client_addresses import may_deliver
from app.security.webhook_signatures import Signed, refusal
from app.services import answering, audit, dispatching, events, runs, standing, subscribing, webhook_facts
from app.services.audit import Made
from app.services.errors import Conflict, ServiceError, TooLarge, Unavailable
from app.services.handing_over import Key
from app.services.platform import Platform
from app.services.webhook_facts import Hook
from app.services.webhook_refusals import Rejected
from app.services.webhook_requests import Arrived, data_of, key_of, shown_headers
from app.store import deliveries as store
from app.store import events as event_rows
from app.store.deliveries import Guard

RUN_SECONDS = 0.25
"""How long a delivery that is answered at once may wait for its run to begin, where no other is in its way."""
LOOK_AGAIN_SECONDS = 0.2
"""A wrong signature is judged by what was read so long ago at most: secrets may have been rotated elsewhere."""
TRIES = 5
ACCEPTED_STATUS = 202
VERIFIED_STATUS = 200

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A delivery that is kept. `challenge` is what a provider that tries the address wants to hear."""

    hook: Hook
    delivery_id: UUID
    duplicate: bool = False
    run_id: str | None = None
    challenge: str | None = None
    event: JsonObject | None = None
    replayed: bool = False

    @property
    def waits(self) -> bool:
        """Whether the answer is the run's to give."""
        trigger = self.hook.trigger
        return trigger is not None and trigger.respond != "at_once" and not self.replayed and self.challenge is None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a request that may be taken holds: `headers` as they may be kept, and `data`, which `trigger` holds."""

    trigger: WebhookTrigger
    headers: Mapping[str, str]
    data: JsonObject


async def enter(platform: Platform, token: str, arrived: Arrived) -> WebhookTrigger:
    """Judge a request by its head, before its body is read; answers with the trigger, which says how large it may be.

    Raises `NotFound`, `Unavailable`, and `Rejected` once that is kept.
    """
    _, trigger = await _judged(platform, token, arrived, _head)
    return trigger


async def receive(platform: Platform, token: str, arrived: Arrived) -> Received:
    """Take a delivery, or keep that it was refused. Raises as `enter`."""
    async with platform.deliveries.turn(len(arrived.body or b"")):
        received = await _received(platform, token, arrived)
    return received if received.waits else await hand_over(platform, received)


async def _received(platform: Platform, token: str, arrived: Arrived) -> Received:
    judge = partial(_whole, max_bytes=platform.settings.max_event_bytes)
    for _ in range(TRIES):
        hook, judged = await _judged(platform, token, arrived, judge)
        if (challenge := _challenge(judged)) is not None:
            return await _verify(platform, hook, judged, arrived, challenge)
        received = await accept(platform, hook, arrived, judged)
        if received is not None:
            return received
        platform.hooks.forget(webhook_tokens.digest(token))
    raise Unavailable("webhook_unreadable", "This webhook cannot be used now; try again later.")


async def reject(platform: Platform, token: str, arrived: Arrived, rejected: Rejected) -> None:
    """Keep what was found wrong with a request while its body was read. Raises `NotFound`, `Unavailable`."""
    hook, _ = await webhook_facts.remembered(platform, token)
    platform.hooks.forget(webhook_tokens.digest(token))
    await _keep_refused(platform, hook, arrived, rejected)


async def accept(
    platform: Platform,
    hook: Hook,
    arrived: Arrived,
    judged: Judged,
    *,
    replay_of: UUID | None = None,
) -> Received | None:
    """Commit a delivery that is found good, with its event; None when the webhook or its workflow is not as `hook` says
    any more. A replayed one is a delivery of its own. Raises `Rejected` and `Unavailable`."""
    trigger, delivery = judged.trigger, _row(hook, arrived, judged.headers)
    try:
        key = str(delivery.id) if replay_of else key_of(trigger, judged.data, delivery.id)
        event = _event(hook, delivery.id, key, judged.data)
        events.check([event], platform.settings.max_event_bytes)
    except TooLarge as error:
        too_large = Rejected("event_too_large", error.detail)
        await _keep_refused(platform, hook, arrived, too_large)
        raise too_large from error
    except Rejected as rejected:
        await _keep_refused(platform, hook, arrived, rejected)
        raise
    delivery.event_source, delivery.event_id, delivery.replay_of = event["source"], event["id"], replay_of
    waits = trigger.respond != "at_once" and replay_of is None
    if not waits:
        delivery.answer_status, delivery.duration_ms = ACCEPTED_STATUS, _since(arrived)
    row = {
        **event,
        "time": datetime.now(UTC),
        "extensions": {name: event[name] for name in ("webhookid", "deliveryid")},
    }
    noted = None
    if replay_of is not None:
        told, made = {"new_delivery_id": str(delivery.id)}, Made("delivery", str(delivery.id))
        noted = audit.statement("delivery.replay", replay_of, hook.workflow_name, after=told, made=made)
    kept = await platform.deliveries.take(delivery, row, Guard(hook.revision, hook.version), noted=noted)
    if kept is None:
        return None
    return Received(
        hook=hook,
        delivery_id=delivery.id,
        duplicate=kept.status == "duplicate",
        run_id=next(iter(kept.started), None),
        event=event,
        replayed=replay_of is not None,
    )


async def hand_over(platform: Platform, received: Received) -> Received:
    """Have the event of a delivery dispatched; answers with its run, where that is known in a moment."""
    if received.event is None or received.run_id is not None:
        return received
    done = platform.handing_over.later(platform, received.hook.workspace_id, _key(received.event), _dispatch)
    if done is None:
        return received
    await asyncio.wait([done], timeout=RUN_SECONDS)
    if not done.done() or done.cancelled():
        return received
    return replace(received, run_id=next(iter(done.result()), None))


async def answer_of(platform: Platform, received: Received) -> Run | None:
    """The run of a delivery that waits for its answer, once it has answered or ended, or as it is when the time for
    that is over; None when it had not begun by then. Raises `Conflict` (`no_run_began`) when none ever will."""
    trigger, event = received.hook.trigger, received.event
    assert trigger is not None
    assert event is not None
    workspace_id, clock = received.hook.workspace_id, asyncio.get_running_loop()
    until = clock.time() + trigger.answer_time.total_seconds()
    try:
        async with asyncio.timeout_at(until):
            started = await platform.handing_over.now(platform, workspace_id, _key(event), _dispatch_to_the_end)
            run_id = received.run_id or next(iter(started), None)
            run = None if run_id is None else await runs.get(platform, workspace_id, UUID(run_id), live=False)
    except (TimeoutError, ServiceError) as error:
        logger.warning("delivery %s is kept, and its run begins later: %s", received.delivery_id, error)
        return None
    if run is None:
        raise Conflict(
            "no_run_began",
            f"The delivery is kept as {received.delivery_id} and began no run: a limit of the workflow or the "
            "workspace refused it, or the workflow was paused just then.",
        )
    return await answering.wait_for_answer(platform, run, until - clock.time())


async def note_answer(platform: Platform, received: Received, arrived: Arrived, status: int) -> None:
    """Remember how a delivery was answered that waited for its run."""
    statement = store.answered(
        received.hook.workspace_id, received.delivery_id, status=status, duration_ms=_since(arrived)
    )
    with suppress(Unavailable):  # what was answered is of less weight than that it is answered
        await platform.database.run(received.hook.workspace_id, statement)


async def _judged(
    platform: Platform, token: str, arrived: Arrived, judge: Callable[[Hook, Arrived], T]
) -> tuple[Hook, T]:
    """What the judge makes of the request. Whoever refuses on the strength of a memory looks again first."""
    hook, remembered = await webhook_facts.remembered(platform, token)
    await standing.require_open(platform, hook.workspace_id)
    try:
        try:
            return hook, judge(hook, arrived)
        except Rejected as rejected:
            fresh = time.monotonic() - hook.read_at < LOOK_AGAIN_SECONDS
            if not remembered or (fresh and rejected.code == "invalid_signature"):
                raise
        hook = await webhook_facts.read(platform, token)
        return hook, judge(hook, arrived)
    except Rejected as rejected:
        if rejected.code != "invalid_signature":
            platform.hooks.forget(webhook_tokens.digest(token))
        await _keep_refused(platform, hook, arrived, rejected)
        raise


def _head(hook: Hook, arrived: Arrived) -> WebhookTrigger:
    if not hook.enabled:
        raise Rejected("webhook_disabled", "This webhook is switched off.")
    trigger = hook.trigger
    if trigger is None:
        reason = f'"{hook.workflow_name}" has no webhook trigger at position {hook.position}'
        raise Rejected("webhook_without_trigger", "Nothing takes deliveries at this address at present.", reason)
    if not may_deliver(arrived.remote_address, trigger.allowed_ips):
        reason = f"{arrived.remote_address or 'an unknown address'} is not among allowed_ips"
        raise Rejected("address_not_allowed", "Deliveries are not taken from this address.", reason)
    if arrived.method not in trigger.methods:
        taken = ", ".join(trigger.methods)
        detail = f"This webhook takes {taken}, not {arrived.method}."
        raise Rejected("method_not_allowed", detail, methods=trigger.methods)
    return trigger


def _whole(hook: Hook, arrived: Arrived, *, max_bytes: int) -> Judged:
    trigger = _head(hook, arrived)
    now = datetime.now(UTC)
    signed = Signed(
        headers=arrived.headers, body=arrived.body or b"", url=arrived.address, media_type=arrived.media_type
    )
    reason = refusal(trigger, signed, hook.secrets(now), now)
    if reason is not None:
        raise Rejected("invalid_signature", "The signature of this delivery is missing or not right.", reason)
    headers = shown_headers(arrived.headers, hook.token, trigger)
    judged = Judged(trigger, headers, data_of(arrived, headers, max_bytes))
    if _challenge(judged) is None:
        require_active(hook)
    return judged


def require_active(hook: Hook) -> None:
    """Raises `Rejected` while the webhook's workflow takes no runs."""
    if hook.workflow_status != "active":
        reason = f'The workflow "{hook.workflow_name}" is {hook.workflow_status}: activate it, then replay this'
        raise Rejected("workflow_not_active", "Nothing takes deliveries at this address at present.", reason)


def _challenge(judged: Judged) -> str | None:
    """What Slack sends to find out whether an address is its owner's (https://api.slack.com/events/url_verification)."""
    body = judged.data["body"]
    if judged.trigger.scheme != "slack" or not isinstance(body, dict) or body.get("type") != "url_verification":
        return None
    return str(body.get("challenge", ""))


async def _verify(platform: Platform, hook: Hook, judged: Judged, arrived: Arrived, challenge: str) -> Received:
    delivery = _row(hook, arrived, judged.headers)
    delivery.status, delivery.answer_status, delivery.duration_ms = "verification", VERIFIED_STATUS, _since(arrived)
    await platform.deliveries.add(delivery, bounded=False)
    return Received(hook=hook, delivery_id=delivery.id, challenge=challenge)


async def _keep_refused(platform: Platform, hook: Hook, arrived: Arrived, rejected: Rejected) -> None:
    delivery = _row(hook, arrived, shown_headers(arrived.headers, hook.token, hook.trigger))
    if not rejected.keeps_body:
        delivery.body = None
    delivery.status, delivery.problem, delivery.reason = "refused", rejected.code, clean_text(rejected.reason)
    delivery.answer_status, delivery.duration_ms = rejected.status, _since(arrived)
    await platform.deliveries.add(delivery, bounded=not rejected.trusted)


def _row(hook: Hook, arrived: Arrived, headers: Mapping[str, str]) -> Delivery:
    return Delivery(
        workspace_id=hook.workspace_id,
        id=uuid7(),
        webhook_id=hook.id,
        method=arrived.method,
        query=clean_text(arrived.query),
        headers=dict(headers),
        content_type=None if arrived.content_type is None else clean_text(arrived.content_type),
        remote_address=arrived.remote_address,
        body=arrived.body,
        size=len(arrived.body) if arrived.body is not None else arrived.size,
    )


def _event(hook: Hook, delivery_id: UUID, key: str, data: Json) -> JsonObject:
    return {
        "specversion": "1.0",
        "id": f"{hook.id}:{key}",
        "source": subscribing.source_of(hook.workflow_id, hook.position),
        "type": subscribing.WEBHOOK_EVENT,
        "time": format_moment(datetime.now(UTC)),
        "webhookid": str(hook.id),
        "deliveryid": str(delivery_id),
        "data": data,
    }


def _key(event: JsonObject) -> Key:
    return event["source"], event["id"]


async def _dispatch(platform: Platform, workspace_id: UUID, keys: list[Key]) -> list[list[str]]:
    """Dispatch events that are committed; the ids of the runs that each has started."""
    did = await dispatching.dispatch(platform, workspace_id, await _events(platform, workspace_id, keys))
    return [did[key][0] if key in did else [] for key in keys]


async def _dispatch_to_the_end(platform: Platform, workspace_id: UUID, keys: list[Key]) -> list[list[str]]:
    """As `_dispatch`. Raises `Unavailable` where an event has started nothing and is not done either."""
    started = await _dispatch(platform, workspace_id, keys)
    if not all(started):
        now = await _events(platform, workspace_id, keys)
        if any(not event.started and event.dispatched_at is None for event in now):
            raise Unavailable("answer_timed_out", "What the delivery starts is started later.")
    return started


async def _events(platform: Platform, workspace_id: UUID, keys: list[Key]) -> Sequence[Event]:
    async with platform.database.transaction(workspace_id) as session:
        return await event_rows.find(session, workspace_id, keys)


def _since(arrived: Arrived) -> int:
    return round((asyncio.get_running_loop().time() - arrived.began) * 1000)
