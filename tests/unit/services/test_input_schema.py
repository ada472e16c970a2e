"""A run's input against the JSON Schema of its workflow."""

import pytest

from app.json import Json, JsonObject
from app.services.errors import Invalid
from app.services.input_schema import MAX_PROBLEMS, check_answer, check_input


def refused(value: Json, schema: JsonObject) -> list[str]:
    with pytest.raises(Invalid) as caught:
        check_input(value, schema)
    return sorted(problem.path for problem in caught.value.problems)


def test_all_that_does_not_fit_is_said_at_once() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"b": {"type": "integer"}, "c": {"type": "array", "items": {"type": "string"}}},
        "additionalProperties": False,
    }
    check_input({"b": 1, "c": []}, {**schema, "required": []})
    assert refused({"b": "1", "c": ["x", 2], "d": 1}, schema) == ["input.a", "input.b", "input.c[1]", "input.d"]


def test_patterns_are_matched_in_linear_time() -> None:
    text = "a" * 50_000 + "!"
    assert refused(text, {"pattern": "^(a+)+$"}) == ["input"]
    assert refused({text: 1}, {"patternProperties": {"^(a+)+$": True}, "additionalProperties": False}) == ["input"]
    check_input("aaa", {"pattern": "^(a+)+$"})


def test_pattern_properties_apply_to_the_names_that_match() -> None:
    schema = {"patternProperties": {"^n_": {"type": "number"}}, "additionalProperties": {"type": "string"}}
    check_input({"n_a": 1, "b": "x"}, schema)
    assert refused({"n_a": "1", "b": 2}, schema) == ["input.b", "input.n_a"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strnig"},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "#"},
        {"pattern": "(?=look)ahead"},
        {"unevaluatedProperties": False},
    ],
)
def test_a_schema_that_cannot_be_used_is_said_to_be_the_problem(schema: JsonObject) -> None:
    with pytest.raises(Invalid) as caught:
        check_input({"a": "b"} if "pattern" not in schema else "x", schema)
    assert caught.value.code == "invalid_input_schema"


def test_the_list_of_problems_is_bounded() -> None:
    assert len(refused(list(range(1000)), {"items": {"type": "string"}})) == MAX_PROBLEMS


def test_a_value_that_takes_too_much_work_to_check_is_refused() -> None:
    many: Json = [1] * 200_000
    assert refused(many, {"items": {"type": "integer"}}) == ["input"]
    with pytest.raises(Invalid, match="too much work") as caught:
        check_answer({"a": many}, {"properties": {"a": {"items": {"type": "integer"}}}})
    assert (caught.value.code, caught.value.problems[0].path) == ("invalid_answer", "answer")
    assert caught.value.problems[0].hint


def test_what_one_of_several_triggers_takes_is_taken() -> None:
    by_id: JsonObject = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    by_name: JsonObject = {"type": "object", "required": ["name"], "additionalProperties": False}
    check_input({"id": 1}, by_name, by_id)
    with pytest.raises(Invalid, match="nearest of its 2 manual triggers") as caught:
        check_input({"id": "one"}, by_name, by_id)
    assert [problem.path for problem in caught.value.problems] == ["input.id"]


def test_the_nearest_of_several_schemas_tells_what_is_wrong() -> None:
    whole: JsonObject = {"type": "object", "required": ["a", "b", "c"]}
    with pytest.raises(Invalid) as caught:
        check_input({"a": 1}, {"type": "string"}, whole, {"$ref": "#/nowhere"})
    assert [problem.path for problem in caught.value.problems] == ["input.b", "input.c"]
    with pytest.raises(Invalid) as caught:
        check_input({"a": 1}, {"$ref": "#/nowhere"}, {"type": "nonsense"})
    assert caught.value.code == "invalid_input_schema"
