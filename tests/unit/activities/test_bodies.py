"""Bodies of messages: what is read from an answer can always be written as JSON again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.bodies import encode_form, encode_json, excerpt, read_body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert read_body("application/json", encode_json(value)) == value


@given(
    st.binary(max_size=200), st.sampled_from(["application/json", "text/plain", "image/png", "", "x/y; charset=utf-16"])
)
def test_any_answer_is_read_as_something_json_can_say(body: bytes, content_type: str) -> None:
    encode_json(read_body(content_type, body))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": Infinity}',
        b"1e999",
        b'"\\ud800"',
        b"[" * 100_000,
        b"9" * 10_000,
        b"\xff\xfe\xfd",
        b'{"a": 1}trailing',
    ],
)
def test_what_only_looks_like_json_stays_text(body: bytes) -> None:
    assert isinstance(read_body("application/json", body), str)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_is_read_in_every_encoding_it_may_have(encoding: str) -> None:
    assert read_body("application/json", json.dumps({"n": "ü"}, ensure_ascii=False).encode(encoding)) == {"n": "ü"}


@pytest.mark.parametrize(
    "content_type", ["text/plain; charset=no-such", "text/plain; charset=base64", "text/plain; charset", "text", ";;"]
)
def test_an_odd_content_type_does_no_harm(content_type: str) -> None:
    assert read_body(content_type, b"text") == "text"


@pytest.mark.parametrize(("depth", "read"), [(100, list), (101, str), (5000, str)])
def test_json_nested_deeper_than_any_step_could_take_is_text(depth: int, read: type) -> None:
    body = b"[" * depth + b"]" * depth
    assert isinstance(read_body("application/json", body), read)
    assert isinstance(read_body("application/json", b'{"a": [' + b"[], " * depth + b"1]}"), dict)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}])
def test_what_json_cannot_say_is_not_sent(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode_json(value)


def test_a_form_repeats_the_names_of_lists() -> None:
    assert encode_form({"a": ["1", "2"], "b": None, "c": "x y"}) == b"a=1&a=2&c=x+y"


def test_an_excerpt_is_one_printable_line() -> None:
    assert excerpt(b"a\r\n\tb\x00\xff" + b"c" * 500) == "a b\ufffd\ufffd" + "c" * 295
