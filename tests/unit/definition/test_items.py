"""What filter and aggregate steps make of a list."""

import pytest

from app.definition.errors import ExpressionError, ItemsError
from app.definition.items import aggregate, filter_items
from app.json import Json

ORDERS: list[Json] = [
    {"id": 1, "total": 50, "owner": {"name": "Ada"}},
    {"id": 2, "total": 20, "owner": {"name": "Bob"}},
    {"id": 3, "total": 20.5, "owner": {"name": "Ada"}},
]


def test_a_filter_keeps_the_items_for_which_the_condition_holds() -> None:
    kept = filter_items(ORDERS, "{{ item.total > vars.least }}", {"vars": {"least": 20}})
    assert kept == {"items": [ORDERS[0], ORDERS[2]], "count": 2}
    named = {"field": "item.owner.name", "operator": "equals", "value": "Bob"}
    assert filter_items(ORDERS, named, {}) == {"items": [ORDERS[1]], "count": 1}
    assert filter_items([], "{{ item.nothing }}", {}) == {"items": [], "count": 0}


def test_a_filter_names_the_item_its_condition_fails_for() -> None:
    with pytest.raises(ExpressionError, match="item 1: a string cannot be compared with a number"):
        filter_items([5, "six"], "{{ item > 4 }}", {})


@pytest.mark.parametrize(
    ("items", "kind"), [({"a": 1}, "an object"), ("abc", "a string"), (None, "null"), (5, "a number")]
)
def test_items_that_are_no_list_are_an_error(items: Json, kind: str) -> None:
    with pytest.raises(ItemsError, match=f"a filter goes over a list, not {kind}"):
        filter_items(items, True, {})
    with pytest.raises(ItemsError, match=f"an aggregate goes over a list, not {kind}"):
        aggregate(items, "count")


def test_a_long_list_is_filtered_and_a_hostile_condition_ends() -> None:
    assert filter_items(list(range(20_000)), "{{ item is even }}", {})["count"] == 10_000
    with pytest.raises(ExpressionError, match="too much work"):
        filter_items(list(range(20_000)), "{{ range(1000) | sum > item }}", {})


@pytest.mark.parametrize(
    ("operation", "field", "result"),
    [
        ("sum", "total", 90.5),
        ("average", "id", 2),
        ("average", "total", 90.5 / 3),
        ("count", None, 3),
        ("count", "missing", 0),
        ("count", "owner.name", 3),
        ("min", "total", 20),
        ("max", "owner.name", "Bob"),
        ("first", "id", 1),
        ("last", "owner.name", "Ada"),
        ("first", None, ORDERS[0]),
        ("unique", "owner.name", ["Ada", "Bob"]),
        ("group_by", "owner.name", {"Ada": [ORDERS[0], ORDERS[2]], "Bob": [ORDERS[1]]}),
    ],
)
def test_an_aggregate_of_orders(operation: str, field: str | None, result: Json) -> None:
    assert aggregate(ORDERS, operation, field) == {"result": result}


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ("sum", 0),
        ("count", 0),
        ("average", None),
        ("min", None),
        ("max", None),
        ("first", None),
        ("last", None),
        ("unique", []),
    ],
)
def test_an_aggregate_of_nothing(operation: str, result: Json) -> None:
    assert aggregate([], operation) == {"result": result}


def test_integers_stay_integers() -> None:
    assert aggregate([10**30, 1], "sum") == {"result": 10**30 + 1}
    assert type(aggregate([2, 4], "average")["result"]) is int


def test_groups_are_named_by_the_text_of_their_value() -> None:
    items = [{"k": 1}, {"k": True}, {"k": None}, {}, {"k": "1"}]
    groups = aggregate(items, "group_by", "k")["result"]
    assert groups == {"1": [{"k": 1}, {"k": "1"}], "true": [{"k": True}], "null": [{"k": None}, {}]}


@pytest.mark.parametrize(
    ("items", "operation", "field", "message"),
    [
        ([1, "2"], "sum", None, "item 1 is a string, and a sum needs numbers"),
        ([True], "average", None, "item 0 is a boolean, and a sum needs numbers"),
        ([{"a": 1}, {}], "sum", "a", "item 1 has no a"),
        ([1, "2"], "max", None, "item 1: a string cannot be compared with a number"),
        ([{}], "min", None, "item 0: an object cannot be compared with an object"),
        ([1], "median", None, "unknown operation 'median'"),
        ([1], "group_by", None, "group_by needs a field"),
        ([{"a": []}], "group_by", "a", "item 0: a is a list"),
    ],
)
def test_items_that_do_not_fit_are_named(items: Json, operation: str, field: str | None, message: str) -> None:
    with pytest.raises(ItemsError) as caught:
        aggregate(items, operation, field)
    assert message in caught.value.message
