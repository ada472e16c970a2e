"""Parts of a form's page by themselves: more kinds of fields, colours that can be read, what a browser may fill in."""

import re

import pytest

from api.forms import theme
from api.forms.autocomplete import autocomplete
from api.forms.fields import fields_of, filled, read
from app.definition.colours import READABLE, VISIBLE, contrast
from app.definition.triggers.form import FormTrigger, Theme
from app.json import Json, JsonObject
from tests.support.documents import quoted, table


def asking(**properties: Json) -> JsonObject:
    return {"type": "object", "properties": properties, "required": ["x"]}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string", "format": "tel"}, "tel"),
        ({"type": "string", "format": "uri"}, "url"),
        ({"type": "string", "format": "time-local"}, "time"),
        ({"type": "string", "format": "date-time-local"}, "datetime-local"),
        ({"type": "string", "format": "email", "maxLength": 254}, "email"),
        ({"enum": ["a", "b"], "format": "radio"}, "radio"),
        ({"oneOf": [{"const": "a", "title": "A"}]}, "select"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "checkboxes"),
        ({"type": "boolean", "const": True}, "checkbox"),
        ({"type": "boolean", "const": False}, "select"),
        ({"type": "boolean", "enum": [True, False]}, "select"),
    ],
    ids=str,
)
def test_each_property_has_its_input(schema: Json, kind: str) -> None:
    assert [field.kind for field in fields_of(asking(x=schema))] == [kind]


def test_choices_are_read_by_their_titles_and_sent_as_their_values() -> None:
    ways = [{"const": 1, "title": "One"}, {"const": 2}]
    [field] = fields_of(asking(x={"oneOf": ways, "format": "radio", "default": 2}))
    assert (field.options, field.chosen) == (["One", "2"], ["1"])
    assert read(filled([field], {"field.x": ["0"]})) == ({"x": 1}, [])


@pytest.mark.parametrize(
    ("sent", "value"), [(["0", "2"], ["a", "c"]), (["1", "1"], ["b"]), ([], None), (["3"], None), (["x"], None)]
)
def test_boxes_are_read_together(sent: list[str], value: Json) -> None:
    fields = fields_of(asking(x={"type": "array", "items": {"enum": ["a", "b", "c"]}}))
    said, problems = read(filled(fields, {"field.x": sent}))
    assert said.get("x") == value
    assert bool(problems) == (value is None and sent != [])


def test_the_fields_stand_in_their_order() -> None:
    form = asking(x={"type": "string"}, y={"type": "string"}, z={"type": "string"})
    assert [field.name for field in fields_of(form, order=["z", "gone", "x"])] == ["z", "x", "y"]


@pytest.mark.parametrize(
    ("name", "schema", "token"),
    [
        ("email", {}, "email"),
        ("e_mail_address", {"format": "email"}, "email"),
        ("firstName", {}, "given-name"),
        ("postal-code", {}, "postal-code"),
        ("country", {}, "country-name"),
        ("country", {"enum": ["AT"]}, "country"),
        ("call_me_at", {"format": "tel"}, "tel"),
        ("favourite", {}, ""),
    ],
)
def test_a_browser_is_told_what_it_may_fill_in(name: str, schema: JsonObject, token: str) -> None:
    assert autocomplete(name, schema) == token


GROUNDS = ["#000000", "#ffffff", "#777777", "#ff0000", "#1b5e20", "#ffdd00", "#808000", "#5a5aff"]


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("colour", [None, *GROUNDS])
def test_whatever_the_colours_everything_can_be_read(ground: str, colour: str | None) -> None:
    css = theme.css(Theme(color=colour, background=ground))
    said = dict(re.findall(r"([a-z-]+): ([^;}]+?)[ ;]", css.replace("}", ";")))
    text = re.findall(r"[{; ]color: (#\w+)", css)[0]
    assert said["background"] == ground
    assert contrast(text, ground) >= READABLE
    assert contrast(said["--error"], ground) >= READABLE
    assert contrast(said["--focus"], ground) >= VISIBLE
    assert contrast(said["--on-button"], said["--button"]) >= READABLE


def test_a_page_without_a_theme_has_no_style_of_its_own() -> None:
    assert theme.css(Theme()) == ""
    assert theme.css(Theme(font="mono")) == ":root { --letters: ui-monospace, monospace; }"


def test_the_page_about_forms_tells_every_key_of_the_trigger() -> None:
    told = [name for row in table("forms.md", "key of the trigger") for name in quoted(row[0])]
    assert sorted(told) == sorted(set(FormTrigger.model_fields) - {"type"})
