"""Webhook triggers: networks, signatures, times, keys, and a step that answers where one must."""

import pytest

from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid
from app.definition.triggers import WebhookTrigger
from app.json import Json, JsonObject
from tests.support.checking import found, shows

STEP = shows("a", 1)
RESPOND: JsonObject = {"id": "r", "type": "respond", "body": "ok"}


def hook(**fields: Json) -> JsonObject:
    return {"type": "webhook", **fields}


def hmac(**fields: Json) -> JsonObject:
    return hook(signature={"type": "hmac", **fields})


@pytest.mark.parametrize(
    "trigger",
    [
        hook(),
        hook(methods=["GET", "PUT"], allowed_ips=["192.0.2.7", "2001:db8::/32"], tolerance="1d", timeout="5m"),
        *(hook(signature=name) for name in ("none", "hmac", "github", "stripe", "twilio", "slack")),
        hmac(),
        hmac(header="X-Sig", timestamp_header="X-Time", signed="v0:{timestamp}:{body}"),
        hmac(timestamp_header="X-Time"),
        hmac(signed="{{literal}} {body}"),
        hook(idempotency_key="{{ body.id }}{{ headers['x'] }}{{ query.a }}{{ method }}{{ trigger.files }}"),
        hook(max_body_bytes=0),
    ],
)
def test_a_webhook_that_is_fine(trigger: JsonObject) -> None:
    assert found(STEP, trigger=trigger) == []


@pytest.mark.parametrize(
    ("trigger", "path", "message"),
    [
        (hook(allowed_ips=["example.com"]), ".allowed_ips[0]", "is no address or network"),
        (hook(tolerance="0s"), ".tolerance", "is not between 1s and a day"),
        (hook(tolerance="{{ vars.x }}"), ".tolerance", "there is no run yet"),
        (hook(timeout="6m"), ".timeout", "is not between 1s and 5m"),
        (hook(idempotency_key="{{ vars.x }}"), ".idempotency_key", "unknown name 'vars'"),
        (hook(respond="by_step"), ".respond", "no step answers the request"),
        (hmac(header="X Sig"), ".signature.header", "is no name of a header"),
        (hmac(timestamp_header=""), ".signature.timestamp_header", "is no name of a header"),
        (hmac(signed="{body"), ".signature.signed", "cannot be filled in"),
        (hmac(signed="{body.real}"), ".signature.signed", "cannot be filled in"),
        (hmac(signed="{body!r}"), ".signature.signed", "cannot be filled in"),
        (hmac(signed="text"), ".signature.signed", "the body is not signed"),
        (hmac(timestamp_header="X-T", signed="{body}"), ".signature.signed", "the time is not signed"),
        (hmac(signed="{timestamp}{body}"), ".signature.timestamp_header", "that no header gives"),
    ],
)
def test_a_webhook_that_is_not(trigger: JsonObject, path: str, message: str) -> None:
    for head, place in (
        ({"trigger": trigger}, "trigger"),
        ({"triggers": [{"type": "manual"}, trigger]}, "triggers[1]"),
        ({"trigger": {"type": "manual"}, "triggers": [trigger]}, "triggers[0]"),
    ):
        problems = found(STEP, **head)
        assert [where for where, _message in problems] == [f"{place}{path}"]
        assert message in problems[0][1]


def test_a_respond_step_answers_wherever_it_stands_unless_it_is_off() -> None:
    trigger = hook(respond="by_step")
    inside = {"id": "c", "type": "condition", "branches": [{"when": "{{ true }}", "steps": [RESPOND]}]}
    assert found(inside, trigger=trigger) == []
    assert [path for path, _ in found({**RESPOND, "enabled": False}, STEP, trigger=trigger)] == ["trigger.respond"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"signature": "githb"}, "trigger.signature"),
        ({"signature": {"type": "hmac", "algorithm": "md5"}}, "trigger.signature.algorithm"),
        ({"methods": ["get"]}, "trigger.methods[0]"),
        ({"methods": []}, "trigger.methods"),
        ({"max_body_bytes": -1}, "trigger.max_body_bytes"),
        ({"tolerance": 5}, "trigger.tolerance"),
        ({"secret": "x"}, "trigger.secret"),
    ],
)
def test_what_has_not_the_shape_is_said_at_its_place(fields: JsonObject, path: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse({"name": "x", "trigger": hook(**fields), "steps": [STEP]})
    assert path in [problem.path for problem in refused.value.problems]


def test_deliveries_are_signed_unless_the_trigger_says_otherwise() -> None:
    assert WebhookTrigger(type="webhook").scheme == "standard_webhooks"
    assert WebhookTrigger(type="webhook", signature="hmac").hmac.template == "{body}"
