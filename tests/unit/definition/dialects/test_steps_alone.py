"""One step by itself, beside the steps of a workflow: which dialect it is in, and what it means there."""

import pytest

from app.definition import dialects
from app.json import JsonObject


def alone(step: JsonObject) -> dialects.Reading:
    reading = dialects.read_step(step, {"before": "before"})
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("step", "dialect"),
    [
        ({"action_type": "send_email", "action_config": {}}, "actions"),
        ({"action_type": "wait_time", "action_config": {}, "position": 2}, "actions"),
        ({"action_type": "send_email", "action_config": {}, "previous_action_id": "before"}, "actions"),
        ({"action_type": "email.send", "action_config": {}}, "flat"),
        ({"action_type": "send_email", "action_config": {}, "output_key": "mail"}, "flat"),
        ({"action_type": "send_email", "step_type": "action"}, "flat"),
        ({"action_type": "api_call", "config": {}}, "wizard"),
    ],
)
def test_the_dialect_of_a_step_by_itself_is_told_by_its_keys_and_by_what_its_action_is_called(
    step: JsonObject, dialect: str
) -> None:
    assert alone(step).dialect == dialect


def test_an_action_without_links_speaks_of_its_contact() -> None:
    step = {"action_type": "send_email", "action_config": {"to": "{{contact.email}}", "body": "{{steps.before.id}}"}}
    reading = alone(step)
    assert reading.errors == []
    assert reading.document["inputs"] == {
        "to": "{{ trigger.contact.email }}",
        "body": "{{ steps.before.output.id }}",
    }


def test_a_step_without_a_type_among_flat_ones_is_flat() -> None:
    steps = [{"step_type": "stop"}, {"action_type": "send_email", "action_config": {"to": "{{trigger.email}}"}}]
    reading = dialects.read({"steps": steps})
    assert reading is not None
    assert (reading.dialect, reading.errors) == ("flat", [])


COMPARISON: JsonObject = {"field": "{{trigger.total}}", "operator": "gt", "value": 5}
STOP: JsonObject = {"step_type": "stop"}


def test_a_condition_by_itself_ends_the_run_where_it_does_not_hold_and_says_so() -> None:
    reading = alone({"step_type": "condition", "condition_config": {"conditions": [COMPARISON]}})
    assert reading.errors == []
    [branch] = reading.document["branches"]
    assert (branch["name"], branch["when"]) == ("not_passed", {"not": {**COMPARISON, **GREATER}})
    assert [each["type"] for each in branch["steps"]] == ["stop"]
    assert [(each.path, each.severity) for each in reading.remarks[1:]] == [("", "info")]


GREATER: JsonObject = {"field": "trigger.total", "operator": "greater_than"}


def test_a_condition_by_itself_may_hold_steps() -> None:
    reading = alone({"step_type": "condition", "condition_config": {"conditions": [COMPARISON], "then": [STOP]}})
    assert [branch["name"] for branch in reading.document["branches"]] == ["passed"]
    assert reading.errors == reading.remarks[1:] == []


@pytest.mark.parametrize(
    ("name", "config", "retries", "attempts"),
    [
        ("wait_time", {"duration": "1h"}, 0, None),
        ("wait_time", {"duration": "1h"}, 2, 3),
        ("send_email", {"to": "a@example.com"}, 0, 1),
        ("flow.stop", {}, 0, None),
    ],
)
def test_an_action_is_tried_again_as_often_as_it_says(
    name: str, config: JsonObject, retries: int, attempts: int | None
) -> None:
    step = {"action_type": name, "action_config": config, "max_retries": retries, "previous_action_id": "before"}
    reading = alone(step)
    assert reading.errors == []
    assert reading.document.get("retry", {}).get("max_attempts") == attempts
