"""What a document says is kept or told: the same said in two places, and words at steps that seldom have them."""

from typing import Any

import pytest

from app.json import JsonObject
from tests.support.dialects import NOTE, canonical, condition, errors, note, published, read, step

COMPARISON: JsonObject = {"field": "trigger.total", "operator": "gt", "value": 5}


def flow(own: str, **more: Any) -> JsonObject:
    return {"id": "a", "step_type": "action", "action_type": own, **more}


@pytest.mark.parametrize(
    ("body", "retry"),
    [
        ({"step_type": "delay", "delay_config": {"value": "1s"}, "max_retries": 2}, {}),
        (
            {"step_type": "loop", "loop_config": {"source": "{{trigger.x}}", "steps": [NOTE]}, "max_retries": 4},
            {"max_attempts": 5},
        ),
        (
            {**NOTE, "max_retries": 1, "retry_delay_seconds": 5},
            {"max_attempts": 2, "initial_interval": "5s", "max_interval": "60s", "backoff": 1.0},
        ),
        ({**NOTE, "on_error": "retry"}, {"max_attempts": 4}),
        ({**NOTE, "max_retries": 0, "retry_delay_seconds": 60}, None),
    ],
    ids=str,
)
def test_any_step_that_does_something_is_tried_again_as_often_as_it_says(
    body: JsonObject, retry: JsonObject | None
) -> None:
    made = published({"trigger_type": "manual", "steps": [body]})["steps"][0]
    assert made.get("retry") == retry


@pytest.mark.parametrize("body", [condition("a"), {"id": "a", "step_type": "stop"}], ids=["condition", "stop"])
def test_retries_of_a_step_that_does_nothing_are_told(body: JsonObject) -> None:
    reading = read({"steps": [{**body, "max_retries": 2}, note("b")]})
    assert reading.errors == []
    assert [(each.path, each.severity) for each in reading.remarks[1:]] == [("steps[0].max_retries", "warning")]
    assert "retry" not in canonical({"steps": [{**body, "max_retries": 0}, note("b")]})["steps"][0]


def test_a_transformation_of_a_wizard_is_tried_again_as_often_as_it_says_itself() -> None:
    config = {"transformation_type": "template", "transformation_script": "{{x}}"}
    action = {"action_name": "a", "action_type": "transform_data", "config": config}
    document = {"event_trigger": "wizard.onStart", "event_name": "E", "error_handling": {"retry_count": 2}}
    made = [
        canonical({**document, "actions": [{**action, **more}]})["steps"][0]
        for more in ({}, {"retry_count": 0}, {"retry_count": 3})
    ]
    assert [each.get("retry", {}).get("max_attempts") for each in made] == [None, None, 4]


def test_what_is_mapped_to_a_flow_action_is_part_of_what_it_says() -> None:
    body = flow("flow.stop", action_config={"status": "failed"}, input_mapping={"reason": "{{trigger.why}}"})
    assert step(body) == {"id": "a", "type": "stop", "status": "failed", "reason": "{{ trigger.why }}"}
    assert step(flow("flow.delay", input_mapping={"duration": 2, "unit": "hours"}))["duration"] == "2h"
    asks = flow("flow.condition", input_mapping={"conditions": [COMPARISON], "operator": "and"})
    [made, *_] = canonical({"steps": [asks, note("b")]})["steps"]
    assert made["branches"][0]["when"] == {"not": {"field": "trigger.total", "operator": "greater_than", "value": 5}}


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        (
            {"steps": [flow("flow.stop", input_mapping={"why": 1})]},
            "steps[0].input_mapping.why",
            "unknown key 'why' in flow.stop",
        ),
        (
            {"steps": [flow("flow.loop", input_mapping={"items": [1], "steps": [NOTE]}), note("b")]},
            "steps[0].input_mapping.steps",
            "steps cannot be mapped",
        ),
        (
            {
                "actions": [
                    {
                        "action_type": "wait_for_event",
                        "action_config": {"event_type": "a.b", "conditions": [COMPARISON], "filter": {"y": 2}},
                    }
                ]
            },
            "actions[0].action_config.filter",
            "'conditions' say already which event is meant",
        ),
        (
            {"steps": [condition("a", then=[note("x")], true_step_id="b"), note("b")]},
            "steps[0].condition_config.true_step_id",
            "'then' and 'else' say already what follows",
        ),
        (
            {
                "steps": [
                    {
                        "stepId": "a",
                        "stepType": "action",
                        "config": {
                            "actionType": "send_email", "recipient": "trigger", "customRecipient": "a@example.com",
                        },
                    }
                ]
            },
            "steps[0].config.customRecipient",
            "'recipient' says this already",
        ),
    ],
    ids=["mapped key", "mapped steps", "event", "then", "recipient"],
)  # fmt: skip
def test_what_is_said_twice_or_has_no_place_is_refused_there(document: JsonObject, path: str, message: str) -> None:
    assert (path, message) in errors(document)
