"""Action steps: the action, its inputs as far as they can be judged, and its connection."""

import pytest

from app.json import Json, JsonObject
from tests.support.checking import found, problems_of


def send(connection: str | None = "post", **inputs: Json) -> JsonObject:
    step: JsonObject = {"id": "a", "type": "action", "action": "mail.send", "inputs": inputs}
    return {**step, "connection": connection} if connection else step


def test_inputs_that_fit_are_fine() -> None:
    assert found(send(to="a@b", subject="Hi", **{"from": "c@d"})) == []
    assert found({**send(to=["a@b"], subject="Hi"), "action": "send"}) == []


def test_an_unknown_action_names_the_nearest() -> None:
    problems = problems_of({"steps": [{"id": "a", "type": "action", "action": "mail.snd"}]})
    assert [(p.path, p.message, p.hint) for p in problems] == [
        ("steps[0].action", "unknown action 'mail.snd'", "did you mean 'mail.send'?")
    ]
    assert "actions: mail.send" in problems_of({"steps": [{"id": "a", "type": "action", "action": "zz"}]})[0].hint


@pytest.mark.parametrize(
    ("inputs", "path", "message", "hint"),
    [
        ({"subject": "Hi"}, ".to", "'to' is required", ""),
        ({"to": "a", "subject": "Hi", "subjct": 1}, ".subjct", "unknown key 'subjct'", "did you mean 'subject'?"),
        ({"to": "a", "subject": "Hi", "from_": "x"}, ".from_", "unknown key 'from_'", "did you mean 'from'?"),
        ({"to": "a", "subject": 5}, ".subject", "expected a string, got a number (5)", ""),
        ({"to": 5, "subject": "Hi"}, ".to", "expected a string or a list, got a number (5)", ""),
        ({"to": "a", "subject": "x" * 21}, ".subject", "is longer than 20 characters", ""),
        (
            {"to": "a", "subject": "Hi", "method": "fats"},
            ".method",
            "expected 'fast' or 'slow', got 'fats'",
            "did you mean 'fast'?",
        ),
        ({"to": "a", "subject": "Hi", "html": "h", "text": "t"}, "", "give either html or text", ""),
        # Problems that hold whatever the expressions yield.
        ({"subject": "{{ trigger.x }}"}, ".to", "'to' is required", ""),
        (
            {"to": "{{ trigger.x }}", "subject": "Hi", "subjct": "{{ trigger.x }}"},
            ".subjct",
            "unknown key 'subjct'",
            "",
        ),
        ({"to": "{{ trigger.x }}", "subject": 5}, ".subject", "expected a string, got a number (5)", ""),
        ({"to": ["{{ trigger.x }}", 5], "subject": "Hi"}, ".to[1]", "expected a string, got a number (5)", ""),
        (
            {"to": "{{ trigger.x }}", "subject": "Hi", "html": "h", "text": "{{ trigger.t }}"},
            "",
            "give either html or text",
            "",
        ),
    ],
)
def test_inputs_that_do_not_fit_say_where(inputs: JsonObject, path: str, message: str, hint: str) -> None:
    problems = problems_of({"steps": [send(**inputs)]})
    assert [problem.path for problem in problems] == [f"steps[0].inputs{path}"]
    assert message in problems[0].message
    assert hint in problems[0].hint


@pytest.mark.parametrize(
    "inputs",
    [
        {"to": "{{ trigger.x }}", "subject": "{{ trigger.subject_that_is_a_long_expression }}"},
        {"to": ["{{ trigger.x }}"], "subject": "Hi", "size": "{{ trigger.n }}"},
        {"to": "a", "subject": "Hi", "method": "{{ trigger.method }}"},
        {"to": "a", "subject": "Hi", "any": {"deep": ["{{ trigger.x }}", 5]}},
        {"to": "a", "subject": "{{ forbidden }}"},
    ],
)
def test_expressions_count_as_any_value(inputs: JsonObject) -> None:
    problems = [problem for problem in problems_of({"steps": [send(**inputs)]}) if "forbidden" not in problem.message]
    assert problems == []


@pytest.mark.parametrize(
    ("step", "message", "hint"),
    [
        (
            send(None, to="a", subject="Hi"),
            "mail.send needs a connection of kind smtp",
            "connections of this kind: post",
        ),
        (send("pots", to="a", subject="Hi"), "there is no connection 'pots'", "did you mean 'post'?"),
        (send("zz", to="a", subject="Hi"), "there is no connection 'zz'", "connections: post, crm"),
        (send("crm", to="a", subject="Hi"), "'crm' is a connection of kind http, mail.send needs smtp", "post"),
        (send("{{ vars.c }}", to="a", subject="Hi"), "a connection is named as it stands", ""),
        (
            {"id": "a", "type": "action", "action": "data.map", "connection": "crm", "inputs": {"mapping": {}}},
            "data.map uses no connection",
            "remove it",
        ),
    ],
)
def test_a_connection_that_does_not_fit(step: JsonObject, message: str, hint: str) -> None:
    problems = problems_of({"steps": [step]})
    assert [problem.path for problem in problems] == ["steps[0].connection"]
    assert message in problems[0].message
    assert hint in problems[0].hint


def test_a_connection_that_need_not_be_there() -> None:
    assert found({"id": "a", "type": "action", "action": "web.call"}) == []
    assert found({"id": "a", "type": "action", "action": "web.call", "connection": "crm"}) == []


def test_connections_that_are_not_known_here_are_not_judged() -> None:
    assert problems_of({"steps": [send("whatever", to="a", subject="Hi")]}, connections=None) == []
    missing = problems_of({"steps": [send(None, to="a", subject="Hi")]}, connections=None)
    assert [problem.message for problem in missing] == ["mail.send needs a connection of kind smtp"]
    none = problems_of({"steps": [send("post", to="a", subject="Hi")]}, connections={})
    assert [(problem.message, problem.hint) for problem in none] == [
        ("there is no connection 'post'", "make one first")
    ]
