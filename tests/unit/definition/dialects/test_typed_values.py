"""Numbers and booleans that were typed as text: compared as where they come from, or told."""

import pytest

from app.definition.conditions import evaluate
from app.json import Json, JsonObject
from tests.support.dialects import note, published, read


def holds(comparison: JsonObject, total: Json) -> bool:
    """Whether a flat condition holds for `trigger.total`; what follows it is what tells."""
    steps = [{"id": "c", "step_type": "condition", "condition_config": {"conditions": [comparison]}}, note("a")]
    [branch] = published({"trigger_type": "manual", "steps": steps})["steps"][0]["branches"]
    return not evaluate(branch["when"], {"trigger": {"total": total} if total != "missing" else {}})


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("equals", "100", {100: True, "100": True, 99: False, "paid": False, None: False, "missing": False}),
        ("not_equals", "100", {100: False, "100": False, 99: True, None: True, "missing": True}),
        ("eq", "true", {True: True, "true": True, False: False, "missing": False}),
        ("eq", "99.5", {99.5: True, "99.5": True, 99: False}),
        ("eq", "0031", {31: False, "0031": True}),
        ("in", ["100", 5, "paid"], {100: True, "5": True, 5: True, "paid": True, "x": False, "missing": False}),
        ("not_in", ["100"], {100: False, 99: True, "missing": True}),
        ("equals", 100, {100: True, 99: False, "missing": False}),
        ("equals", "it's {{ 'so' }}", {"it's so": True}),
    ],
)
def test_a_flat_condition_compares_what_was_typed_as_text_as_text(
    operator: str, value: Json, expected: dict[Json, bool]
) -> None:
    comparison = {"field": "{{trigger.total}}", "operator": operator, "value": value}
    assert {total: holds(comparison, total) for total in expected} == expected


@pytest.mark.parametrize("value", ["paid", 100, True, None, ["paid"], "{{variables.x}}"])
def test_any_other_comparison_stays_one_that_people_can_read(value: Json) -> None:
    config = {"conditions": [{"field": "trigger.total", "operator": "equals", "value": value}]}
    made = read({"steps": [{"step_type": "condition", "condition_config": config}, note("a")]}).document["steps"][0]
    assert made["branches"][0]["when"]["not"]["field"] == "trigger.total"


def test_an_order_between_answers_of_a_wizard_is_told_to_need_numbers() -> None:
    conditions = [
        {"field_id": "a", "operator": "equals", "value": "x", "logic": "AND"},
        {"field_id": "b", "operator": "greater_than", "value": 5, "logic": "AND"},
    ]
    reading = read({"event_trigger": "wizard.onStart", "event_name": "E", "conditions": conditions, "actions": []})
    assert [(each.path, each.severity) for each in reading.remarks[1:]] == [("conditions[1].operator", "info")]
