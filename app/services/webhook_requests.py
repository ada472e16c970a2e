"""From a request to a webhook to what `trigger` holds: bodies of every content type, headers without their secrets, and
the key that tells a delivery from another. Pure; whether it is to be trusted and what becomes of it is `receiving`'s.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import parse_qsl
from uuid import UUID

from python_multipart.multipart import parse_options_header

from app.db.values import as_kept, clean_text
from app.definition.errors import ExpressionError
from app.definition.expressions import evaluate
from app.definition.run_limits import key_text
from app.definition.triggers.webhook import WebhookTrigger
from app.inbound.multipart import Malformed, Part, read_parts
from app.json import Json, JsonObject
from app.security.webhook_signatures import FORM, HEADERS
from app.security.webhook_tokens import HIDDEN
from app.services.webhook_refusals import Rejected

MASK = "***"
MAX_FIELDS = 1000
MAX_DEPTH = 128
MAX_CONTENT_TYPE = 1000
MAX_KEY_BYTES = 200
"""A longer key is kept as its digest."""

SECRET_HEADERS = HEADERS | {
    "authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token", "x-access-token",
    "x-gitlab-token", "x-goog-channel-token", "x-telegram-bot-api-secret-token",
}  # fmt: skip

_DELIVERY_HEADERS = ("webhook-id", "x-github-delivery", "i-twilio-idempotency-token", "idempotency-key")
_HEADER_OF = {
    "standard_webhooks": ("webhook-id",),
    "github": ("x-github-delivery",),
    "twilio": ("i-twilio-idempotency-token",),
}
"""Headers that name a delivery, by signature. Those of others than the provider are not believed; of an unsigned
request, or one with a signature of the sender's own making, any of them is."""
_BODY_FIELD_OF = {"stripe": "id", "slack": "event_id"}

_MARKS = (b",", b":", b"[", b"{")
"""Each of them in a JSON body, in its texts as well, takes a byte in the event."""

_CHARSET = re.compile(r"utf-?8|utf-?16(le|be)?|us-ascii|latin-?1|iso-8859-\d{1,2}|(windows-|cp)125\d", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A request as it came. `headers` have names in lower case, `query` is as it stood in the address, which is
    `address` as the sender knows it."""

    method: str
    address: str = field(repr=False)
    query: str
    headers: Mapping[str, str]
    remote_address: str | None
    body: bytes | None
    """None where it is not, or is no more, at hand."""
    size: int = 0
    began: float = field(compare=False, default=0.0)
    """When it was here as a whole, on the loop's clock."""

    @property
    def content_type(self) -> str | None:
        """As the request says it."""
        return self.headers.get("content-type") or None

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case; empty where none is said."""
        return _content_type(self.content_type)[0]


def shown_headers(headers: Mapping[str, str], token: str, trigger: WebhookTrigger | None) -> dict[str, str]:
    """The headers as they may be kept: what is secret is masked, and so is the token, which proxies repeat in some."""
    secret = SECRET_HEADERS
    if trigger is not None and trigger.scheme == "hmac":
        secret |= {trigger.hmac.header.lower()}
    return {
        name: MASK if name in secret else clean_text(value.replace(token, HIDDEN) if token else value)
        for name, value in headers.items()
    }


def data_of(arrived: Arrived, headers: Mapping[str, str], max_bytes: int) -> JsonObject:
    """What `trigger` holds, which is to fit into an event of so many bytes.

    Raises `Rejected` (`malformed_json`, `malformed_form`, `nested_too_deep`, `event_too_large`).
    """
    body, encoding, files = _content(arrived.content_type, arrived.body or b"", max_bytes)
    data = {
        "method": arrived.method,
        "headers": dict(headers),
        "query": _by_name(_pairs(arrived.query, "query")),
        "content_type": arrived.content_type,
        "body": body,
        "body_encoding": encoding,
        "files": files,
        "remote_address": arrived.remote_address,
    }
    # What cannot be kept is replaced now, so that key, event and run say the same.
    return as_kept(data)  # type: ignore[no-any-return]


def key_of(trigger: WebhookTrigger, data: JsonObject, own: UUID) -> str:
    """What tells the delivery from another: the trigger's key, else the provider's name for it, else `own`.

    Raises `Rejected` (`invalid_idempotency_key`).
    """
    if trigger.idempotency_key is not None:
        names = {name: data[name] for name in ("body", "headers", "query", "method")}
        try:
            key = key_text(evaluate(trigger.idempotency_key, {**names, "trigger": data}))
        except ExpressionError as error:
            raise Rejected("invalid_idempotency_key", "The delivery has not what it is told by.", str(error)) from error
        if key is not None:
            return _bounded(key)
    named = _named_by_provider(trigger.scheme, data)
    return _bounded(named) if named else str(own)


def _named_by_provider(scheme: str, data: JsonObject) -> str | None:
    headers, body = data["headers"], data["body"]
    if scheme in _BODY_FIELD_OF:
        named = body.get(_BODY_FIELD_OF[scheme]) if isinstance(body, dict) else None
        return named if isinstance(named, str) else None
    return next((headers[name] for name in _HEADER_OF.get(scheme, _DELIVERY_HEADERS) if headers.get(name)), None)


def _bounded(key: str) -> str:
    key = clean_text(key)
    encoded = key.encode()
    return key if len(encoded) <= MAX_KEY_BYTES else f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def _content(content_type: str | None, body: bytes, max_bytes: int) -> tuple[Json, str | None, list[Json]]:
    """The body as a value, how it is encoded where it is no text, and files."""
    media_type, options = _content_type(content_type)
    if not body:
        return None, None, []
    if media_type == "application/json" or media_type.endswith("+json"):
        return _json(body, max_bytes), None, []
    if media_type == FORM:
        return _by_name(_pairs(_form_text(body), "body")), None, []
    if media_type == "multipart/form-data":
        return _multipart(options.get(b"boundary", b""), body)
    if not media_type:
        return _guessed(body, max_bytes)
    charset = options.get(b"charset", b"utf-8").decode("latin-1") if _is_text(media_type) else None
    return *_text(body, charset), []


def _multipart(boundary: bytes, body: bytes) -> tuple[Json, str | None, list[Json]]:
    if not 1 <= len(boundary) <= 200:
        raise Rejected("malformed_form", "The content type names no boundary between the parts of the form.")
    try:
        parts = read_parts(boundary, body)
    except Malformed as error:
        raise Rejected("malformed_form", f"The body is no multipart form: {error}.") from None
    if not all(part.name for part in parts):
        raise Rejected("malformed_form", "The body is no multipart form: a part of it has no name.")
    fields = ((part.name, part.content.decode("utf-8", "replace")) for part in parts if part.filename is None)
    return _by_name(fields), None, [_file(part) for part in parts if part.filename is not None]


def _file(part: Part) -> JsonObject:
    return {
        "field": part.name,
        "filename": part.filename,
        "content_type": part.content_type,
        "size": len(part.content),
        "content": base64.b64encode(part.content).decode(),
    }


def _guessed(body: bytes, max_bytes: int) -> tuple[Json, str | None, list[Json]]:
    """A body whose type nobody says: JSON if it is some, else text, else bytes."""
    try:
        return _json(body, max_bytes), None, []
    except Rejected as rejected:
        if rejected.code == "event_too_large":
            raise
        return *_text(body, "utf-8"), []


def _json(body: bytes, max_bytes: int) -> Json:
    if len(body) > max_bytes and sum(map(body.count, _MARKS)) > max_bytes:
        raise _too_large(max_bytes)
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        # Looked at before all that takes its time with a large value: others wait.
        if len(body) > max_bytes and len(json.dumps(value, ensure_ascii=False)) > max_bytes:
            raise _too_large(max_bytes)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Rejected("malformed_json", f"The body is no JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Rejected("malformed_json", f"The body is no JSON: {error}.") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is beyond what a double holds")
    return number


def _check_depth(value: Json) -> None:
    pending: list[tuple[Json, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if not isinstance(item, dict | list):
            continue
        if depth > MAX_DEPTH:
            raise _too_deep()
        pending.extend((child, depth + 1) for child in (item.values() if isinstance(item, dict) else item))


def _too_large(max_bytes: int) -> Rejected:
    return Rejected("event_too_large", f"The delivery makes an event of more than the {max_bytes} bytes it may have.")


def _too_deep() -> Rejected:
    return Rejected("nested_too_deep", f"The body is nested more than {MAX_DEPTH} levels deep.")


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type.endswith(("/xml", "+xml", "/yaml", "/x-yaml", "/javascript"))


def _text(body: bytes, charset: str | None) -> tuple[Json, str | None]:
    """The text, or base64 of what is none (`charset` None) or cannot be read as such."""
    with suppress(UnicodeDecodeError, LookupError):
        if charset is not None:
            return body.decode(charset if _CHARSET.fullmatch(charset) else "utf-8"), None
    return base64.b64encode(body).decode(), "base64"


def _form_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _pairs(text: str, what: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS, separator="&")
    except ValueError:
        raise Rejected("malformed_form", f"The {what} has more than {MAX_FIELDS:,} fields.") from None


def _by_name(pairs: Iterable[tuple[str, str]]) -> JsonObject:
    """Values by name; a list where a name stands more than once."""
    found: dict[str, list[Json]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _content_type(text: str | None) -> tuple[str, dict[bytes, bytes]]:
    # A longer one is none, and to take it apart takes its time.
    media_type, options = parse_options_header((text or "")[:MAX_CONTENT_TYPE])
    return media_type.decode("latin-1").strip().lower(), options
