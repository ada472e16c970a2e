"""Bodies of HTTP messages: JSON values to bytes, an answer's bytes to a JSON value. Pure; nothing is sent here."""

import base64
import codecs
import json
import math
from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from urllib.parse import urlencode

from app.definition.limits import MAX_VALUE_DEPTH
from app.json import Json

_TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/x-yaml",
        "application/yaml",
    }
)


def encode_json(value: Json) -> bytes:
    """JSON as bytes; raises `ValueError` for what JSON cannot say (not a number, half a surrogate pair)."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def pairs(parameters: Mapping[str, str | list[str] | None]) -> list[tuple[str, str]]:
    """Names and values in order: a list repeats its name, null is left out."""
    found: list[tuple[str, str]] = []
    for name, value in parameters.items():
        values: Sequence[str] = [] if value is None else value if isinstance(value, list) else [value]
        found += [(name, each) for each in values]
    return found


def encode_form(parameters: Mapping[str, str | list[str] | None]) -> bytes:
    """`application/x-www-form-urlencoded`, as HTML forms send it."""
    return urlencode(pairs(parameters)).encode()


def read_body(content_type: str, body: bytes) -> Json:
    """An answer's body as a JSON value.

    Parsed when the content type is JSON (`+json` included) and it can be read; text when it is text; otherwise
    `{base64, content_type, size}`. An empty body is None.
    """
    if not body:
        return None
    header = Message()
    header["Content-Type"] = content_type or "application/octet-stream"
    kind = header.get_content_type()
    if kind == "application/json" or kind.endswith("+json") or kind == "text/json":
        try:
            return _read_json(body)
        except (ValueError, RecursionError):
            return body.decode("utf-8", "replace")
    charset = _known(str(header.get_param("charset") or ""))
    if kind.startswith("text/") or kind.endswith("+xml") or kind in _TEXT_TYPES:
        return body.decode(charset or "utf-8", "replace")
    try:
        text = body.decode(charset or "utf-8")
    except UnicodeError:
        text = "\0"
    if "\0" in text:
        return {"base64": base64.b64encode(body).decode(), "content_type": content_type, "size": len(body)}
    return text


def excerpt(body: bytes, characters: int = 300, *, hide: Callable[[str], str] = str) -> str:
    """The beginning of an answer for a message: one line of text. `hide` takes secrets out of all of it: half a
    secret, as a cut leaves one, is not found any more."""
    text = " ".join(hide(body.decode("utf-8", "replace")).split())
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:characters]
    )


def _read_json(body: bytes) -> Json:
    """RFC 8259, no more: no NaN, no number beyond a float's range, no half surrogate pairs. Raises `ValueError`.

    What is nested deeper than a value of the language may be could be handed to no step, and counts as unreadable.
    """
    value = json.loads(body.decode(json.detect_encoding(body)), parse_constant=_refuse, parse_float=_finite)
    if body.count(b"[") + body.count(b"{") > MAX_VALUE_DEPTH and _depth(value) > MAX_VALUE_DEPTH:
        raise ValueError(f"nested more than {MAX_VALUE_DEPTH} levels deep")
    if b"\\ud" in body.lower():
        # Escaped half pairs are read without complaint and could not be written again.
        encode_json(value)
    return value


def _depth(value: Json) -> int:
    """How many lists and objects are inside each other at most, counted level by level: the stack stays flat."""
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, list | dict)]:
        depth += 1
        level = [
            part for container in level for part in (container.values() if isinstance(container, dict) else container)
        ]
    return depth


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _known(charset: str) -> str | None:
    """The charset if Python has it as a text encoding."""
    try:
        return charset if charset and codecs.lookup(charset)._is_text_encoding else None
    except LookupError:
        return None
