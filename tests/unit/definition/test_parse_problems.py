"""Documents that are no definition: every problem of shape at once, each with its path and the way out."""

import pytest

from app.definition.parse import parse, parse_step
from app.definition.problems import DefinitionInvalid, Problem
from app.json import Json


def problems(document: Json) -> list[Problem]:
    with pytest.raises(DefinitionInvalid) as caught:
        parse(document)
    return caught.value.problems


@pytest.mark.parametrize(
    ("document", "path", "message", "hint"),
    [
        ({"nmae": "x"}, "nmae", "unknown key 'nmae'", "did you mean 'name'?"),
        ({"zzz": 1}, "zzz", "unknown key 'zzz'", "known keys: name, description"),
        ({"finally_": []}, "finally_", "unknown key 'finally_'", "did you mean 'finally'?"),
        ({"name": 5}, "name", "expected a string, got a number (5)", ""),
        ({"name": "x" * 201}, "name", "is longer than 200 characters", ""),
        ({"steps": {}}, "steps", "expected a list, got an object", ""),
        ({"steps": ["wait"]}, "steps[0]", "expected an object, got a string ('wait')", ""),
        ({"variables": []}, "variables", "expected an object, got a list", ""),
        ({"settings": {"timeout": 30}}, "settings.timeout", "the duration 30 has no unit", "write 30s for seconds"),
        ({"settings": {"timeout": "soon"}}, "settings.timeout", "'soon' is no duration", "write 90s"),
        (
            {"settings": {"dispatch": "localfirst"}},
            "settings.dispatch",
            "expected 'local_first' or 'scheduled', got 'localfirst'",
            "did you mean 'local_first'?",
        ),
        (
            {"settings": {"on_failure": "wait"}},
            "settings.on_failure",
            "expected 'fail' or 'hold', got 'wait'",
            "",
        ),
        (
            {"settings": {"on_error": "hold"}},
            "settings.on_error",
            "unknown key 'on_error'",
            "known keys: timeout, max_runs_per_hour, excess, run_once_per, concurrency, on_failure, dispatch",
        ),
        (
            {"trigger": {"type": "evnt"}},
            "trigger.type",
            "unknown trigger type 'evnt'",
            "did you mean 'event'? types: manual, event",
        ),
        ({"triggers": [{"event": "x"}]}, "triggers[0].type", "the trigger has no type", "types: manual, event"),
        ({"trigger": {"type": "event"}}, "trigger.event", "'event' is required", ""),
        (
            {"trigger": {"type": "event", "event": "a", "filter": {"a": {"$gtt": 1}}}},
            'trigger.filter.a["$gtt"]',
            "unknown operator '$gtt'",
            "did you mean '$gt'?",
        ),
    ],
)
def test_a_problem_of_the_head_says_where_and_what_to_do(document: Json, path: str, message: str, hint: str) -> None:
    found = problems(document)
    assert [(problem.path, problem.message) for problem in found] == [(path, message)]
    assert hint in found[0].hint


@pytest.mark.parametrize(
    ("step", "path", "message", "hint"),
    [
        (
            {"type": "actoin", "id": "a"},
            "type",
            "unknown step type 'actoin'",
            "did you mean 'action'? types: action, condition",
        ),
        ({"type": "banana", "id": "a"}, "type", "unknown step type 'banana'", "types: action, condition, delay"),
        ({"type": 5, "id": "a"}, "type", "expected a string, got a number", "types: action"),
        ({"id": "a"}, "type", "the step has no type", "types: action, condition"),
        ({"type": "stop"}, "id", "'id' is required", ""),
        ({"type": "stop", "id": "Not An Id"}, "id", "'Not An Id' is no id", "small letters"),
        ({"type": "stop", "id": "a", "enabled": "no"}, "enabled", "expected true or false, got a string ('no')", ""),
        (
            {"type": "stop", "id": "a", "when": "x > 5"},
            "when",
            "'x > 5' is a text, not a condition",
            "{{ expression }}",
        ),
        (
            {"type": "stop", "id": "a", "when": {"any": [{"field": "x", "operator": "eq", "value": 1}]}},
            "when.any[0].operator",
            "unknown operator 'eq'",
            "equals",
        ),
        (
            {"type": "stop", "id": "a", "on_error": "wait"},
            "on_error",
            "expected 'fail', 'continue', 'branch' or 'hold', got 'wait'",
            "",
        ),
        (
            {"type": "stop", "id": "a", "on_error": "holds"},
            "on_error",
            "expected 'fail', 'continue', 'branch' or 'hold', got 'holds'",
            "did you mean 'hold'?",
        ),
        ({"type": "stop", "id": "a", "compensate": {}}, "compensate", "expected a list, got an object", ""),
        (
            {"type": "stop", "id": "a", "compensate": [{"id": "b", "type": "actoin"}]},
            "compensate[0].type",
            "unknown step type 'actoin'",
            "did you mean 'action'?",
        ),
        ({"type": "stop", "id": "a", "compensation": []}, "compensation", "unknown key", "did you mean 'compensate'?"),
        (
            {"type": "stop", "id": "a", "retry": {"retry_on": ["rate_limit"]}},
            "retry.retry_on[0]",
            "'rate_limit' is no error type",
            "did you mean 'rate_limited'?",
        ),
        (
            {"type": "stop", "id": "a", "retry": {"retry_on": ["zzz"]}},
            "retry.retry_on[0]",
            "'zzz' is no error type",
            "types: expression, invalid_input",
        ),
        (
            {"type": "stop", "id": "a", "retry": {"retry_on": ["run_timed_out"]}},
            "retry.retry_on[0]",
            "'run_timed_out' ends the whole run, no step fails with it",
            "leave it out",
        ),
        (
            {"type": "stop", "id": "a", "retry": {"retry_on": [429]}},
            "retry.retry_on[0]",
            "expected a string, got a number (429)",
            "",
        ),
        (
            {"type": "stop", "id": "a", "retry": {"retry_on": "timeout"}},
            "retry.retry_on",
            "expected a list, got a string ('timeout')",
            "",
        ),
        (
            {"type": "stop", "id": "a", "retry": {"retry_on": []}},
            "retry.retry_on",
            "needs at least 1 entries, has 0",
            "",
        ),
        ({"type": "repeat", "id": "a", "until": True}, "steps", "'steps' is required", ""),
        (
            {"type": "repeat", "id": "a", "untill": True, "steps": []},
            "untill",
            "unknown key 'untill'",
            "did you mean 'until'?",
        ),
        (
            {"type": "repeat", "id": "a", "while_": True, "steps": []},
            "while_",
            "unknown key 'while_'",
            "did you mean 'while'?",
        ),
        (
            {"type": "repeat", "id": "a", "while": "loop.index < 3", "steps": []},
            "while",
            "'loop.index < 3' is a text, not a condition",
            "{{ expression }}",
        ),
        (
            {"type": "repeat", "id": "a", "until": {"field": "x", "operator": "eq", "value": 1}, "steps": []},
            "until.operator",
            "unknown operator 'eq'",
            "",
        ),
        (
            {"type": "repeat", "id": "a", "until": True, "interval": 5, "steps": []},
            "interval",
            "the duration 5 has no unit",
            "write 5s for seconds",
        ),
        (
            {"type": "repeat", "id": "a", "until": True, "max_iterations": 0, "steps": []},
            "max_iterations",
            "must be at least 1, got 0",
            "",
        ),
        (
            {"type": "repeat", "id": "a", "until": True, "on_exhausted": "hold", "steps": []},
            "on_exhausted",
            "expected 'fail' or 'continue', got 'hold'",
            "",
        ),
        (
            {"type": "stop", "id": "a", "retry": {"max_attempt": 1}},
            "retry.max_attempt",
            "unknown key 'max_attempt'",
            "did you mean 'max_attempts'?",
        ),
        (
            {"type": "stop", "id": "a", "retry": {"max_attempts": 0}},
            "retry.max_attempts",
            "must be at least 1, got 0",
            "",
        ),
        ({"type": "stop", "id": "a", "retry": {"backoff": 99}}, "retry.backoff", "must be at most 10, got 99", ""),
        (
            {"type": "stop", "id": "a", "retry": {"initial_interval": 2}},
            "retry.initial_interval",
            "the duration 2 has no unit",
            "",
        ),
        ({"type": "delay", "id": "a", "duration": "-5m"}, "duration", "the duration '-5m' is negative", ""),
        ({"type": "delay", "id": "a", "at": {"time": "9 am"}}, "at.time", "'9 am' is no time of day", "HH:MM"),
        (
            {"type": "delay", "id": "a", "at": {"time": "09:00", "days": ["monday"]}},
            "at.days[0]",
            "expected 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun', got 'monday'",
            "did you mean 'mon'?",
        ),
        (
            {"type": "loop", "id": "a", "items": [], "steps": [], "concurrency": "5"},
            "concurrency",
            "expected a whole number, got a string ('5')",
            "",
        ),
        (
            {"type": "loop", "id": "a", "items": [], "steps": [], "concurrency": True},
            "concurrency",
            "expected a whole number, got a boolean (True)",
            "",
        ),
        ({"type": "condition", "id": "a", "branches": []}, "branches", "needs at least 1 entries, has 0", ""),
        ({"type": "condition", "id": "a", "branches": [{"steps": []}]}, "branches[0].when", "'when' is required", ""),
        (
            {"type": "condition", "id": "a", "branches": [{"when": True, "steps": [{"id": "b", "type": "wiat"}]}]},
            "branches[0].steps[0].type",
            "unknown step type 'wiat'",
            "",
        ),
        (
            {"type": "condition", "id": "a", "branches": [{"when": True, "steps": []}], "els": []},
            "els",
            "unknown key 'els'",
            "did you mean 'else'?",
        ),
        (
            {"type": "parallel", "id": "a", "branches": [{"name": "x", "steps": []}], "wait_for": "al"},
            "wait_for",
            "expected 'all' or 'any' or a whole number, got 'al'",
            "did you mean 'all'?",
        ),
        (
            {"type": "set_variable", "id": "a", "variables": {"Bad Name": 1}},
            'variables["Bad Name"]',
            "'Bad Name' is no id",
            "",
        ),
        (
            {"type": "aggregate", "id": "a", "items": [], "operation": "avg"},
            "operation",
            "expected 'sum', 'average',",
            "",
        ),
        (
            {"type": "action", "id": "a", "action": "x.y", "inputs": "z"},
            "inputs",
            "expected an object, got a string ('z')",
            "",
        ),
        (
            {"type": "filter", "id": "a", "items": [], "where": 5},
            "where",
            "a condition is an expression or an object",
            "",
        ),
    ],
)
def test_a_problem_of_a_step_says_where_and_what_to_do(step: Json, path: str, message: str, hint: str) -> None:
    """At the top, deep inside others, and alone, by a path without the names of the models."""
    inside = {"type": "loop", "id": "l", "items": [], "steps": [step]}
    outer = {"type": "condition", "id": "c", "branches": [{"when": True, "steps": [inside]}], "else": [step]}
    found = problems({"steps": [step, outer], "finally": [step]})
    places = ("steps[0]", "steps[1].branches[0].steps[0].steps[0]", "steps[1].else[0]", "finally[0]")
    assert sorted(problem.path for problem in found) == sorted(f"{place}.{path}" for place in places)
    for problem in found:
        assert message in problem.message
        assert hint in problem.hint
    with pytest.raises(DefinitionInvalid) as caught:
        parse_step(step)
    assert [problem.path for problem in caught.value.problems] == [path]


def test_all_problems_come_at_once() -> None:
    document = {
        "nmae": "x",
        "settings": {"timeout": 5},
        "steps": [{"type": "x", "id": "a"}, {"type": "stop", "id": "B", "rsn": 1}],
    }
    assert {problem.path for problem in problems(document)} == {
        *("nmae", "settings.timeout", "steps[0].type", "steps[1].id", "steps[1].rsn")
    }


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "a definition is an object, not null"),
        ([], "a definition is an object, not a list"),
        ("x", "a definition is an object, not a string"),
        ({"name": "a\x00b"}, "a character that cannot be stored"),
        ({"name": "a\ud800b"}, "a character that cannot be stored"),
        ({"variables": {"a": float("nan")}}, "nan is no JSON value"),
        ({"variables": {1: 2}}, "a key is no text"),
        ({"variables": {"a": {1, 2}}}, "is no JSON value"),
        ({"variables": {"a": list(range(100_001))}}, "more than 100,000 values"),
    ],
)
def test_what_is_no_document_is_refused(document: Json, message: str) -> None:
    assert message in problems(document)[0].message


def test_a_document_nested_without_end_is_refused() -> None:
    deep: Json = []
    for _ in range(5_000):
        deep = [deep]
    assert "nested more than 100 levels" in problems({"variables": {"a": deep}})[0].message
    steps: list[Json] = [{"id": "a", "type": "stop"}]
    for index in range(60):
        steps = [{"id": f"l{index}", "type": "loop", "items": [], "steps": steps}]
    assert "nested more than 100 levels" in problems({"steps": steps})[0].message
