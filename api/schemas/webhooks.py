"""Shapes of webhooks and of what was delivered to them. A secret is answered when it is made and never again."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from app.json import JsonObject

DeliveryStatus = Literal["accepted", "duplicate", "refused", "verification"]


class WebhookCreate(RequestModel):
    """A new address of a workflow."""

    name: str = Field("", description="For people, to tell addresses apart.", examples=["GitHub, repository shop"])
    trigger: int | None = Field(
        None, description="Place of the trigger among the workflow's triggers, from 0; its first webhook trigger."
    )
    secret: str | None = Field(
        None, description="One that the sender has already, such as Twilio's auth token; made when left out."
    )


class WebhookChanges(RequestModel):
    """What to change; fields left out stay."""

    name: str | None = None
    enabled: bool | None = Field(None, description="Whether deliveries are taken at the address.")


class RotateRequest(RequestModel):
    """A new secret in place of the one there is."""

    secret: str | None = Field(None, description="The new secret; made when left out.")
    keep_old_for: str = Field("24h", description="How long the old one is still good, at most 30d.")


class WebhookAnswer(Answer):
    """An address at which a workflow takes deliveries."""

    id: UUID
    workflow_id: UUID
    name: str
    trigger: int = Field(description="Place of the trigger among the workflow's triggers.")
    address: str | None = Field(
        description="What to give the sender. Null for who may not change webhooks (`webhooks:write`), and when the "
        "keys there are cannot read it."
    )
    path: str | None = Field(description="The same without the server's own address.")
    enabled: bool
    status: Literal["active", "inactive", "disabled"] = Field(
        description="`inactive`: the workflow is not active, or has no webhook trigger at this place."
    )
    signature: str | None = Field(description="How the trigger wants deliveries signed; null without a trigger.")
    methods: list[str]
    previous_secret_until: datetime | None = Field(description="Until when the secret before is good as well.")
    total_calls: int
    refused_calls: int
    last_called_at: datetime | None
    created_at: datetime
    updated_at: datetime


class WebhookWithSecretAnswer(WebhookAnswer):
    """The same with its secret, which is shown this once."""

    secret: str


class EventOfDeliveryAnswer(Answer):
    """The event a delivery became."""

    source: str
    id: str


class DeliveryAnswer(Answer):
    """A request to a webhook, and what was made of it."""

    id: UUID
    webhook_id: UUID
    received_at: datetime
    method: str
    query: str
    content_type: str | None
    remote_address: str | None
    size: int = Field(description="Bytes of the body.")
    status: DeliveryStatus
    problem: str | None = Field(description="Code of the problem it was refused with.")
    reason: str | None = Field(description="Why it was refused; the sender is told less.")
    event: EventOfDeliveryAnswer | None
    run_ids: list[UUID] = Field(description="Runs that its event started.")
    replay_of: UUID | None
    answer_status: int | None = Field(description="HTTP status of the answer; null while it waits for its run.")
    duration_ms: int | None = Field(description="From the whole request to the answer.")


class DeliveryDetailAnswer(DeliveryAnswer):
    """The same with what was sent. What is secret in the headers is masked."""

    headers: JsonObject
    body: str | None = Field(description="Null where it was not kept.")
    body_encoding: Literal["base64"] | None = Field(description="`base64` for a body that is no text.")


class TakenAnswer(Answer):
    """A delivery that is kept."""

    delivery_id: UUID
    duplicate: bool
    run_id: UUID | None
