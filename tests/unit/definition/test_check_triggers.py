"""Triggers: event types, filters over the event alone, and schemas of a run's input."""

import pytest

from app.json import Json, JsonObject
from tests.support.checking import found, shows

STEP = shows("a", 1)


DOUBLING: JsonObject = {
    "$ref": "#/$defs/a40",
    "$defs": {"a0": {}, **{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, 41)}},
}


def problems(**head: Json) -> list[tuple[str, str]]:
    return found(STEP, **head)


def manual(schema: JsonObject) -> JsonObject:
    return {"type": "manual", "input_schema": schema}


def event(**fields: Json) -> JsonObject:
    return {"type": "event", "event": "crm.deal.won", **fields}


@pytest.mark.parametrize(
    "trigger",
    [
        manual({}),
        manual(
            {
                "type": "object",
                "properties": {"pattern": {"type": "string", "pattern": "^a+$"}},
                "required": ["pattern"],
            }
        ),
        manual({"$ref": "#/$defs/lead", "$defs": {"lead": {"type": "object"}}}),
        manual({"properties": {"children": {"items": {"$ref": "#"}}}}),
        manual({"properties": {"$ref": {"type": "string"}}, "enum": [{"$ref": "http://x"}]}),
        event(),
        event(event="crm.*", source="crm"),
        event(filter={"total": {"$gt": 5}, "owner.name": "Ada"}),
        event(filter="{{ data.total > 5 and source == 'crm' and event.id is defined }}"),
        event(filter={"field": "data.total", "operator": "greater_than", "value": "{{ data.least }}"}),
        event(filter={"trigger": 5}),
    ],
)
def test_a_trigger_that_is_fine(trigger: JsonObject) -> None:
    assert problems(trigger=trigger) == []
    assert problems(triggers=[trigger]) == []


@pytest.mark.parametrize(
    ("trigger", "path", "message"),
    [
        (event(event="crm.*.won"), ".event", "'crm.*.won' is no event type"),
        (event(filter="{{ trigger.total > 5 }}"), ".filter", "unknown name 'trigger'"),
        (event(filter={"a": "{{ vars.x }}"}), ".filter.a", "unknown name 'vars'"),
        (event(filter={"any": ["{{ data.x | uper }}"]}), ".filter.any[0]", "unknown filter 'uper'"),
        (manual({"type": "objct"}), ".input_schema.type", "no JSON Schema: "),
        (manual(DOUBLING), ".input_schema", "more than 10,000 schemas apply to one value"),
        (manual({"$ref": "#"}), ".input_schema", "the schema refers to itself without end"),
        (manual({"type": [{"n": n} for n in range(30_000)]}), ".input_schema", "the JSON Schema is too large"),
        (manual({"properties": []}), ".input_schema.properties", "no JSON Schema: "),
        (
            manual({"properties": {"a": {"pattern": "(?=x)"}}}),
            ".input_schema.properties.a.pattern",
            "is no regular expression",
        ),
        (
            manual({"patternProperties": {"(?=x)": {}}}),
            '.input_schema.patternProperties["(?=x)"]',
            "is no regular expression",
        ),
        (
            manual({"items": {"$ref": "https://example.com/x"}}),
            '.input_schema.items["$ref"]',
            "refers to another document",
        ),
        (manual({"$ref": "#/$defs/nope"}), '.input_schema["$ref"]', "'#/$defs/nope' leads nowhere"),
    ],
)
def test_a_trigger_that_is_not(trigger: JsonObject, path: str, message: str) -> None:
    for head, place in (
        ({"trigger": trigger}, "trigger"),
        ({"triggers": [{"type": "manual"}, trigger]}, "triggers[1]"),
    ):
        found_here = problems(**head)
        assert [where for where, _message in found_here] == [f"{place}{path}"]
        assert message in found_here[0][1]


def test_a_name_in_the_order_of_the_input_that_is_no_property_is_warned_of() -> None:
    [(path, message)] = found(shows("a", 1), trigger={**manual({"properties": {"name": {}}}), "order": ["nme", "name"]})
    assert (path, message) == ("trigger.order[0]", "there is no property 'nme'")
