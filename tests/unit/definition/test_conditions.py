"""Conditions over the run's names: operators, groups, what cannot be compared, and what is no condition."""

import pytest

from app.definition.condition_operators import OPERATORS
from app.definition.condition_shapes import faults
from app.definition.conditions import ConditionError, evaluate
from app.definition.expressions import ExpressionError
from app.json import Json

CONTEXT: dict[str, Json] = {
    "trigger": {
        "total": 50,
        "name": "Ada Lovelace",
        "tags": ["vip", "new"],
        "empty": "",
        "nothing": None,
        "active": True,
        "at": "2030-01-31T09:00:00+01:00",
        "object": {"a": 1},
        "odd-key": {"x y": 1},
    },
    "steps": {},
}

HOLDS = [
    ("equals", "total", 50),
    ("equals", "total", 50.0),
    ("equals", "nothing", None),
    ("equals", "missing", None),
    ("equals", "object", {"a": 1}),
    ("equals", "name", "{{ 'Ada' ~ ' Lovelace' }}"),
    ("not_equals", "total", 51),
    ("not_equals", "missing", "x"),
    ("contains", "name", "Love"),
    ("contains", "tags", "vip"),
    ("contains", "object", "a"),
    ("not_contains", "tags", "old"),
    ("not_contains", "missing", "x"),
    ("starts_with", "name", "Ada"),
    ("ends_with", "name", "lace"),
    ("greater_than", "total", 49.5),
    ("greater_than_or_equals", "total", 50),
    ("less_than", "name", "B"),
    ("less_than_or_equals", "total", 50),
    ("is_empty", "empty", None),
    ("is_empty", "missing", None),
    ("is_not_empty", "tags", None),
    ("is_not_empty", "active", None),
    ("in", "total", [1, 50]),
    ("in", "name", ["Ada Lovelace"]),
    ("in", "empty", "any text"),
    ("not_in", "total", ["50"]),
    ("not_in", "missing", [1]),
    ("matches", "name", "^Ada .*e$"),
    ("matches", "name", "Love"),
    ("exists", "total", None),
    ("not_exists", "nothing", None),
    ("not_exists", "missing.deeper", None),
    ("before", "at", "2030-01-31T08:00:01Z"),
    ("after", "at", "2030-01-31T07:59:59Z"),
]

FAILS = [
    ("equals", "total", 51),
    ("not_equals", "name", "Ada Lovelace"),
    ("contains", "missing", "x"),
    ("contains", "tags", "VIP"),
    ("starts_with", "missing", "A"),
    ("ends_with", "nothing", "A"),
    ("greater_than", "total", 50),
    ("less_than", "total", 50),
    ("is_empty", "total", None),
    ("is_not_empty", "empty", None),
    ("in", "missing", "text"),
    ("matches", "name", "^Love"),
    ("matches", "missing", ".*"),
    ("exists", "missing", None),
    ("not_exists", "total", None),
    ("before", "at", "2030-01-31T08:00:00Z"),
]


@pytest.mark.parametrize(("operator", "field", "value"), HOLDS)
def test_a_comparison_holds(operator: str, field: str, value: Json) -> None:
    assert evaluate({"field": f"trigger.{field}", "operator": operator, "value": value}, CONTEXT) is True


@pytest.mark.parametrize(("operator", "field", "value"), FAILS)
def test_a_comparison_does_not_hold(operator: str, field: str, value: Json) -> None:
    assert evaluate({"field": f"trigger.{field}", "operator": operator, "value": value}, CONTEXT) is False


def test_every_operator_is_tested() -> None:
    assert {operator for operator, _field, _value in HOLDS} == set(OPERATORS)


@pytest.mark.parametrize(
    ("operator", "field", "value", "message"),
    [
        ("equals", "total", "50", "a number cannot be compared with a string"),
        ("not_equals", "active", "true", "a boolean cannot be compared with a string"),
        ("greater_than", "total", "49", "a number cannot be compared with a string"),
        ("less_than", "missing", 5, "null cannot be compared with a number"),
        ("less_than_or_equals", "active", 1, "a boolean cannot be compared with a number"),
        ("greater_than_or_equals", "tags", ["a"], "a list cannot be compared with a list"),
        ("contains", "total", 5, "a number contains nothing"),
        ("contains", "name", 5, "a number cannot be part of a string"),
        ("starts_with", "total", "5", "starts_with needs strings, not a number and a string"),
        ("ends_with", "name", 5, "ends_with needs strings, not a string and a number"),
        ("matches", "total", "5", "matches needs strings"),
        ("matches", "name", "{{ '(' }}", "'(' is no regular expression"),
        ("in", "total", 50, "nothing is in a number"),
        ("not_in", "total", None, "nothing is in null"),
        ("in", "total", "50", "a number cannot be part of a string"),
        ("before", "name", "2030-01-31T08:00:00Z", "'Ada Lovelace' is no moment"),
        ("after", "at", 5, "a moment is an RFC 3339 text, not a number"),
        ("before", "missing", "2030-01-31T08:00:00Z", "null and a string cannot be compared as moments"),
    ],
)
def test_what_cannot_be_compared_is_an_error_that_names_both_types(
    operator: str, field: str, value: Json, message: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate({"field": f"trigger.{field}", "operator": operator, "value": value}, CONTEXT)
    assert message in caught.value.message
    assert f"trigger.{field} {operator}" in str(caught.value)


def test_a_field_of_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="unknown name 'triger'"):
        evaluate({"field": "triger.total", "operator": "exists"}, CONTEXT)


def test_odd_keys_and_indices_are_reached() -> None:
    assert evaluate({"field": "trigger.tags[1]", "operator": "equals", "value": "new"}, CONTEXT)
    assert evaluate({"field": "trigger.tags.0", "operator": "equals", "value": "vip"}, CONTEXT)
    assert evaluate({"field": "trigger.odd-key['x y']", "operator": "equals", "value": 1}, CONTEXT)


TRUE, FALSE = "{{ true }}", "{{ false }}"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (True, True),
        (False, False),
        ("{{ trigger.total > 49 }}", True),
        ({"all": [TRUE, TRUE]}, True),
        ({"all": [TRUE, FALSE]}, False),
        ({"any": [FALSE, TRUE]}, True),
        ({"any": [FALSE, FALSE]}, False),
        ({"not": FALSE}, True),
        ({"not": {"all": [TRUE, {"any": [FALSE, {"not": FALSE}]}]}}, False),
        ({"any": [TRUE, "{{ missing }}"]}, True),
        ({"all": [FALSE, "{{ missing }}"]}, False),
    ],
)
def test_groups(condition: Json, holds: bool) -> None:
    assert evaluate(condition, CONTEXT) is holds


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("{{ trigger.total }}", "a condition yields true or false, not a number"),
        ("{{ 'true' }}", "a condition yields true or false, not a string"),
        ("{{ true }} ", "a condition yields true or false, not a string"),
        ("true", "is a text, not a condition"),
        (5, "a number is no condition"),
        (None, "null is no condition"),
    ],
)
def test_what_is_no_condition_is_an_error(condition: Json, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        evaluate(condition, CONTEXT)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("condition", "place", "message"),
    [
        ("trigger.total > 5", (), "is a text, not a condition"),
        (5, (), "a condition is an expression or an object, not a number"),
        ({}, (), "the condition is empty"),
        ({"fild": "x", "operator": "equals", "value": 1}, ("fild",), "unknown key 'fild'"),
        ({"operator": "equals", "value": 1}, ("field",), "the field of the comparison is missing"),
        ({"field": 5, "operator": "exists"}, ("field",), "the field of the comparison is a number"),
        ({"field": "{{ trigger.x }}", "operator": "exists"}, ("field",), "is no path"),
        ({"field": "a..b", "operator": "exists"}, ("field",), "is no path"),
        ({"field": "x", "value": 1}, ("operator",), "the operator is missing"),
        ({"field": "x", "operator": "equal", "value": 1}, ("operator",), "unknown operator 'equal'"),
        ({"field": "x", "operator": "equals"}, (), "'equals' compares with a value, and there is none"),
        ({"field": "x", "operator": "matches", "value": "("}, ("value",), "is no regular expression"),
        ({"field": "x", "operator": "matches", "value": 5}, ("value",), "'matches' needs a regular expression"),
        ({"field": "x", "operator": "in", "value": 5}, ("value",), "'in' needs a list"),
        ({"all": []}, ("all",), "'all' is empty"),
        ({"any": "x"}, ("any",), "'any' holds a list of conditions, not a string"),
        ({"all": [True], "any": [True]}, ("any",), "'any' cannot stand beside 'all'"),
        ({"all": [{"not": 5}]}, ("all", 0, "not"), "a condition is an expression or an object"),
        ({"a.b": 5}, ("a.b",), "unknown key 'a.b' in a condition"),
        ({"field": "x", "operator": "equals", "value": 1, "bound": True}, ("bound",), "unknown key 'bound'"),
    ],
)
def test_a_document_that_is_no_condition_says_where(
    condition: Json, place: tuple[str | int, ...], message: str
) -> None:
    found = [(fault.place, fault.message) for fault in faults(condition, short=False)]
    assert any(where == place and message in said for where, said in found), found


def test_a_condition_nested_too_deeply_or_too_long_is_refused() -> None:
    deep: Json = True
    for _ in range(5_000):
        deep = {"not": deep}
    assert "nested more than 20 levels" in faults(deep, short=False)[0].message
    assert "1001 parts" in faults({"any": [True] * 1_000}, short=False)[0].message
