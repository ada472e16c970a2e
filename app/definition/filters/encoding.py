"""Filters between values and encoded text: JSON, base64, hashes, addresses, HTML."""

import base64
import binascii
import hashlib
import html
import json as json_module
import re
from urllib.parse import quote

from app.definition.errors import ExpressionError, LimitError, shorten
from app.definition.filters.base import Filter, Run, integer, text
from app.definition.limits import MAX_RESULT_VALUES
from app.definition.syntax import is_storable
from app.definition.values import measure, require_finite, to_json, to_text
from app.json import Json


def json(run: Run, value: Json, indent: Json = None) -> str:
    return to_json(value, run.budget, indent=None if indent is None else integer(indent, "json", 0, 8))


def from_json(run: Run, value: Json) -> Json:
    source = text(run, value, "from_json")
    run.budget.create(len(source))
    run.budget.charge(len(source) >> 5)
    _require_few_values(source)
    try:
        result = json_module.loads(source, parse_constant=_refuse_constant)
    except json_module.JSONDecodeError as error:
        raise ExpressionError(f"'{shorten(source, 40)}' is no JSON: {error.msg} at character {error.pos}") from None
    except ExpressionError:
        raise
    except (ValueError, RecursionError):
        raise LimitError("the JSON has a number or a nesting that is too large") from None
    measure(result, run.budget)
    _require_storable(result)
    return result


# Never gives a character back, and an open quote reaches to the end: each is read once.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def _require_few_values(source: str) -> None:
    """A megabyte of brackets would be a hundred megabytes of lists before they could be counted."""
    if _values_at_least(source) > MAX_RESULT_VALUES and _values_at_least(_STRING.sub("", source)) > MAX_RESULT_VALUES:
        raise LimitError(f"the JSON has more than {MAX_RESULT_VALUES:,} values")


def _values_at_least(source: str) -> int:
    return source.count(",") + source.count("[") + source.count("{")


def _require_storable(result: Json) -> None:
    """Escapes may bring in what is no character, and an exponent what is no number. Shape and size were measured."""
    stack: list[Json] = [[result]]
    while stack:
        container = stack.pop()
        if isinstance(container, dict):
            if not all(map(is_storable, container)):
                raise ExpressionError(_NOT_STORABLE)
            container = container.values()
        for part in container:
            kind = type(part)
            if kind is str:
                if not is_storable(part):
                    raise ExpressionError(_NOT_STORABLE)
            elif kind is float:
                require_finite(part)
            elif kind is list or kind is dict:
                stack.append(part)


_NOT_STORABLE = "the JSON cannot be kept: a text holds a character that cannot be stored, NUL or half a character"


def _refuse_constant(name: str) -> Json:
    raise ExpressionError(f"{name} is no JSON")


def base64_(run: Run, value: Json) -> str:
    source = text(run, value, "base64")
    run.budget.create(len(source) * 2)
    return base64.b64encode(source.encode()).decode()


def base64_decode(run: Run, value: Json) -> str:
    source = text(run, value, "base64_decode")
    run.budget.create(len(source))
    try:
        # Both alphabets, with or without padding (RFC 4648, sections 4 and 5).
        plain = source.strip().translate(str.maketrans("-_", "+/")).rstrip("=")
        decoded = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise ExpressionError(f"'{shorten(source, 40)}' is no base64 of a text") from None
    if not is_storable(decoded):
        raise ExpressionError("base64_decode gives binary data, not a text")
    return decoded


def sha256(run: Run, value: Json) -> str:
    source = text(run, value, "sha256")
    run.budget.create(len(source))
    return hashlib.sha256(source.encode()).hexdigest()


def urlencode(run: Run, value: Json) -> str:
    if isinstance(value, dict):
        run.budget.charge(len(value))
        pairs = ((key, entry) for key, part in value.items() for entry in (part if isinstance(part, list) else [part]))
        return "&".join(f"{_quoted(run, key)}={_quoted(run, entry)}" for key, entry in pairs)
    return _quoted(run, value)


def _quoted(run: Run, value: Json) -> str:
    plain = to_text(value, run.budget)
    run.budget.create(len(plain) * 3)
    if not is_storable(plain):
        raise ExpressionError("urlencode got what is no text")
    return quote(plain, safe="")


def escape(run: Run, value: Json) -> str:
    plain = to_text(value, run.budget)
    special = sum(plain.count(character) for character in "&<>\"'")
    run.budget.create(len(plain) + 5 * special)
    return html.escape(plain)


FILTERS: dict[str, Filter] = {
    "json": Filter(json, "As JSON text.", "json(indent)", price=2),
    "from_json": Filter(from_json, "The value a JSON text stands for.", "from_json", price=4),
    "base64": Filter(base64_, "A text's UTF-8 as base64.", "base64"),
    "base64_decode": Filter(base64_decode, "The text a base64 stands for.", "base64_decode"),
    "sha256": Filter(sha256, "SHA-256 of a text's UTF-8, in hexadecimal.", "sha256"),
    "urlencode": Filter(urlencode, "Safe inside an address; an object becomes a query.", "urlencode"),
    "escape": Filter(escape, "Safe inside HTML.", "escape"),
}
