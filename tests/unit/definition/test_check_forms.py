"""Form triggers: what a page can ask for, names and colours that can be told apart."""

import time

import pytest

from app.definition.parse import dump, parse
from app.definition.problems import DefinitionInvalid
from app.json import Json, JsonObject
from tests.support.checking import found, problems_of, shows

STEP = shows("a", 1)


def asking(**properties: Json) -> JsonObject:
    return {"type": "object", "properties": properties}


def form(*, fields: Json = None, **more: Json) -> JsonObject:
    return {"type": "form", "fields": fields or asking(name={"type": "string"}), **more}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": ["string", "null"], "format": "date"},
        {"type": "string", "format": "time-local"},
        {"type": "integer", "minimum": 1},
        {"type": "boolean"},
        {"type": "boolean", "const": True},
        {"enum": ["a", 2, None]},
        {"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]},
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1},
        {"$ref": "#/$defs/kind"},
    ],
    ids=str,
)
def test_what_a_page_can_ask_for_is_published(schema: Json) -> None:
    fields = {**asking(x=schema), "required": ["x"], "$defs": {"kind": {"enum": ["a"]}}}
    assert found(STEP, trigger=form(fields=fields)) == []


@pytest.mark.parametrize(
    ("schema", "message", "hint"),
    [
        ({"type": "object"}, "no input for 'x'", "a property of its own"),
        ({"type": "array"}, "no input for 'x'", "items: {enum: [...]}"),
        ({"type": "array", "items": {"type": "string"}}, "no input for 'x'", "items: {enum: [...]}"),
        ({"type": ["string", "integer"]}, "no input for 'x'", "give it one type"),
        ({}, "no input for 'x'", "give it one type"),
        (True, "no input for 'x'", "give it one type"),
        ({"type": "string", "format": "binary"}, "takes no files", "format: uri"),
        ({"type": "string", "contentEncoding": "base64"}, "takes no files", "format: uri"),
        ({"type": "string", "format": "time"}, "the zone that time of 'x' has", "time-local, as in 09:30"),
        ({"type": "string", "format": "date-time"}, "the zone", "date-time-local"),
        ({"enum": []}, "nothing to choose from", "enum"),
    ],
    ids=str,
)
def test_what_no_page_can_ask_for_is_told_with_what_to_do(schema: Json, message: str, hint: str) -> None:
    [problem] = problems_of({"steps": [STEP], "trigger": form(fields=asking(x=schema))})
    assert problem.path == "trigger.fields.properties.x"
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("trigger", "path", "message"),
    [
        (form(fields={"type": "array"}), "fields.type", "not that of an object"),
        (form(fields={"type": "object"}), "fields.properties", "has no fields"),
        (form(fields={**asking(a={"type": "string"}), "required": ["b"]}), "fields.required[0]", "ask for 'b'"),
        (form(fields=asking(a={"type": "objct"})), "fields.properties.a.type", "no JSON Schema"),
        (
            form(fields=asking(a={"type": "array", "items": {"enum": list(range(501))}})),
            "fields.properties",
            "501 inputs, 500 are allowed",
        ),
        (form(thank_you="Thanks", redirect_to="https://example.com"), "redirect_to", "never reads thank_you"),
        (form(respond="by_step", redirect_to="https://example.com"), "redirect_to", "what a step responds"),
        (form(theme={"color": "#ffff00"}), "theme.color", "#ffff00 on #ffffff has a contrast of 1.1"),
        (form(theme={"color": "#222222", "background": "#000000"}), "theme.color", "hardly be seen"),
        (form(order=["nme"]), "order[0]", "there is no property 'nme'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_form_cannot_say_is_told_at_its_place(trigger: JsonObject, path: str, message: str) -> None:
    [(place, told)] = found(STEP, trigger=trigger)
    assert place == f"trigger.{path}"
    assert message in told


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("theme", {"color": "red"}),
        ("theme", {"color": "#12345"}),
        ("theme", {"color": "#123456;}"}),
        ("theme", {"font": "Comic Sans"}),
        ("theme", {"logo_url": "http://example.com/l.png"}),
        ("redirect_to", "javascript:alert(1)"),
        ("redirect_to", "https://user@example.com"),
        ("redirect_to", "https://example.com; script-src *"),
        ("redirect_to", "https://example.com/\nx"),
        ("allowed_origins", ["https://example.com/path"]),
        ("allowed_origins", ["*"]),
        ("allowed_origins", ["https://example.com; script-src *"]),
        ("form_id", "a b"),
        ("language", "de; x"),
        ("max_per_minute", 0),
    ],
    ids=str,
)
def test_what_would_stand_in_a_header_or_a_style_is_held_to_its_form(key: str, value: Json) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse({"steps": [STEP], "trigger": form(**{key: value})})
    assert refused.value.problems[0].path.startswith(f"trigger.{key}")


def test_forms_of_one_workflow_have_names_of_their_own() -> None:
    apart = [form(form_id="a"), form(form_id="b"), form()]
    assert found(STEP, triggers=apart) == []
    assert found(STEP, triggers=[*apart, form(form_id="b")]) == [
        ("triggers[3].form_id", "two forms have the same form_id: 'b'")
    ]
    assert [place for place, _ in found(STEP, triggers=[form(), form()])] == ["triggers[1].form_id"]


def test_the_order_of_the_fields_is_kept_beside_them() -> None:
    fields = asking(zebra={"type": "string"}, ant={"type": "string"}, bee={"type": "string"})
    for order, kept in (([], ["zebra", "ant", "bee"]), (["bee"], ["bee", "zebra", "ant"])):
        made = dump(parse({"steps": [STEP], "trigger": form(fields=fields, order=order)}))
        assert made["trigger"]["order"] == kept
        assert dump(parse(made)) == made


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"type": "object", "properties": []},
        asking(x=None),
        asking(x={"format": ["time"], "type": [["string"]], "enum": {}, "oneOf": [None], "items": 5, "title": {}}),
        asking(x={"$ref": "#/$defs/x"}),
        {**asking(x={"$ref": "#/$defs/x"}), "$defs": []},
        {**asking(x={"type": "string", "maxLength": "5"}), "required": [{}]},
        {**asking(x={"type": "array", "items": {"oneOf": []}}), "required": {}},
    ],
    ids=str,
)
def test_whatever_the_fields_are_problems_are_told_and_nothing_breaks(fields: JsonObject) -> None:
    told = found(STEP, trigger={"type": "form", "fields": fields})
    assert told
    assert all(place.startswith("trigger.fields") for place, _ in told)


def test_a_form_of_very_many_fields_is_refused_in_a_moment() -> None:
    fields = asking(**{f"f{number}": {"type": "string"} for number in range(2_000)})
    order = [f"g{number}" for number in range(2_000)]
    began = time.thread_time()
    told = found(STEP, trigger=form(fields=fields, order=order))
    assert time.thread_time() - began < 5
    assert told


def test_a_form_whose_answer_is_left_to_a_step_has_one() -> None:
    answers: JsonObject = {"id": "say", "type": "respond", "body": "Hello"}
    [(path, message)] = found(STEP, trigger=form(respond="by_step"))
    assert (path, "no step of the workflow responds" in message) == ("trigger.respond", True)
    assert found(answers, trigger=form(respond="by_step")) == []
    assert found({**answers, "enabled": False}, triggers=[form(respond="by_step")]) != []
