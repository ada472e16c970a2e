"""Webhooks over HTTP for those who have a key: addresses, secrets, the log of deliveries. The door is `hooks.py`."""

import base64
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.bodies import RequestBody
from api.dependencies import ActorDep, Cursor, Limit, PlatformDep, WorkflowId
from api.openapi import problem_answers
from api.permissions import PERMISSION_OF
from api.reading import storable
from api.schemas.base import ListAnswer, WrittenMoment
from api.schemas.control import EmptyRequest
from api.schemas.webhooks import (
    DeliveryAnswer,
    DeliveryDetailAnswer,
    DeliveryStatus,
    EventOfDeliveryAnswer,
    RotateRequest,
    TakenAnswer,
    WebhookAnswer,
    WebhookChanges,
    WebhookCreate,
    WebhookWithSecretAnswer,
)
from app.db.models import Delivery
from app.json import JsonObject
from app.services import delivery_log, webhooks
from app.services.actors import Actor
from app.services.delivery_log import Logged
from app.services.webhooks import View
from app.settings import Settings
from app.store.deliveries import Filter

router = APIRouter(tags=["webhooks"])

CREATE = RequestBody(WebhookCreate, required=False)
CHANGE = RequestBody(WebhookChanges)
ROTATE = RequestBody(RotateRequest, required=False)
NOTHING = RequestBody(EmptyRequest, required=False)

WebhookId = Annotated[UUID, Path(description="Id of the webhook.")]
DeliveryId = Annotated[UUID, Path(description="Id of the delivery.")]


@router.post(
    "/workflows/{workflow_id}/webhooks",
    status_code=201,
    summary="Make a webhook",
    openapi_extra=CREATE.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def create(
    workflow_id: WorkflowId,
    body: Annotated[WebhookCreate, Depends(CREATE)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> WebhookWithSecretAnswer:
    """An address at which the workflow's webhook trigger takes deliveries, and the secret they are signed with. The
    secret is shown now and never again."""
    view = await webhooks.create(platform, actor.workspace_id, workflow_id, body.model_dump())
    response.headers["Location"] = f"/v1/webhooks/{view.webhook.id}"
    return _with_secret(view, platform.settings, actor)


@router.get("/workflows/{workflow_id}/webhooks", summary="List webhooks of a workflow", responses=problem_answers(404))
async def list_of_workflow(
    workflow_id: WorkflowId, platform: PlatformDep, actor: ActorDep, limit: Limit = 50, cursor: Cursor = None
) -> ListAnswer[WebhookAnswer]:
    """The workflow's webhooks in the order they were made."""
    page = await webhooks.list_(platform, actor.workspace_id, workflow_id=workflow_id, limit=limit, cursor=cursor)
    return ListAnswer(
        items=[_answer(view, platform.settings, actor) for view in page.items], next_cursor=page.next_cursor
    )


@router.get("/webhooks", summary="List webhooks", responses=problem_answers())
async def list_webhooks(
    platform: PlatformDep, actor: ActorDep, limit: Limit = 50, cursor: Cursor = None
) -> ListAnswer[WebhookAnswer]:
    """All webhooks of the workspace in the order they were made."""
    page = await webhooks.list_(platform, actor.workspace_id, limit=limit, cursor=cursor)
    return ListAnswer(
        items=[_answer(view, platform.settings, actor) for view in page.items], next_cursor=page.next_cursor
    )


@router.get("/webhooks/{webhook_id}", summary="Get a webhook", responses=problem_answers(404))
async def get(webhook_id: WebhookId, platform: PlatformDep, actor: ActorDep) -> WebhookAnswer:
    """One webhook, without its secret."""
    return _answer(await webhooks.get(platform, actor.workspace_id, webhook_id), platform.settings, actor)


@router.patch(
    "/webhooks/{webhook_id}",
    summary="Change a webhook",
    openapi_extra=CHANGE.openapi,
    responses=problem_answers(400, 404, 413, 415),
)
async def change(
    webhook_id: WebhookId, body: Annotated[WebhookChanges, Depends(CHANGE)], platform: PlatformDep, actor: ActorDep
) -> WebhookAnswer:
    """Changes its name, or switches it off and on. One that is switched off answers deliveries with 410."""
    changes = body.model_dump(exclude_unset=True)
    return _answer(await webhooks.update(platform, actor.workspace_id, webhook_id, changes), platform.settings, actor)


@router.delete("/webhooks/{webhook_id}", status_code=204, summary="Delete a webhook", responses=problem_answers(404))
async def delete(webhook_id: WebhookId, platform: PlatformDep, actor: ActorDep) -> None:
    """Deletes it with the log of its deliveries. Its address leads nowhere from then on."""
    await webhooks.delete(platform, actor.workspace_id, webhook_id)


@router.post(
    "/webhooks/{webhook_id}/rotate",
    summary="Give a webhook a new secret",
    openapi_extra=ROTATE.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def rotate(
    webhook_id: WebhookId, body: Annotated[RotateRequest, Depends(ROTATE)], platform: PlatformDep, actor: ActorDep
) -> WebhookWithSecretAnswer:
    """A new secret, shown now and never again. The one before stays good for a day, or as long as `keep_old_for` says;
    any older one ends now."""
    view = await webhooks.rotate(platform, actor.workspace_id, webhook_id, body.model_dump())
    return _with_secret(view, platform.settings, actor)


@router.get("/webhooks/{webhook_id}/deliveries", summary="List deliveries", responses=problem_answers(404))
async def deliveries(
    *,
    webhook_id: WebhookId,
    platform: PlatformDep,
    actor: ActorDep,
    status: Annotated[DeliveryStatus | None, Query(description="Only those of this status.")] = None,
    received_after: Annotated[WrittenMoment | None, Query(description="Only those received then or later.")] = None,
    received_before: Annotated[WrittenMoment | None, Query(description="Only those received earlier.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListAnswer[DeliveryAnswer]:
    """What came to the webhook, newest first. Of what was refused before its signature was found right only so much is
    kept in a minute; `refused_calls` of the webhook counts all."""
    page = await delivery_log.list_(
        platform,
        actor.workspace_id,
        webhook_id,
        Filter(status=status, received_after=received_after, received_before=received_before),
        limit=limit,
        cursor=cursor,
    )
    items = [DeliveryAnswer.model_validate(_delivery(each)) for each in page.items]
    return ListAnswer(items=items, next_cursor=page.next_cursor)


@router.get("/deliveries/{delivery_id}", summary="Get a delivery", responses=problem_answers(404))
async def delivery(delivery_id: DeliveryId, platform: PlatformDep, actor: ActorDep) -> DeliveryDetailAnswer:
    """One delivery with headers and body, and what it started."""
    found = await delivery_log.get(platform, actor.workspace_id, delivery_id)
    body, encoding = _body(found.delivery)
    sent = {"headers": found.delivery.headers, "body": body, "body_encoding": encoding}
    return DeliveryDetailAnswer.model_validate({**_delivery(found), **sent})


@router.post(
    "/deliveries/{delivery_id}/replay",
    status_code=202,
    summary="Replay a delivery",
    openapi_extra=NOTHING.openapi,
    responses=problem_answers(400, 404, 409, 413, 415),
)
async def replay(
    delivery_id: DeliveryId,
    _: Annotated[EmptyRequest, Depends(NOTHING)],
    platform: PlatformDep,
    actor: ActorDep,
    response: Response,
) -> TakenAnswer:
    """Takes the delivery once more, as a new one: it starts a run of its own, whatever the first one did. Those that
    were refused because the workflow was not active are taken so afterwards; those with a wrong signature never."""
    received = await delivery_log.replay(platform, actor.workspace_id, delivery_id)
    response.headers["Location"] = f"/v1/deliveries/{received.delivery_id}"
    run_id = None if received.run_id is None else UUID(received.run_id)
    return TakenAnswer(delivery_id=received.delivery_id, duplicate=received.duplicate, run_id=run_id)


def _answer(view: View, settings: Settings, actor: Actor) -> WebhookAnswer:
    return WebhookAnswer.model_validate(_fields(view, settings, actor))


def _with_secret(view: View, settings: Settings, actor: Actor) -> WebhookWithSecretAnswer:
    return WebhookWithSecretAnswer.model_validate({**_fields(view, settings, actor), "secret": view.secret})


def _fields(view: View, settings: Settings, actor: Actor) -> JsonObject:
    row = view.webhook
    # Without a signature whoever knows the address may deliver: it is for those who could make one.
    told = view.token is not None and actor.may(PERMISSION_OF["webhooks_create"])
    path = f"/hooks/{view.token}" if told else None
    return {
        "id": row.id,
        "workflow_id": row.workflow_id,
        "name": row.name,
        "trigger": row.position,
        "address": None if path is None else settings.resolved_public_url + path,
        "path": path,
        "enabled": row.enabled,
        "status": view.status,
        "signature": None if view.trigger is None else view.trigger.scheme,
        "methods": [] if view.trigger is None else view.trigger.methods,
        "previous_secret_until": row.previous_until,
        "total_calls": row.total_calls,
        "refused_calls": row.refused_calls,
        "last_called_at": row.last_called_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _delivery(logged: Logged) -> JsonObject:
    row = logged.delivery
    event = None
    if row.event_source is not None and row.event_id is not None:
        event = EventOfDeliveryAnswer(source=row.event_source, id=row.event_id)
    columns = (
        "id", "webhook_id", "received_at", "method", "query", "content_type", "remote_address", "size", "status",
        "problem", "reason", "replay_of", "answer_status", "duration_ms",
    )  # fmt: skip
    return {**{name: getattr(row, name) for name in columns}, "event": event, "run_ids": logged.started}


def _body(row: Delivery) -> tuple[str | None, Literal["base64"] | None]:
    if row.body is None:
        return None, None
    try:
        text = row.body.decode()
    except UnicodeDecodeError:
        text = "\x00"
    return (text, None) if storable(text) else (base64.b64encode(row.body).decode(), "base64")
