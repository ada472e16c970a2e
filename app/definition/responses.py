"""What a run may answer an HTTP call with: a status, header fields and a body. Pure; nothing is sent here.

A header must neither end the message early nor speak for the server: names and values are held to RFC 9110 (5.1, 5.5),
and what belongs to the connection, to the length of the body or to the server's own cookies is refused.
"""

import json
import re
from dataclasses import dataclass

from app.definition.errors import ResponseError
from app.definition.values import described
from app.json import Json, JsonObject

MAX_BODY_BYTES = 1024 * 1024
MAX_HEADERS = 50
MAX_HEADER_BYTES = 8 * 1024
WITHOUT_BODY = (204, 205, 304)
"""Statuses whose message has no content (RFC 9110, 15.3.5, 15.3.6, 15.4.5)."""

REFUSED_HEADERS = frozenset(
    {"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "content-length", "content-encoding", "date", "server", "x-request-id"}
    | {"x-content-type-options", "strict-transport-security", "set-cookie", "set-cookie2", "clear-site-data"}
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|", re.ASCII)


@dataclass(frozen=True)
class Response:
    """An answer that can be sent. `headers` are in lower case, with a `content-type` wherever there is a body."""

    status: int
    headers: dict[str, str]
    body: Json

    @property
    def content(self) -> bytes:
        """The body as it is sent: a text as it is, nothing for null, all else as JSON."""
        return content_of(self.body)


def response_of(status: Json, headers: Json, body: Json) -> Response:
    """The response of these evaluated values. Raises `ResponseError`."""
    check_status(status)
    if not isinstance(headers, dict):
        raise ResponseError(f"headers: expected an object, not {described(headers)}")
    if body is not None and status in WITHOUT_BODY:
        raise ResponseError(f"body: an answer of status {status} has none", hint="leave it out")
    fields = _fields(headers)
    if (size := len(content_of(body))) > MAX_BODY_BYTES:
        raise ResponseError(f"body: {size:,} bytes are more than the {MAX_BODY_BYTES:,} an answer may have")
    if body is not None:
        fields.setdefault("content-type", "text/plain; charset=utf-8" if isinstance(body, str) else "application/json")
    return Response(status, fields, body)


def check_status(status: Json) -> None:
    """Refuse what is no final HTTP status. Raises `ResponseError`."""
    if isinstance(status, bool) or not isinstance(status, int):
        raise ResponseError(f"status: expected a whole number, not {described(status)}")
    if not 200 <= status <= 599:
        raise ResponseError(f"status: {status} is no status to answer with", hint="take one from 200 to 599")


def check_name(name: str) -> None:
    """Refuse what no header can be called, and headers that are the server's. Raises `ResponseError`."""
    if not _NAME.fullmatch(name):
        raise ResponseError(f"headers: {name[:80]!r} is no name of a header")
    if name.lower() in REFUSED_HEADERS:
        raise ResponseError(f"headers.{name}: this header is the server's own", hint="leave it out")


def check_header(name: str, value: Json) -> str:
    """The value as text. Raises `ResponseError` for one that is none, or that could not be told from another header."""
    check_name(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ResponseError(f"headers.{name}: expected a text or a number, not {described(value)}")
    text = str(value)
    if not _VALUE.fullmatch(text):
        raise ResponseError(
            f"headers.{name}: only visible ASCII characters can stand in a header",
            hint="encode it, with `urlencode` say",
        )
    return text


def content_of(body: Json) -> bytes:
    """A body as it is sent."""
    if body is None:
        return b""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # Half of a surrogate pair has no UTF-8.
    return text.encode(errors="replace")


def _fields(headers: JsonObject) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in headers.items():
        if value is None:
            continue
        text = check_header(name, value)
        if name.lower() in fields:
            raise ResponseError(f"headers.{name}: the header stands there twice")
        fields[name.lower()] = text
    size = sum(len(name) + len(value) + 4 for name, value in fields.items())
    if len(fields) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise ResponseError(
            f"headers: {len(fields)} headers of {size:,} bytes are more than the {MAX_HEADERS} and "
            f"{MAX_HEADER_BYTES:,} bytes an answer may have"
        )
    return fields
