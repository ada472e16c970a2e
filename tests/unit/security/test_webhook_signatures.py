"""Signatures of deliveries: the examples that providers publish are right, and whatever differs from them is not."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from app.definition.triggers import WebhookTrigger
from app.json import Json
from app.security import webhook_signatures
from app.security.webhook_signatures import Signed, refusal

FORM = "application/x-www-form-urlencoded"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def trigger(signature: Json, **fields: Json) -> WebhookTrigger:
    return WebhookTrigger.model_validate({"type": "webhook", "signature": signature, **fields})


def signed(body: bytes, headers: dict[str, str], *, url: str = "", media_type: str = "application/json") -> Signed:
    return Signed(headers=headers, body=body, url=url, media_type=media_type)


SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
PUBLISHED = {
    "github": (
        "It's a Secret to Everybody",
        signed(
            b"Hello, World!",
            {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        ),
        NOW,
    ),
    "slack": (
        "8f742231b10e8888abcd99yyyzzz85a5",
        signed(
            SLACK_BODY,
            {
                "x-slack-request-timestamp": "1531420618",
                "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            },
            media_type=FORM,
        ),
        datetime.fromtimestamp(1531420618, UTC),
    ),
    "twilio": (
        "12345",
        signed(
            b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
            {"x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
            url="https://mycompany.com/myapp.php?foo=1&bar=2",
            media_type=FORM,
        ),
        NOW,
    ),
    "standard_webhooks": (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        signed(
            b'{"test": 2432232314}',
            {
                "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                "webhook-timestamp": "1614265330",
                "webhook-signature": "v2,nonsense v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            },
        ),
        datetime.fromtimestamp(1614265330, UTC),
    ),
}


@pytest.mark.parametrize("scheme", PUBLISHED)
def test_the_example_a_provider_publishes_is_right(scheme: str) -> None:
    secret, request, now = PUBLISHED[scheme]
    assert refusal(trigger(scheme), request, [secret], now) is None
    assert refusal(trigger(scheme), request, ["another one", secret][::-1], now) is None


@pytest.mark.parametrize("scheme", PUBLISHED)
def test_another_body_secret_or_signature_is_not(scheme: str) -> None:
    secret, request, now = PUBLISHED[scheme]
    other = signed(request.body + b"x", dict(request.headers), url=request.url, media_type=request.media_type)
    assert refusal(trigger(scheme), other, [secret], now) == webhook_signatures.NO_MATCH
    wrong = "whsec_" + "A" * 32 if scheme == "standard_webhooks" else "wrong"
    assert refusal(trigger(scheme), request, [wrong], now) == webhook_signatures.NO_MATCH
    for name in request.headers:
        missing = signed(request.body, {k: v for k, v in request.headers.items() if k != name}, url=request.url)
        assert refusal(trigger(scheme), missing, [secret], now) == webhook_signatures.MISSING


@pytest.mark.parametrize("scheme", ["slack", "standard_webhooks"])
def test_a_right_signature_of_another_time_is_not_taken(scheme: str) -> None:
    secret, request, sent = PUBLISHED[scheme]
    late, early = sent + timedelta(seconds=301), sent - timedelta(seconds=301)
    assert refusal(trigger(scheme), request, [secret], late) == webhook_signatures.TOO_OLD
    assert refusal(trigger(scheme), request, [secret], early) == webhook_signatures.FROM_THE_FUTURE
    assert refusal(trigger(scheme, tolerance="10m"), request, [secret], late) is None


def stripe_header(secret: str, body: bytes, at: datetime) -> str:
    made = hmac.new(secret.encode(), f"{int(at.timestamp())}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={int(at.timestamp())},v1={'0' * 64},v1={made},v0=ignored"


def test_stripes_signature_is_any_of_several() -> None:
    secret, body = "whsec_test_secret", b'{"id": "evt_1"}'
    request = signed(body, {"stripe-signature": stripe_header(secret, body, NOW)})
    assert refusal(trigger("stripe"), request, [secret], NOW) is None
    assert refusal(trigger("stripe"), request, ["whsec_x"], NOW) == webhook_signatures.NO_MATCH
    late = NOW + timedelta(minutes=6)
    assert refusal(trigger("stripe"), request, [secret], late) == webhook_signatures.TOO_OLD
    for header in ("t=1", "v1=abc", "nonsense", "t=now,v1=abc", ",,=,"):
        broken = signed(body, {"stripe-signature": header})
        assert refusal(trigger("stripe"), broken, [secret], NOW) == webhook_signatures.MALFORMED


def test_twilio_signs_the_address_alone_when_it_holds_the_digest_of_the_body() -> None:
    body, token = b'{"a": 1}', "12345"
    url = f"https://example.com/hooks/x?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = webhook_signatures._base64(hmac.new(token.encode(), url.encode(), hashlib.sha1).digest())
    headers = {"x-twilio-signature": signature}
    assert refusal(trigger("twilio"), signed(body, headers, url=url), [token], NOW) is None
    other = signed(b'{"a": 2}', headers, url=url)
    assert refusal(trigger("twilio"), other, [token], NOW) == webhook_signatures.NO_MATCH
    without = signed(body, headers, url="https://example.com/hooks/x")
    assert refusal(trigger("twilio"), without, [token], NOW) == webhook_signatures.MALFORMED


@pytest.mark.parametrize("signed_as", ["https://example.com:443/hooks/x?a=1", "https://example.com/hooks/x?a=1"])
def test_twilio_may_sign_the_address_with_its_port_or_without(signed_as: str) -> None:
    signature = webhook_signatures._base64(hmac.new(b"12345", f"{signed_as}A1".encode(), hashlib.sha1).digest())
    request = signed(b"A=1", {"x-twilio-signature": signature}, url="https://example.com/hooks/x?a=1", media_type=FORM)
    assert refusal(trigger("twilio"), request, ["12345"], NOW) is None
    assert refusal(trigger("twilio"), request, ["1234"], NOW) == webhook_signatures.NO_MATCH


@pytest.mark.parametrize("body", [b"{}", b"\xff\x00", "é".encode()])
def test_a_body_of_any_bytes_is_checked_as_the_library_signs_it(body: bytes) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    if body == b"\xff\x00":
        key = webhook_signatures.key_of(secret) or b""
        content = f"m.{int(NOW.timestamp())}.".encode() + body
        made = "v1," + webhook_signatures._base64(hmac.new(key, content, hashlib.sha256).digest())
    else:
        made = Webhook(secret).sign("m", NOW, body.decode())
    headers = {"webhook-id": "m", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": made}
    assert refusal(trigger("standard_webhooks"), signed(body, headers), [secret], NOW) is None


def test_a_secret_that_is_none_of_the_scheme_is_said() -> None:
    secret, request, now = PUBLISHED["standard_webhooks"]
    assert refusal(trigger("standard_webhooks"), request, ["ä!"], now) == webhook_signatures.UNUSABLE
    assert refusal(trigger("standard_webhooks"), request, ["ä!", secret], now) is None


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_an_hmac_is_written_as_the_trigger_says(algorithm: str, encoding: str) -> None:
    at = str(int(NOW.timestamp()))
    made = hmac.new(b"secret", f"<{at}>{{body}}".encode(), algorithm)
    text = made.hexdigest().upper() if encoding == "hex" else webhook_signatures._base64(made.digest())
    how = {"type": "hmac", "header": "X-Sig", "algorithm": algorithm, "encoding": encoding, "prefix": "mac "}
    timed = trigger({**how, "timestamp_header": "X-At", "signed": "<{timestamp}>{body}"})
    headers = {"x-sig": f"mac {text}", "x-at": at}
    assert refusal(timed, signed(b"{body}", headers), ["secret"], NOW) is None
    assert (
        refusal(timed, signed(b"{body}", {**headers, "x-sig": text}), ["secret"], NOW) == webhook_signatures.MALFORMED
    )
    assert refusal(timed, signed(b"{body}", headers), ["secret"], NOW + timedelta(hours=1)) == (
        webhook_signatures.TOO_OLD
    )


def test_an_hmac_of_the_body_alone_needs_no_more_than_its_name() -> None:
    headers = {"x-signature": hmac.new(b"secret", b"x", hashlib.sha256).hexdigest()}
    assert refusal(trigger("hmac"), signed(b"x", headers), ["secret"], NOW) is None
    odd = {"x-signature": "\xff\xfe"}
    assert refusal(trigger("hmac"), signed(b"x", odd), ["secret"], NOW) == webhook_signatures.NO_MATCH


def test_without_a_signature_nothing_is_asked_for() -> None:
    assert refusal(trigger("none"), signed(b"x", {}), ["secret"], NOW) is None
