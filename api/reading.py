"""From the bytes of a request to a JSON value: size, encoding, syntax, and what can be kept. Knows no shapes.

Everything that could break later is refused here: bodies beyond the limit (also when they come in chunks without a
length), numbers no double holds, nesting that would exhaust a stack, text PostgreSQL cannot store.
"""

import asyncio
import json
import math
from collections.abc import Iterator
from typing import NoReturn

from starlette.requests import ClientDisconnect, Request

from api.problems import Refused
from app.definition import parse
from app.definition.problems import DefinitionInvalid, Problem
from app.json import Json, JsonObject

MAX_DEPTH = 128
DISCARD_FACTOR = 4
"""A body too large is still read up to this many times the limit, because a client that is cut off while it sends
often never sees the answer."""
BODY_SECONDS = 60.0
"""How long a body may take to arrive."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, at most `limit` bytes. Raises `Refused` (413, 408, or 415 for a compressed body)."""
    if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
        raise Refused(415, "unsupported_media_type", f"A body with Content-Encoding {encoding!r} is not taken.")
    too_large = Refused(413, "body_too_large", f"The body is larger than the {limit} bytes this server takes.")
    if _announced(request) > limit * DISCARD_FACTOR:
        raise too_large
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body, size = await _received(request, limit)
    except ClientDisconnect:
        raise Refused(400, "bad_request", "The client left before its body was complete.") from None
    except TimeoutError:
        raise Refused(408, "body_too_slow", f"The body was not complete within {BODY_SECONDS:.0f} seconds.") from None
    if size > limit:
        raise too_large
    return body


async def _received(request: Request, limit: int) -> tuple[bytes, int]:
    """The body as far as it may be kept, and how much came."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > limit * DISCARD_FACTOR:
            break
    return b"".join(chunks), size


def _announced(request: Request) -> int:
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 0


def read_json(body: bytes) -> Json:
    """One JSON value (RFC 8259). Raises `Refused` (400 with the position, 422 for text that cannot be kept)."""
    text = _decoded(body, "malformed_json")
    if not text.strip():
        raise Refused(400, "malformed_json", "The body is empty; JSON was expected.")
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite, parse_int=int
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} (position {error.pos})"
        raise Refused(
            400, "malformed_json", f"The body is no JSON: {error.msg} at {where}.", [Problem("", error.msg, where)]
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Refused(400, "malformed_json", f"The body is no JSON: {error}.") from None
    # Both scans are skipped where the text itself shows that there is nothing to find.
    if text.count("{") + text.count("[") > MAX_DEPTH or "\\u" in text:
        check_value(value)
    return value


def read_yaml(body: bytes) -> Json:
    """One YAML document of plain data. Raises `Refused` (400 with the line, 422 for text that cannot be kept)."""
    text = _decoded(body, "malformed_yaml")
    if not text.strip():
        raise Refused(400, "malformed_yaml", "The body is empty; a YAML document was expected.")
    try:
        value = parse.read_text(text)
    except DefinitionInvalid as error:
        raise Refused(400, "malformed_yaml", f"The body is no YAML: {error}", error.problems) from None
    except RecursionError:
        raise _too_deep() from None
    check_value(value)
    return value


def check_value(value: Json) -> None:
    """Refuse nesting beyond `MAX_DEPTH`, text that cannot be kept (422) and numbers that are no JSON (400)."""
    problems: list[Problem] = []
    pending: list[tuple[str, Json, int]] = [("", value, 1)]
    while pending:
        path, item, depth = pending.pop()
        if isinstance(item, str) and not storable(item):
            problems.append(Problem(path, "holds U+0000 or half of a surrogate pair, which cannot be kept"))
        elif isinstance(item, float) and not math.isfinite(item):
            raise Refused(400, "malformed_json", f"{path or 'The body'} is {item}, which is no JSON number.")
        elif isinstance(item, dict | list):
            if depth > MAX_DEPTH:
                raise _too_deep()
            pending.extend((place, child, depth + 1) for place, child in _children(path, item))
    if problems:
        problems.reverse()
        places = ", ".join(problem.path or "the body" for problem in problems[:5])
        raise Refused(422, "unstorable_text", f"Text that cannot be kept: {places}.", problems)


def storable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 can hold the text: no U+0000, no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _children(path: str, container: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(container, list):
        yield from ((f"{path}[{index}]", child) for index, child in enumerate(container))
        return
    for key, child in container.items():
        if not storable(str(key)):
            yield f"{path}.(a key)".lstrip("."), key
        yield f"{path}.{key}" if path else str(key), child


def _decoded(body: bytes, code: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(400, code, f"The body is not UTF-8: {error.reason} at byte {error.start}.") from None


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} stands twice in one object")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is beyond what a double holds")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _too_deep() -> Refused:
    return Refused(400, "nested_too_deep", f"The body is nested more than {MAX_DEPTH} levels deep.")
