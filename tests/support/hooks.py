"""Senders of webhooks for the tests: each signs as its provider's documentation says, without any of our code."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from standardwebhooks import Webhook

from app.json import Json, JsonObject
from tests.integration.api.calls import a_workflow, made

ECHO: JsonObject = {"id": "echo", "type": "transform", "mapping": {"got": "{{ trigger }}"}}
OUTPUT = "{{ steps.echo.output.got }}"


async def a_hook(
    client: httpx.AsyncClient, *steps: JsonObject, publish: bool = True, secret: str | None = None, **trigger: Json
) -> JsonObject:
    """A workflow with a webhook trigger, and an address of it with its secret."""
    shape = {"type": "webhook", **trigger}
    workflow_id = await a_workflow(client, *(steps or (ECHO,)), trigger=shape, output=None if steps else OUTPUT)
    if publish:
        await made(client, f"/v1/workflows/{workflow_id}/publish")
    return await made(client, f"/v1/workflows/{workflow_id}/webhooks", {"secret": secret} if secret else {})


async def deliveries(client: httpx.AsyncClient, hook: JsonObject, **query: str) -> list[JsonObject]:
    """The log of a webhook, newest first."""
    answer = await client.get(f"/v1/webhooks/{hook['id']}/deliveries", params=query)
    assert answer.is_success, answer.text
    found: list[JsonObject] = answer.json()["items"]
    return found


def standard(secret: str, body: str, *, id: str | None = None, at: datetime | None = None) -> dict[str, str]:
    """Headers of the official library of Standard Webhooks."""
    id, at = id or f"msg_{uuid4().hex}", at or datetime.now(UTC)
    signature = Webhook(secret).sign(id, at, body)
    return {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def github(secret: str, body: bytes, *, id: str | None = None, event: str = "issues") -> dict[str, str]:
    """Headers of GitHub."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "x-github-delivery": id or str(uuid4()),
        "x-github-event": event,
        "x-hub-signature-256": f"sha256={signature}",
    }


def stripe(secret: str, body: bytes, *, at: int | None = None) -> dict[str, str]:
    """Headers of Stripe."""
    at = at or int(time.time())
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"content-type": "application/json", "stripe-signature": f"t={at},v1={'0' * 64},v1={signature},v0=x"}


def slack(secret: str, body: bytes, *, at: int | None = None) -> dict[str, str]:
    """Headers of Slack."""
    at = at or int(time.time())
    signature = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": f"v0={signature}"}


def twilio(token: str, url: str, fields: Mapping[str, Any]) -> dict[str, str]:
    """Headers of Twilio for a form."""
    text = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    signature = base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return {"x-twilio-signature": signature}


async def sent(client: httpx.AsyncClient, hook: JsonObject, value: Json, **headers: str) -> httpx.Response:
    """A delivery as JSON, signed by the library of Standard Webhooks."""
    body = json.dumps(value)
    signed = standard(hook["secret"], body) | {"content-type": "application/json"}
    return await client.post(hook["path"], content=body, headers={**signed, **headers})
