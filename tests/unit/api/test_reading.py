"""Any bytes a client may send are read as JSON or refused, and what is read can be kept."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problems import Refused
from api.reading import MAX_DEPTH, check_value, read_json, read_yaml
from app.json import Json

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for read in (read_json, read_yaml):
        with suppress(Refused):
            check_value(read(body))


@given(VALUES)
def test_a_value_that_can_be_kept_is_read_as_it_is(value: Json) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_the_limit_of_nesting_is_exact(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    if depth > MAX_DEPTH:
        with pytest.raises(Refused, match="nested"):
            read_json(body)
    else:
        read_json(body)


def test_many_brackets_side_by_side_are_no_nesting() -> None:
    assert len(read_json(b"[" + b"[]," * 1000 + b"[]]")) == 1001


def test_a_large_integer_stays_an_integer() -> None:
    assert read_json(b"123456789012345678901234567890") == 123456789012345678901234567890
