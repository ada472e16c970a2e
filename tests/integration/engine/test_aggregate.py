"""`aggregate`: one value from many."""

from typing import Any

import pytest

from tests.support.engine import Engine

ORDERS = [
    {"id": 1, "total": 10, "city": "Bonn"},
    {"id": 2, "total": 5, "city": "Ulm"},
    {"id": 3, "total": 3, "city": "Bonn"},
]


@pytest.mark.parametrize(
    ("operation", "field", "result"),
    [
        ("sum", "total", 18),
        ("average", "total", 6),
        ("count", None, 3),
        ("min", "total", 3),
        ("max", "total", 10),
        ("first", "id", 1),
        ("last", "id", 3),
        ("unique", "city", ["Bonn", "Ulm"]),
        ("group_by", "city", {"Bonn": [ORDERS[0], ORDERS[2]], "Ulm": [ORDERS[1]]}),
    ],
)
async def test_each_operation(engine: Engine, operation: str, field: str | None, result: Any) -> None:
    step = {"id": "value", "type": "aggregate", "items": "{{ trigger.orders }}", "operation": operation}
    if field:
        step["field"] = field
    done = await engine.steps(step, input={"orders": ORDERS}, output="{{ steps.value.output.result }}")
    assert done.output == result


async def test_a_sum_of_what_is_no_number_is_an_error(engine: Engine) -> None:
    step = {"id": "value", "type": "aggregate", "items": ["a", 1], "operation": "sum"}
    done = await engine.steps(step)
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith("sum:")
