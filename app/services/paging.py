"""One page of a list, and the cursor that leads to the next: the sort key of the last item, unreadable on purpose.

A cursor names a place, not an offset: what is added or removed meanwhile neither repeats nor hides an item.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.definition.syntax import is_storable
from app.json import Json
from app.services.errors import Invalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next_cursor` is None on the last page."""

    items: Sequence[T]
    next_cursor: str | None = None


def page_of(found: Sequence[T], limit: int, key: Callable[[T], Json]) -> Page[T]:
    """The first `limit` of `found`, which was asked for one more than that; `key` gives an item's sort key as JSON."""
    items = found[:limit]
    return Page(items, encode_cursor(key(items[-1])) if len(found) > limit else None)


def encode_cursor(key: Json) -> str:
    """A sort key as text for an address."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, read: Callable[[Json], T]) -> T | None:
    """The sort key in a cursor, read by `read`; None without a cursor. Raises `Invalid` when it is not one of ours."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return read(json.loads(text))
    except (
        binascii.Error, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError
    ):  # fmt: skip
        raise Invalid("invalid_cursor", "cursor: give the `next_cursor` of the page before, unchanged.") from None


def whole_number(key: Json, *, bits: int) -> int:
    """An integer of a cursor, for a column of so many bits. Raises `ValueError` for anything else."""
    if type(key) is not int or key.bit_length() >= bits:
        raise ValueError("no integer of the column's size")
    return key


def plain_text(key: Json) -> str:
    """A text of a cursor that the database can compare with. Raises `ValueError` for anything else."""
    if not isinstance(key, str) or not is_storable(key):
        raise ValueError("no text the database can hold")
    return key
