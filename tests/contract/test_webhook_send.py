"""`webhook.send` against a receiver that verifies signatures with the official library of Standard Webhooks."""

import base64
import json
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from activities.base import ActionError
from app.catalog.errors import ErrorType
from tests.support.http_stub import Answer, HttpStub
from tests.support.invocations import KEY, ActionCaller, connection_of

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SIGNED = connection_of("webhook", {}, {"secret": SECRET})


@pytest.mark.parametrize("body", [{"type": "deal.won", "data": {"name": "Zoë", "n": 1.5}}, [1, 2], "text", 0])
async def test_the_signature_is_one_the_receiver_accepts(call: ActionCaller, http_stub: HttpStub, body: Any) -> None:
    output = await call("webhook.send", {"url": f"{http_stub.url}/hook", "body": body}, connection=SIGNED)
    asked = http_stub.requests[0]
    assert asked.method == "POST"
    assert asked.headers["Content-Type"] == "application/json"
    assert Webhook(SECRET).verify(asked.body, dict(asked.headers)) == body
    assert (output.status_code, output.response_body, output.success) == (200, {"ok": True}, True)


async def test_a_body_that_was_changed_on_the_way_is_not_accepted(call: ActionCaller, http_stub: HttpStub) -> None:
    await call("webhook.send", {"url": http_stub.url, "body": {"amount": 1}}, connection=SIGNED)
    asked = http_stub.requests[0]
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(asked.body.replace(b"1", b"2"), dict(asked.headers))


async def test_a_delivery_without_body_is_signed_as_well(call: ActionCaller, http_stub: HttpStub) -> None:
    await call("webhook.send", {"url": http_stub.url, "method": "DELETE"}, connection=SIGNED)
    asked = http_stub.requests[0]
    assert (asked.method, asked.body) == ("DELETE", b"")
    Webhook(SECRET).verify(asked.body, dict(asked.headers), json_parse=False)


async def test_every_attempt_has_the_same_id_and_every_effect_its_own(call: ActionCaller, http_stub: HttpStub) -> None:
    for key, attempt in ((KEY, 1), (KEY, 2), ("another/step", 1)):
        await call("webhook.send", {"url": http_stub.url, "body": {}}, connection=SIGNED, key=key, attempt=attempt)
    first, second, other = (asked.headers["webhook-id"] for asked in http_stub.requests)
    assert first == second != other
    assert first.startswith("msg_")
    assert [asked.headers["Idempotency-Key"] for asked in http_stub.requests] == [KEY, KEY, "another/step"]


async def test_without_a_connection_it_is_not_signed(call: ActionCaller, http_stub: HttpStub) -> None:
    await call("webhook.send", {"url": http_stub.url, "body": {"a": 1}, "headers": {"X-Own": "1"}})
    asked = http_stub.requests[0]
    assert "webhook-signature" not in asked.headers
    assert asked.headers["X-Own"] == "1"
    assert json.loads(asked.body) == {"a": 1}


@pytest.mark.parametrize(
    ("status", "type"),
    [(410, ErrorType.PROVIDER_REJECTED), (500, ErrorType.PROVIDER_UNAVAILABLE), (429, ErrorType.RATE_LIMITED)],
)
async def test_an_answer_other_than_success_is_an_error(
    call: ActionCaller, http_stub: HttpStub, status: int, type: ErrorType
) -> None:
    http_stub.answer("/hook", Answer(status=status, body="no"))
    with pytest.raises(ActionError, match=f"answered {status}") as caught:
        await call("webhook.send", {"url": f"{http_stub.url}/hook"})
    assert caught.value.type is type


async def test_a_webhook_is_not_redirected(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/hook", Answer(status=301, headers={"Location": "https://example.com/new?token=x"}))
    with pytest.raises(ActionError, match=r"answered 301.*to https://example\.com/new") as caught:
        await call("webhook.send", {"url": f"{http_stub.url}/hook", "body": {}}, connection=SIGNED)
    assert caught.value.type is ErrorType.PROVIDER_REJECTED
    assert "token" not in caught.value.message


async def test_a_receiver_that_hangs_times_out(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/hook", Answer(hang=True))
    with pytest.raises(ActionError) as caught:
        await call("webhook.send", {"url": f"{http_stub.url}/hook", "timeout_ms": 100})
    assert caught.value.type is ErrorType.TIMEOUT


async def test_the_egress_rule_holds(strict_call: ActionCaller, http_stub: HttpStub) -> None:
    with pytest.raises(ActionError) as caught:
        await strict_call("webhook.send", {"url": http_stub.url})
    assert caught.value.type is ErrorType.EGRESS_BLOCKED
    assert http_stub.requests == []


async def test_a_secret_that_is_none_is_said_without_showing_it(call: ActionCaller, http_stub: HttpStub) -> None:
    connection = connection_of("webhook", {}, {"secret": "hunter2"})
    with pytest.raises(ActionError) as caught:
        await call("webhook.send", {"url": http_stub.url}, connection=connection)
    assert caught.value.type is ErrorType.CONNECTION_INVALID
    assert "hunter2" not in caught.value.message
