"""What PostgreSQL cannot hold is replaced, what is no JSON is refused, and all else is written as it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.values import clean_json, clean_text, dump_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_every_json_value_is_written_so_that_it_reads_back_cleaned(value):
    assert json.loads(dump_json(value)) == clean_json(value)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_text_that_can_be_held_stays_as_it_is(text):
    assert clean_text(text) == text
    assert json.loads(dump_json(text)) == text


@pytest.mark.parametrize(
    ("value", "stored"),
    [("\0", "�"), ("a\ud83db", "a�b"), ({"\0": ["\udc00"]}, {"�": ["�"]}), ("\\u0000", "\\u0000"), ("\\\0", "\\�")],
)
def test_what_cannot_be_held_costs_one_character(value, stored):
    assert json.loads(dump_json(value)) == stored


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")], {"a": {"b": float("nan")}}])
def test_what_is_no_json_number_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        dump_json(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e16, b"10000000000000000.0"), (-1.5e20, b"-150000000000000000000.0"), (1e-7, b"1e-07"), ("1e+16", b'"1e+16"')],
)
def test_a_large_float_is_written_so_that_it_stays_one(value, text):
    assert dump_json(value) == text


def test_text_that_looks_like_a_number_is_left_alone_beside_one():
    value = {'a "1e+16" b': 'c\\" 2e+20', "n": [1e20, "3e+3"]}
    assert json.loads(dump_json(value)) == value
