"""Whether a delivery was signed by who has the webhook's secret. Nothing is read or kept here, and nothing answered.

Each scheme is told where its provider tells it. A signature is compared in constant time with what every secret that
counts would have made, and its time is looked at afterwards. Why one is refused is for the log of the webhook's owner:
whoever sent it is told the same whatever it was.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from string import Formatter
from urllib.parse import parse_qs, parse_qsl, urlsplit

from app.definition.triggers.webhook import WebhookTrigger
from app.security.message_signatures import hub_signature, same, twilio_signatures
from app.security.webhook_tokens import key_of

MISSING = "the signature is missing"
MALFORMED = "the signature is malformed"
NO_MATCH = "the signature does not match"
TOO_OLD = "the signature is too old"
FROM_THE_FUTURE = "the signature is from the future"
UNUSABLE = "the webhook's secret is no Standard Webhooks secret (whsec_ and base64)"

HEADERS = frozenset(
    {"webhook-signature", "x-hub-signature", "x-hub-signature-256", "stripe-signature", "x-twilio-signature"}
    | {"x-slack-signature", "x-signature"}
)
"""Headers that hold a signature in one of the schemes."""
FORM = "application/x-www-form-urlencoded"

_SECONDS = re.compile(r"\d{1,12}", re.ASCII)
_STANDARD_ID = re.compile(r"[\x21-\x7e]{1,256}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Signed:
    """What a signature may be about. `headers` have names in lower case; `url` is the address as the sender knows it,
    with its query; `media_type` has no parameters."""

    headers: Mapping[str, str]
    body: bytes
    url: str
    media_type: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says about its own signature: the texts that are signatures, and what it may be under a key."""

    given: Sequence[str]
    make: Callable[[str], Sequence[str]]
    """The signatures that are right under a secret; none when the secret cannot be one of the scheme."""
    sent_at: str | None = None


class _Refused(Exception):
    """There is no claim to look at; the message says why."""


def refusal(trigger: WebhookTrigger, signed: Signed, secrets: Sequence[str], now: datetime) -> str | None:
    """Why the delivery is not to be trusted; None when a secret of these has signed it, within the trigger's window."""
    if trigger.scheme == "none":
        return None
    try:
        claim = _SCHEMES[trigger.scheme](trigger, signed)
    except _Refused as error:
        return str(error)
    made = [one for secret in secrets for one in claim.make(secret)]
    if not made:
        return UNUSABLE
    # All of them, whichever fits.
    fits = [same(given, one) for one in made for given in claim.given]
    if not any(fits):
        return NO_MATCH
    return None if claim.sent_at is None else _time_refusal(claim.sent_at, trigger.replay_window, now)


def _standard_webhooks(_trigger: WebhookTrigger, signed: Signed) -> _Claim:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. The library of the
    same name cannot be asked: it takes texts alone for bodies, and one window for all."""
    id_, sent_at = _header(signed, "webhook-id"), _header(signed, "webhook-timestamp")
    given = [part.removeprefix("v1,") for part in _header(signed, "webhook-signature").split() if part[:3] == "v1,"]
    if not given or not _STANDARD_ID.fullmatch(id_):
        raise _Refused(MALFORMED)

    def make(secret: str) -> Sequence[str]:
        key = key_of(secret)
        return [] if key is None else [_base64(_hmac(key, f"{id_}.{sent_at}.".encode() + signed.body))]

    return _Claim(given, make, _seconds(sent_at))


def _github(_trigger: WebhookTrigger, signed: Signed) -> _Claim:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    given = _header(signed, "x-hub-signature-256").lower()
    _after("sha256=", given)
    return _Claim([given], lambda secret: [hub_signature(signed.body, secret)])


def _stripe(_trigger: WebhookTrigger, signed: Signed) -> _Claim:
    """https://docs.stripe.com/webhooks#verify-manually: `t=...,v1=...`, several `v1` while a secret is rolled."""
    parts = [part.strip().partition("=")[::2] for part in _header(signed, "stripe-signature").split(",")]
    given = [value.lower() for name, value in parts if name == "v1"]
    sent_at = next((value for name, value in parts if name == "t"), "")
    if not given:
        raise _Refused(MALFORMED)
    content = f"{_seconds(sent_at)}.".encode() + signed.body
    return _Claim(given, lambda secret: [_hmac(secret.encode(), content).hex()], sent_at)


def _slack(_trigger: WebhookTrigger, signed: Signed) -> _Claim:
    """https://api.slack.com/authentication/verifying-requests-from-slack"""
    sent_at = _seconds(_header(signed, "x-slack-request-timestamp"))
    given = _after("v0=", _header(signed, "x-slack-signature"))
    content = f"v0:{sent_at}:".encode() + signed.body
    return _Claim([given.lower()], lambda secret: [_hmac(secret.encode(), content).hex()], sent_at)


def _twilio(_trigger: WebhookTrigger, signed: Signed) -> _Claim:
    """https://www.twilio.com/docs/usage/security#validating-requests: the address and the sorted fields of a form; of
    any other body the address holds its digest as `bodySHA256`."""
    given = _header(signed, "x-twilio-signature")
    digests = parse_qs(urlsplit(signed.url).query).get("bodySHA256")
    fields: Sequence[tuple[str, str]] = ()
    if digests and signed.media_type != FORM:
        if not same(digests[0].lower(), hashlib.sha256(signed.body).hexdigest()):
            raise _Refused(NO_MATCH)
    elif signed.body:
        if signed.media_type != FORM:
            raise _Refused(MALFORMED)
        fields = _fields(signed.body)
    return _Claim([given], lambda secret: twilio_signatures(signed.url, fields, secret))


def _plain_hmac(trigger: WebhookTrigger, signed: Signed) -> _Claim:
    how = trigger.hmac
    given = _after(how.prefix, _header(signed, how.header.lower()))
    sent_at = None if how.timestamp_header is None else _seconds(_header(signed, how.timestamp_header.lower()))
    filled = {"body": signed.body, "timestamp": (sent_at or "").encode(), None: b""}
    content = b"".join(text.encode() + filled[name] for text, name, *_ in Formatter().parse(how.template))

    def make(secret: str) -> Sequence[str]:
        made = _hmac(secret.encode(), content, how.algorithm)
        return [made.hex() if how.encoding == "hex" else _base64(made)]

    return _Claim([given.lower() if how.encoding == "hex" else given], make, sent_at)


_SCHEMES: Mapping[str, Callable[[WebhookTrigger, Signed], _Claim]] = {
    "standard_webhooks": _standard_webhooks,
    "hmac": _plain_hmac,
    "github": _github,
    "stripe": _stripe,
    "twilio": _twilio,
    "slack": _slack,
}


def _fields(body: bytes) -> Sequence[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000, separator="&")
    except ValueError:
        raise _Refused(MALFORMED) from None


def _header(signed: Signed, name: str) -> str:
    value = signed.headers.get(name, "").strip()
    if not value:
        raise _Refused(MISSING)
    return value


def _after(prefix: str, value: str) -> str:
    if not value.startswith(prefix):
        raise _Refused(MALFORMED)
    return value[len(prefix) :]


def _seconds(text: str) -> str:
    if not _SECONDS.fullmatch(text):
        raise _Refused(MALFORMED)
    return text


def _time_refusal(sent_at: str, window: timedelta, now: datetime) -> str | None:
    try:
        at = datetime.fromtimestamp(int(sent_at), UTC)
    except (ValueError, OverflowError, OSError):
        return FROM_THE_FUTURE
    if at < now - window:
        return TOO_OLD
    return FROM_THE_FUTURE if at > now + window else None


def _hmac(key: bytes, content: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.digest(key, content, algorithm)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
