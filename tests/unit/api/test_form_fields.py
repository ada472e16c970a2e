"""A form on a page: which input a field gets, and what is read from what a browser sends."""

import pytest

from api.forms.fields import fields_of, filled, read, with_problems
from app.definition.problems import Problem
from app.json import Json, JsonObject


def form(**properties: Json) -> JsonObject:
    return {"type": "object", "properties": properties, "$defs": {"kind": {"enum": ["a", 2, None]}}}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "textarea"}, "textarea"),
        ({"type": "string", "maxLength": 2000}, "textarea"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "email"}, "email"),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "integer"}, "number"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "checkbox"),
        ({"enum": ["a", "b"]}, "select"),
        ({"const": "a"}, "select"),
        ({"$ref": "#/$defs/kind"}, "select"),
        ({"type": "object"}, "json"),
        ({"type": "array"}, "json"),
        ({"type": ["string", "integer"]}, "json"),
        (True, "json"),
        ({}, "json"),
    ],
)
def test_each_kind_of_field_has_its_input(schema: Json, kind: str) -> None:
    [field] = fields_of(form(x=schema))
    assert field.kind == kind


@pytest.mark.parametrize(
    ("schema", "sent", "value"),
    [
        ({"type": "string"}, "a\r\nb", "a\nb"),
        ({"type": "integer"}, " 12 ", 12),
        ({"type": "integer"}, "1.5", 1.5),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "number"}, "10", 10),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "", False),
        ({"$ref": "#/$defs/kind"}, "1", 2),
        ({"type": "object"}, '{"a": [1]}', {"a": [1]}),
    ],
)
def test_what_is_sent_becomes_a_value(schema: Json, sent: str, value: Json) -> None:
    assert read(filled(fields_of(form(x=schema)), {"field.x": [sent]})) == ({"x": value}, [])


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        ({"type": "number"}, "nan"),
        ({"type": "number"}, "1_0.0"),
        ({"type": "integer"}, "ten"),
        ({"enum": ["a"]}, "1"),
        ({"enum": ["a"]}, "²"),
        ({"type": "object"}, "{"),
        ({"type": "object"}, "1e999"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_field(schema: Json, sent: str) -> None:
    answer, problems = read(filled(fields_of(form(x=schema)), {"field.x": [sent]}))
    assert (answer, [problem.path for problem in problems]) == ({}, ["answer.x"])


def test_a_field_left_empty_is_left_out_and_a_default_stands_in_it_before() -> None:
    fields = fields_of(
        form(x={"type": "string"}, y={"enum": ["a", "b"], "default": "b"}, z={"type": "integer", "default": 3})
    )
    assert [field.value for field in fields] == ["", "1", "3"]
    assert read(filled(fields, {"field.x": [" "], "field.y": [""]})) == ({}, [])


def test_problems_stand_beside_their_fields_and_the_rest_above() -> None:
    problems = [
        Problem("answer.x", "is required"), Problem("answer.x.deep", "is wrong"), Problem("answer.xy", "other"),
        Problem("answer", "unknown: 'q'"),
    ]  # fmt: skip
    [field], left = with_problems(fields_of(form(x={})), problems)
    assert field.error == "is required; deep is wrong"
    assert [problem.path for problem in left] == ["answer.xy", "answer"]


def test_a_problem_stands_beside_the_field_whose_name_says_most_of_its_place() -> None:
    fields = fields_of({"properties": {"a": {"type": "string"}, "a.b": {"type": "string"}}})
    problems = [Problem("answer.a.b", "is required"), Problem("answer.a[0]", "is odd"), Problem("answer", "is less")]
    marked, left = with_problems(fields, problems)
    assert [each.error for each in marked] == ["[0] is odd", "is required"]
    assert left == problems[2:]
