"""The `transform.*` actions as the walk runs them: inputs as written, evaluated where they are needed."""

from typing import Any

import pytest

from app.catalog.inline import INLINE
from app.definition.limits import Budget
from app.json import Json

ORDERS = [{"id": 1, "total": 20, "city": "Bonn"}, {"id": 2, "total": 80, "city": "Köln"}]
CONTEXT: dict[str, Json] = {
    "trigger": {"orders": ORDERS, "contact": {"first_name": "Ada", "last_name": "Lovelace"}, "minimum": 50},
    "vars": {"day": "2030-01-31T23:30:00Z"},
    "now": "2030-01-31T09:00:00Z",
}


def run(action: str, inputs: dict[str, Any]) -> Json:
    return INLINE[action](inputs, CONTEXT, Budget())


def test_map_makes_an_object_from_the_source() -> None:
    mapping = {"name": "{{ source.first_name }} {{ source.last_name }}", "all": {"n": "{{ trigger.minimum }}"}}
    output = run("transform.map", {"source": "{{ trigger.contact }}", "mapping": mapping})
    assert output == {"result": {"name": "Ada Lovelace", "all": {"n": 50}}}


@pytest.mark.parametrize(
    "inputs",
    [
        {"items": "{{ trigger.orders }}", "where": "{{ item.total > trigger.minimum }}"},
        {"array": "{{ trigger.orders }}", "where": {"field": "item.city", "operator": "equals", "value": "Köln"}},
        {
            "items": ORDERS,
            "conditions": [
                {"field": "total", "operator": "greater_than", "value": "{{ trigger.minimum }}"},
                {"field": "item.city", "operator": "starts_with", "value": "K"},
            ],
        },
    ],
)
def test_filter_keeps_the_items_for_which_it_holds(inputs: dict[str, Any]) -> None:
    assert run("transform.filter", inputs) == {"items": [ORDERS[1]], "result": [ORDERS[1]], "count": 1}


@pytest.mark.parametrize(
    ("operation", "field", "result"),
    [
        ("sum", "total", 100),
        ("average", "total", 50),
        ("count", None, 2),
        ("max", "total", 80),
        ("first", None, ORDERS[0]),
    ],
)
def test_aggregate_makes_one_value(operation: str, field: str | None, result: Json) -> None:
    inputs = {"items": "{{ trigger.orders }}", "operation": operation, "field": field}
    assert run("transform.aggregate", inputs) == {"result": result}


@pytest.mark.parametrize(
    ("inputs", "formatted"),
    [
        ({"date": "{{ vars.day }}", "format": "YYYY-MM-DD"}, "2030-01-31"),
        ({"date": "{{ vars.day }}", "format": "DD.MM.YYYY HH:mm", "timezone": "Europe/Berlin"}, "01.02.2030 00:30"),
        ({"date": "2030-01-31", "format": "dddd, D MMMM YYYY [at noon]"}, "Thursday, 31 January 2030 at noon"),
    ],
)
def test_format_date_writes_a_moment_in_a_time_zone(inputs: dict[str, Any], formatted: str) -> None:
    assert run("transform.format_date", inputs) == {"formatted": formatted}


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"template": "Hello {{ name }}!", "variables": {"name": "{{ trigger.contact.first_name }}"}}, "Hello Ada!"),
        (
            {"template": "{{ first_name }} {{ vars.day }}", "variables": "{{ trigger.contact }}"},
            "Ada 2030-01-31T23:30:00Z",
        ),
        ({"template": "{{ trigger.minimum }}"}, "50"),
        ({"template": "plain"}, "plain"),
    ],
)
def test_template_renders_text_with_its_variables(inputs: dict[str, Any], text: str) -> None:
    assert run("transform.template", inputs) == {"result": text}


def test_a_value_of_a_variable_is_not_evaluated_again() -> None:
    context = {"trigger": {"name": "{{ vars.secret }}"}, "vars": {"secret": "s"}}
    inputs = {"template": "Hi {{ name }}", "variables": {"name": "{{ trigger.name }}"}}
    assert INLINE["transform.template"](inputs, context, Budget()) == {"result": "Hi {{ vars.secret }}"}


@pytest.mark.parametrize(
    ("action", "inputs", "message"),
    [
        ("transform.map", {"source": {}}, "mapping"),
        ("transform.map", {"mapping": {"a": "{{ source.b }}"}, "source": {}}, "b"),
        ("transform.filter", {"items": [1]}, "either where or conditions"),
        ("transform.filter", {"items": "{{ trigger.minimum }}", "where": "{{ true }}"}, "list"),
        ("transform.filter", {"items": [1], "conditions": [{"operator": "equals"}]}, "field"),
        ("transform.aggregate", {"items": ORDERS, "operation": "median"}, "operation"),
        ("transform.aggregate", {"items": ORDERS, "operation": "sum", "field": "city"}, "number"),
        ("transform.format_date", {"date": "tomorrow", "format": "YYYY"}, "tomorrow"),
        ("transform.format_date", {"date": "2030-01-31", "format": "YYYY", "timezone": "Moon/Base"}, "Moon/Base"),
        ("transform.template", {"template": "{{ nobody }}"}, "nobody"),
        ("transform.template", {"text": "x"}, "template"),
    ],
)
def test_what_does_not_fit_is_a_value_error_that_names_it(action: str, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(action, inputs)
