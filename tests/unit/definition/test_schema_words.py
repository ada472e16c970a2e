"""What does not fit a JSON Schema is told at its place, in a sentence that needs no schema to be understood."""

import pytest

from app.definition.json_schema import errors_of
from app.definition.schema_words import problems_in
from app.json import Json, JsonObject


def told(value: Json, schema: JsonObject) -> list[str]:
    return [f"{one.path}: {one.message}" for one in problems_in(errors_of(value, schema, most=50), "input", most=50)]


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"type": "string"}, 5, "must be text, not the number 5"),
        ({"type": "integer"}, "5", "must be a whole number, not text"),
        ({"type": "integer"}, 1.5, "must be a whole number, not the number 1.5"),
        ({"type": ["number", "null"]}, True, "must be a number or null, not true"),
        ({"type": "boolean"}, None, "must be true or false, not null"),
        ({"type": "array"}, {}, "must be a list, not an object"),
        ({"type": "object"}, [], "must be an object, not a list"),
        ({"enum": ["small", "large", 3]}, "huge", "must be one of small, large, 3"),
        ({"enum": list(range(20))}, "x", "must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …"),
        ({"const": "yes"}, "no", "must be yes"),
        ({"format": "email"}, "ada", "must be an e-mail address, like ada@example.com"),
        ({"format": "date"}, "31.1.2030", "must be a date, like 2030-01-31"),
        ({"format": "date-time"}, "noon", "must be a moment with its time zone, like 2030-01-31T09:00:00Z"),
        ({"format": "time"}, "noon", "must be a time of day with its time zone, like 09:00:00Z"),
        ({"format": "uri"}, "example", "must be a whole address, like https://example.com"),
        ({"format": "uuid"}, "7", "must be a UUID, like 01890000-0000-7000-8000-000000000000"),
        ({"pattern": "^[A-Z]{2}$"}, "nl", "must have the form ^[A-Z]{2}$"),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minLength": 3}, "a", "must have at least 3 characters, and has 1 character"),
        ({"maxLength": 1}, "ab", "must have at most 1 character, and has 2 characters"),
        ({"minimum": 18}, 17, "must be at least 18"),
        ({"maximum": 9.5}, 10, "must be at most 9.5"),
        ({"exclusiveMinimum": 0}, 0, "must be more than 0"),
        ({"exclusiveMaximum": 1}, 1, "must be less than 1"),
        ({"multipleOf": 0.01}, 0.005, "must be a multiple of 0.01"),
        ({"minItems": 1}, [], "must have at least 1 entry, and has 0"),
        ({"maxItems": 2}, [1, 2, 3], "must have at most 2 entries, and has 3"),
        ({"uniqueItems": True}, [1, 2, 1], "has equal elements at 0 and 2"),
        ({"not": {"type": "string"}}, "x", "should not be valid under {'type': 'string'}"),
        (
            {"anyOf": [{"type": "string"}, {"required": ["id"]}]},
            {"x": 1},
            "fits none of the alternatives: must be text, not an object; or id is required",
        ),
        (
            {"oneOf": [{"type": "integer"}, {"minimum": 2}]},
            3,
            "fits more than one of the alternatives, and must fit one alone",
        ),
    ],
)
def test_each_rule_has_its_sentence(schema: JsonObject, value: Json, words: str) -> None:
    assert told(value, schema) == [f"input: {words}"]


def test_a_missing_field_is_told_at_its_own_place() -> None:
    schema: JsonObject = {
        "required": ["email", "it's"],
        "properties": {"to": {"type": "array", "items": {"required": ["name"]}}},
        "dependentRequired": {"to": ["subject"]},
    }
    assert told({"to": [{"name": 1}, {}]}, schema) == [
        "input.email: is required",
        "input.it's: is required",
        "input.to[1].name: is required",
        "input.subject: is required where to is given",
    ]


def test_an_unknown_field_is_told_at_its_own_place_with_the_nearest_known_one() -> None:
    schema: JsonObject = {"properties": {"email": True, "name": True}, "additionalProperties": False}
    found = problems_in(errors_of({"e-mail": 1, "zzz": 2}, schema, most=50), "input", most=50)
    assert [(one.path, one.message) for one in found] == [
        ("input.e-mail", "is not known here"),
        ("input.zzz", "is not known here"),
    ]
    assert found[0].hint == "did you mean 'email'?"
    assert found[1].hint == "known: email, name"


def test_the_sentences_are_bounded() -> None:
    schema: JsonObject = {"enum": ["x" * 400, "y" * 400], "additionalProperties": False}
    assert len(told("z", schema)[0]) < 520
    many = problems_in(errors_of({str(n): n for n in range(100)}, schema, most=50), "input", most=50)
    assert len(many) < 20
