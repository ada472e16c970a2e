"""Where linked steps lead: which steps may lead to several, which way is taken when, and what is said twice."""

from typing import Any

import pytest

from app.definition.conditions import evaluate
from app.json import Json, JsonObject
from tests.support.dialects import errors, read
from tests.unit.definition.dialects.test_linked import START, document, made, node, shape


def decide(own: str, **ways: Json) -> JsonObject:
    return node(own, dict(ways), "agent", agentType="decision")


def taken(steps: list[JsonObject], answer: str, output: str = "decision") -> list[str]:
    """The steps that run after the first one gave this answer, up to the end of the run."""
    context: JsonObject = {"steps": {"a": {"output": {output: answer}}}}
    found: list[str] = []
    for step in steps:
        found.append(step["id"])
        if step["type"] == "condition":
            way = next((each["steps"] for each in step["branches"] if evaluate(each["when"], context)), [])
            found += [each["id"] for each in way]
            if any(each["type"] == "stop" for each in way):
                return found
    return found


@pytest.mark.parametrize(
    ("ways", "answers"),
    [
        ({"Approve": "x", "Review": "x"}, {"Approve": True, "Review": True, "Reject": False}),
        ({"Approve": "x", "Reject": "y"}, {"Approve": True, "Reject": True, "Review": False}),
        ({"Approve": "x"}, {"Approve": True, "Reject": False}),
        ({"approve": "x", "reject": "y"}, {"Approve": True, "Reject": True, "Review": False}),
        ({"Approve": "x", "default": "y"}, {"Approve": True, "Reject": True, "Review": True}),
        ({"Approve": "x", "Reject": None, "Review": "y"}, {"Approve": True, "Reject": False, "Review": True}),
    ],
    ids=str,
)  # fmt: skip
def test_an_answer_no_way_stands_for_ends_the_run_also_where_the_others_meet(
    ways: dict[str, Json], answers: dict[str, bool]
) -> None:
    steps = made(decide("a", **ways), node("x", "z"), node("y", "z"), node("z", None))
    assert {answer: taken(steps, answer)[-1] == "z" for answer in answers} == answers


def test_answers_that_all_lead_to_the_same_step_need_no_condition() -> None:
    assert shape(made(decide("a", Approve="b", Reject="b", Review="b"), node("b", None))) == ["a", "b"]


def test_the_default_of_a_decision_is_none_of_its_answers() -> None:
    _decide, choice = made(decide("a", Approve=None, Reject="b", default="c"), node("b", None), node("c", None))
    answer = {"field": "steps.a.output.decision", "operator": "equals"}
    assert [branch["when"] for branch in choice["branches"]] == [
        {**answer, "value": "Reject"},
        {"not": {"any": [{**answer, "value": "Approve"}, {**answer, "value": "Reject"}]}},
    ]


def test_a_decision_leads_to_one_of_several_steps() -> None:
    first, choice = made(decide("a", Approve="b", Reject="c", Review=None), node("b", None), node("c", None))
    assert first["action"] == "ai.decide"
    assert [branch["when"] for branch in choice["branches"]] == [
        {"field": "steps.a.output.decision", "operator": "equals", "value": "Approve"},
        {"field": "steps.a.output.decision", "operator": "equals", "value": "Reject"},
    ]


@pytest.mark.parametrize("kind", ["sentiment", "intent"])
def test_a_step_that_gives_an_answer_is_asked_for_its_own(kind: str) -> None:
    first = node("a", {"good": "b", "bad": "c"}, utilityType=kind, inputText="x")
    steps = made(first, node("b", None), node("c", None))
    assert [taken(steps, answer, kind)[2:] for answer in ("good", "bad", "other")] == [["b"], ["c"], []]


@pytest.mark.parametrize(
    "links",
    [
        {"nextStepIds": ["b", "c"]},
        {"nextStepId": {"false": "c", "true": "b"}},
        {"config": {"trueStepId": "b", "falseStepId": "c"}},
        {"config": {"trueStepId": "b"}, "nextStepId": "c"},
        {"nextStepIds": ["b", "c"], "nextStepId": "b"},
    ],
    ids=str,
)
def test_two_next_steps_may_be_written_in_several_ways(links: JsonObject) -> None:
    one = {"utilityType": "condition", "field": "message_text", "operator": "eq", "value": "x"}
    first = {"stepId": "a", "stepType": "utility", **links, "config": {**one, **links.get("config", {})}}
    assert shape(made(first, node("b", None), node("c", None))) == [["a", ["b"], ["c"]]]


def call(**more: Any) -> JsonObject:
    return {
        "stepId": "a",
        "stepType": "action",
        "config": {"actionType": "webhook_call", "url": "https://example.com"},
        **more,
    }


def condition(**more: Any) -> JsonObject:
    one = {"utilityType": "condition", "field": "message_text", "operator": "eq", "value": "x"}
    return {"stepId": "a", "stepType": "utility", **more, "config": {**one, **more.get("config", {})}}


@pytest.mark.parametrize(
    ("step", "path", "message"),
    [
        (call(nextStepIds=["b", "c"]), "nextStepIds", "'webhook_call' leads to one step"),
        (call(nextStepId={"ok": "b", "bad": "c"}), "nextStepId", "'webhook_call' leads to one step"),
        ({**decide("a"), "nextStepId": None, "nextStepIds": ["b", "c"]}, "nextStepIds", "at which decision which way"),
        ({**call(), "nextStepIds": ["b", "c", "d"]}, "nextStepIds", "which of 3 ways"),
        ({**call(), "nextStepIds": [1]}, "nextStepIds", "expected a list of stepIds"),
        (condition(nextStepId={"true": "b", "false": None}, nextStepIds=["b", "c"]), "nextStepIds", "said already"),
        (condition(nextStepIds=["b", None], nextStepId="c"), "nextStepId", "said already"),
        (
            condition(nextStepIds=["b", "c"], config={"trueStepId": "c", "falseStepId": "b"}),
            "config.trueStepId",
            "said already",
        ),
        (condition(nextStepId="a", config={"trueStepId": "c", "falseStepId": "b"}), "nextStepId", "said already"),
    ],
)
def test_links_that_cannot_be_followed_are_told_at_their_place(step: JsonObject, path: str, message: str) -> None:
    steps = document(step, node("b", None), node("c", None))
    found = [problem for problem in read(steps).errors if message in problem.message]
    assert [problem.path for problem in found] == [f"steps[1].{path}"]
    assert found[0].hint


def test_a_trigger_leads_to_one_step() -> None:
    start = {**START, "nextStepId": None, "nextStepIds": ["a", "b"]}
    found = errors({"steps": [start, node("a", None), node("b", None)]})
    assert [path for path, message in found if message.startswith("a trigger leads to one step")] == [
        "steps[0].nextStepIds"
    ]
