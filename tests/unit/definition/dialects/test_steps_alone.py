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
