"""What an activity tells Temporal of an outcome."""

import json

from activities.answers import answer, brief, too_large
from app.json import Json, JsonObject
from app.temporal.messages import ActionOutcome
from app.temporal.payloads import LARGEST_LOCAL_ANSWER, LARGEST_PAYLOAD


def outcome(output: Json, inputs: JsonObject | None = None) -> ActionOutcome:
    return ActionOutcome(output=output, inputs=inputs or {}, attempt=1, started_at="", finished_at="")


def test_a_small_outcome_is_answered_whole() -> None:
    small = outcome({"a": 1}, {"url": "x"})
    assert answer(small, local=True) == small


def test_a_local_activity_leaves_a_large_outcome_in_the_database() -> None:
    large = outcome("x" * LARGEST_LOCAL_ANSWER)
    assert answer(large, local=True).kept
    assert answer(large, local=True).output is None
    assert answer(large, local=False) == large


def test_an_output_larger_than_a_payload_does_not_fit() -> None:
    assert too_large(outcome("x" * (LARGEST_PAYLOAD - 2)), None) is None
    assert too_large(outcome("x" * LARGEST_PAYLOAD), None)
    assert too_large(outcome("щ" * (LARGEST_PAYLOAD // 2)), None)
    assert too_large(outcome("x" * 98), 100) is None
    assert too_large(outcome("x" * 99), 100) == "the answer has 101 bytes, more than the 100 a step may hand on"


def test_long_inputs_are_shortened_for_reading() -> None:
    inputs = {"to": "ada@example.com", "body": "a" * 20_000, "attachments": [{"content": "b" * 20_000}]}
    short = brief(inputs)
    assert short["to"] == "ada@example.com"
    assert short["body"].startswith("aaa")
    assert short["body"].endswith("(20,000 characters)")
    assert "bytes" in short["attachments"]
    assert len(json.dumps(short)) < 1000
    assert brief({"to": "ada@example.com"}) == {"to": "ada@example.com"}
