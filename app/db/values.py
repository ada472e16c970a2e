"""What PostgreSQL cannot hold, and what becomes of it on the way in. The one place for that rule; no queries.

U+0000 and lone surrogates fit neither `text` nor `jsonb`; both are replaced by U+FFFD, so that a provider's odd answer
costs one character and not the record. NaN and Infinity are no JSON (RFC 8259) and are refused with `ValueError`.
Integers of any size pass. A large float is written without exponent (`1e+16` as `10000000000000000.0`), since `jsonb`
keeps digits and would give it back as an integer.
"""

import json
import re
from decimal import Decimal

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from app.json import Json

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_STRING_OR_LARGE_FLOAT = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?e\+\d+')
_SUSPECT_JSON = re.compile(r"\\u0000|[\ud800-\udfff]")


def clean_text(value: str) -> str:
    """`value` with what PostgreSQL cannot hold replaced by U+FFFD."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)


def clean_json(value: Json) -> Json:
    """`value` with every string in it, keys too, made storable."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value


def dump_json(value: Json) -> bytes:
    """Serialise for a `jsonb` column. Raises `ValueError` for NaN and Infinity, `TypeError` for what is no JSON."""
    text = _dump(value)
    if _SUSPECT_JSON.search(text):
        text = _dump(clean_json(value))
    if "e+" in text:
        text = _STRING_OR_LARGE_FLOAT.sub(_without_exponent, text)
    return text.encode()


def as_kept(value: Json) -> Json:
    """`value` as a `jsonb` column gives it back. Raises as `dump_json`."""
    return json.loads(dump_json(value))


_dump = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _without_exponent(token: re.Match[str]) -> str:
    return token[0] if token[0].startswith('"') else f"{Decimal(token[0]):f}.0"


class CleanText(TypeDecorator[str]):
    """`text` that replaces what PostgreSQL cannot hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean_text(value)
