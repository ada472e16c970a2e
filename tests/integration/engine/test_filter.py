"""`filter`: the items for which a condition holds."""

from typing import Any

import pytest

from app.json import JsonObject
from tests.support.engine import Engine

PEOPLE = [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 17}, {"name": "Cy", "age": 70}]


def keep(where: Any, items: Any = "{{ trigger.people }}") -> JsonObject:
    return {"id": "keep", "type": "filter", "items": items, "where": where}


@pytest.mark.parametrize(
    "where",
    [
        "{{ item.age >= 18 }}",
        {"field": "item.age", "operator": "greater_than_or_equals", "value": "{{ vars.limit }}"},
        {"not": {"field": "item.age", "operator": "less_than", "value": 18}},
    ],
)
async def test_items_for_which_it_holds_are_kept(engine: Engine, where: Any) -> None:
    done = await engine.steps(
        keep(where), input={"people": PEOPLE}, variables={"limit": 18}, output="{{ steps.keep.output }}"
    )
    assert done.output == {"items": [PEOPLE[0], PEOPLE[2]], "count": 2}


@pytest.mark.parametrize("people", ["Ada", 5, None, {"name": "Ada"}])
async def test_what_is_no_list_is_an_error(engine: Engine, people: Any) -> None:
    done = await engine.steps(keep("{{ true }}"), input={"people": people})
    assert done.error["type"] == "expression"


async def test_an_item_that_cannot_be_compared_is_an_error(engine: Engine) -> None:
    people = [{"age": 1}, {"age": "two"}]
    done = await engine.steps(
        keep({"field": "item.age", "operator": "greater_than", "value": 0}), input={"people": people}
    )
    assert done.error["type"] == "expression"
    assert "string" in done.error["message"]
