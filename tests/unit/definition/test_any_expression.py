"""Expressions nobody thought of: whatever is written, the answer is a JSON value or an error of the language."""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.definition.errors import ExpressionError
from app.definition.expressions import evaluate
from app.definition.syntax import parse
from app.json import Json, JsonObject
from tests.support.any_expression import CONTEXTS, TEMPLATES, TEXTS, VALUES, check

slow: list[HealthCheck] = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def some(examples: int) -> Any:
    """The same examples in every run; `make fuzz-expressions` looks for others."""
    return settings(max_examples=examples, derandomize=True, deadline=None, suppress_health_check=slow, database=None)


def given_value(expression: str, value: Json) -> Json:
    return evaluate(f"{{{{ {expression} }}}}", {"value": value})


@some(150)
@given(TEMPLATES, CONTEXTS)
def test_an_expression_gives_json_or_an_error_and_the_same_each_time(template: str, context: JsonObject) -> None:
    check(template, context)


@some(150)
@given(TEXTS)
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ExpressionError):
        parse(text)
    check(text, {"a": 1})


@some(50)
@given(VALUES)
def test_json_gives_back_what_it_was_made_of(value: Json) -> None:
    assert given_value("value | json | from_json", value) == value


@some(40)
@given(st.text())
def test_base64_gives_back_what_it_was_made_of(text: str) -> None:
    assume("\x00" not in text)
    assert given_value("value | base64 | base64_decode", text) == text


@some(40)
@given(st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False)) | st.lists(st.text()))
def test_what_is_sorted_stays_as_it_is(values: list[Json]) -> None:
    once = given_value("value | sort", values)
    assert once == sorted(values)
    assert given_value("value | sort", once) == once
    assert given_value("value | sort(true) | reverse | length", values) == len(values)


@some(40)
@given(st.lists(VALUES, max_size=12))
def test_what_is_unique_stays_as_it_is(values: list[Json]) -> None:
    once = given_value("value | unique", values)
    assert given_value("value | unique", once) == once
    assert all(given_value("value[0] in value[1]", [each, once]) for each in values)


@some(40)
@given(st.text())
def test_a_slug_is_its_own_slug(text: str) -> None:
    once = given_value("value | slug", text)
    assert isinstance(once, str)
    assert once.isascii()
    assert given_value("value | slug", once) == once


@some(40)
@given(st.text(), st.text(min_size=1, max_size=3))
def test_what_is_split_can_be_joined(text: str, mark: str) -> None:
    assert given_value("value[0] | split(value[1]) | join(value[1])", [text, mark]) == text


@some(40)
@given(st.text(), st.text(max_size=3), st.text(max_size=3))
def test_a_replacement_is_that_of_the_parts(text: str, old: str, new: str) -> None:
    assert given_value("value[0] | replace(value[1], value[2])", [text, old, new]) == text.replace(old, new)


@some(40)
@given(st.integers(), st.integers())
def test_whole_numbers_are_divided_without_a_rest(number: int, divisor: int) -> None:
    assume(divisor)
    assert given_value("value[0] // value[1] * value[1] + value[0] % value[1]", [number, divisor]) == number


@some(40)
@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 9))
def test_batches_hold_all_in_order(values: list[int], size: int) -> None:
    batches = given_value("value[0] | batch(value[1])", [values, size])
    assert [each for batch in batches for each in batch] == values
    assert all(1 <= len(batch) <= size for batch in batches)


@some(40)
@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_rounding_twice_changes_nothing_more(number: float, digits: int) -> None:
    once = given_value("value[0] | round(value[1])", [number, digits])
    assert abs(once - number) <= 0.5 * 10.0**-digits * 1.000001
    assert given_value("value[0] | round(value[1])", [once, digits]) == once


@some(40)
@given(st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z"), st.integers(-9, 9))
def test_a_moment_moved_there_and_back_is_the_same(moment: str, days: int) -> None:
    assume("0002" < moment[:4] < "9998")
    there = given_value("value[0] | date_add(value[1], 'days')", [moment, days])
    assert given_value("value[0] | date_add(-value[1], 'days')", [there, days]) == moment
    assert given_value("value[0] | date_diff(value[1], 'days')", [there, moment]) == days
