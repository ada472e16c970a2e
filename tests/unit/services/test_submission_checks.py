"""What is wrong with a submission, in words for those who filled it in."""

import time

import pytest

from app.json import Json, JsonObject
from app.services import submission_checks
from app.services.errors import Invalid


def problems(schema: Json, *value: Json, **form: Json) -> list[tuple[str, str]]:
    """Path and message of each problem of a form's field `x` with this value, or without any."""
    fields: JsonObject = {"x": value[0]} if value else {}
    try:
        submission_checks.check(fields, {"type": "object", "properties": {"x": schema}, **form})
    except Invalid as error:
        return [(problem.path, problem.message) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string", "minLength": 3}, "ab", "takes at least 3 characters"),
        ({"type": "string", "maxLength": 1}, "ab", "takes at most 1 characters"),
        ({"type": "string", "format": "email"}, "ab", "is no e-mail address"),
        ({"type": "string", "format": "uri"}, "ab", "is no web address: it begins with https://"),
        ({"type": "string", "format": "date"}, "1.1.2030", "is no date"),
        ({"type": "string", "format": "time-local"}, "9", "is no time"),
        ({"type": "string", "pattern": "^[A-Z]+$"}, "ab", "is not written in the form that is asked for"),
        ({"type": "integer"}, 1.5, "takes a whole number"),
        ({"type": "integer"}, "1", "takes a whole number"),
        ({"type": "number", "minimum": 2}, 1, "takes 2 or more"),
        ({"type": "number", "exclusiveMaximum": 2}, 2, "takes less than 2"),
        ({"type": "number", "multipleOf": 0.5}, 0.3, "takes multiples of 0.5"),
        ({"type": "boolean", "const": True}, False, "must be ticked"),
        ({"enum": ["a"]}, "b", "is none of the choices"),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, "c", "is none of the choices"),
        ({"type": "array", "items": {"enum": ["a"]}, "minItems": 2}, ["a"], "takes at least 2 of them"),
        ({"type": "integer", "not": {"const": 13}}, 13, "has a value that is not allowed"),
        (
            {"type": "string", "anyOf": [{"format": "email"}, {"format": "date"}]},
            "a" * 5000,
            "fits none of the alternatives: must be an e-mail address, like ada@example.com; or must be a date, like "
            "2030-01-31",
        ),
    ],
    ids=str,
)
def test_each_mistake_says_what_to_do(schema: Json, value: Json, message: str) -> None:
    assert problems(schema, value) == [("fields.x", message)]


def test_a_field_that_is_missing_is_told_at_its_place() -> None:
    assert problems({"type": "string"}, required=["x"]) == [("fields.x", "is required")]


@pytest.mark.parametrize("word", ["oneOf", "anyOf"])
def test_of_fields_of_which_one_is_needed_both_are_named(word: str) -> None:
    found = problems({"type": "string"}, **{word: [{"required": ["x"]}, {"required": ["y"]}]})
    assert found == [("fields", "fits none of the alternatives: x is required; or y is required")]


def test_a_field_that_another_one_asks_for_is_told_at_its_place() -> None:
    found = problems({"type": "string"}, "a", dependentRequired={"x": ["y"]})
    assert found == [("fields.y", "is required where x is given")]


def test_unknown_fields_are_told_once_and_cost_little_however_many_and_long_they_are() -> None:
    known: JsonObject = {f"field {number}": {"type": "string"} for number in range(40)}
    fields: JsonObject = {f"feld {number}": 1 for number in range(100_000)}
    began = time.process_time()
    with pytest.raises(Invalid) as refused:
        submission_checks.check(fields, {"type": "object", "properties": known, "additionalProperties": False})
    assert time.process_time() - began < 5
    assert len(refused.value.problems) == submission_checks.MAX_PROBLEMS
    [(path, message)] = problems({"type": "string"}, "a", additionalProperties=False, required=["y"])
    assert (path, message) == ("fields.y", "is required")
    with pytest.raises(Invalid) as refused:
        submission_checks.check({"n" * 100_000: 1}, {"type": "object", "properties": known})
    assert len(str(refused.value)) < 500


def test_a_field_that_is_not_asked_for_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Invalid) as refused:
        submission_checks.check({"emial": "a"}, {"type": "object", "properties": {"email": {"type": "string"}}})
    [problem] = refused.value.problems
    assert (problem.path, "email" in problem.hint) == ("fields.emial", True)


def test_what_is_left_empty_is_not_given() -> None:
    fields = {"a": "", "b": " \n", "c": None, "d": 0, "e": False, "f": [], "g": "x "}
    assert submission_checks.given(fields) == {"d": 0, "e": False, "f": [], "g": "x "}


def test_a_schema_that_takes_too_much_work_is_told_as_such() -> None:
    [(path, message)] = problems({"type": "array", "items": {"type": "integer"}}, [1] * 200_000)
    assert (path, message) == ("fields", "takes too much work to be checked")
