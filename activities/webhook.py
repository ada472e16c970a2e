"""`webhook.send`: one delivery, signed as Standard Webhooks say (github.com/standard-webhooks, specification 1.0)."""

import hashlib
from datetime import UTC, datetime

from multidict import CIMultiDict
from pydantic import ValidationError
from standardwebhooks import Webhook

from activities.base import ActionError, Invocation, action
from activities.bodies import encode_json, read_body
from activities.exchange import call_provider
from activities.masking import mask_request
from app.catalog.connections import WebhookCredentials
from app.catalog.errors import ErrorType
from app.catalog.web import WebhookSendInputs, WebhookSendOutputs


@action("webhook.send", mask=mask_request)
async def webhook_send(call: Invocation[WebhookSendInputs]) -> WebhookSendOutputs:
    """Deliver the payload. Anything but a 2xx answer is an error; a redirect as well, as the specification wants it."""
    inputs = call.inputs
    data = _payload(inputs)
    headers: CIMultiDict[str] = CIMultiDict({"Accept": "*/*"})
    if data:
        headers["Content-Type"] = "application/json"
    headers.update(inputs.headers)
    headers.update(_webhook_headers(call, data))
    answer = await call_provider(
        call,
        inputs.method,
        inputs.url,
        headers=headers,
        data=data or None,
        timeout=inputs.timeout_ms / 1000,
        allow_redirects=False,
    )
    return WebhookSendOutputs(
        status_code=answer.status,
        response_body=read_body(answer.headers.get("content-type", ""), answer.body),
        success=True,
    )


def message_id(key: str) -> str:
    """The webhook-id of an effect: the same for every attempt, and no other effect's."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _payload(inputs: WebhookSendInputs) -> bytes:
    if inputs.body is None:
        return b""
    try:
        return encode_json(inputs.body)
    except ValueError as error:
        raise ActionError(ErrorType.INVALID_INPUT, f"body cannot be written as JSON: {error}") from error


def _webhook_headers(call: Invocation[WebhookSendInputs], data: bytes) -> dict[str, str]:
    """Id, time and, with a connection, signature. The time is this attempt's: receivers refuse old ones."""
    identity = message_id(call.key)
    now = datetime.now(UTC)
    headers = {"webhook-id": identity, "webhook-timestamp": str(int(now.timestamp()))}
    if call.connection is not None:
        try:
            secret = WebhookCredentials.model_validate(call.connection.credentials).secret
        except ValidationError as error:
            problem = error.errors(include_input=False)[0]
            raise ActionError(
                ErrorType.CONNECTION_INVALID, f"the connection {call.connection.name!r} is not usable: {problem['msg']}"
            ) from error
        headers["webhook-signature"] = Webhook(secret).sign(identity, now, data.decode())
    return headers
