"""Which input a page has for each property of a JSON Schema. Pure: pages draw it, publishing asks whether they can.

`format` says what the type does not: several lines (`textarea`), buttons instead of a list (`radio`), a telephone
number (`tel`), a time without a zone (`time-local`). Choices are an `enum`, or `oneOf` constants with titles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.json import Json, JsonObject

LONG_TEXT = 200
"""Characters from which a text gets several lines."""

_KINDS = {"boolean": "checkbox", "integer": "number", "number": "number"}
_INPUTS = {
    "date": "date",
    "time-local": "time",
    "date-time-local": "datetime-local",
    "email": "email",
    "uri": "url",
    "tel": "tel",
}
_SEVERAL_LINES = ("textarea", "multiline")


@dataclass(frozen=True, slots=True)
class Drawn:
    """An input: its kind is that of an HTML input, or `textarea`, `select`, `radio`, `checkboxes`, or `json` where a
    page has none. `labels` are what people read of the `choices`; None where they read the choice itself."""

    kind: str
    choices: Sequence[Json] = ()
    labels: Sequence[str | None] = ()


def properties(form: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The form's properties by name, each with the schema it refers to, if it refers to one under `$defs`."""
    for name, schema in (form.get("properties") or {}).items():
        yield name, _resolved(schema, form)


def drawn(schema: JsonObject) -> Drawn:
    """The input of one property."""
    if single_type(schema) == "boolean" and "enum" not in schema and schema.get("const", True) is True:
        return Drawn("checkbox")
    if (found := _choices(schema)) is not None:
        return Drawn("radio" if schema.get("format") == "radio" else "select", *found)
    kind = single_type(schema)
    items = schema.get("items")
    if kind == "array" and isinstance(items, dict) and (found := _choices(items)) is not None:
        return Drawn("checkboxes", *found)
    return Drawn(_text(schema) if kind == "string" else _KINDS.get(kind or "", "json"))


def must_be_ticked(schema: JsonObject) -> bool:
    """Whether a box is only right when it is ticked: consent that is asked for, not offered."""
    return single_type(schema) == "boolean" and schema.get("const") is True


def single_type(schema: JsonObject) -> str | None:
    """The one type a value may have, null aside: that is a field left empty."""
    given = schema.get("type")
    types = [each for each in (given if isinstance(given, list) else [given]) if each != "null"]
    return types[0] if len(types) == 1 and isinstance(types[0], str) else None


def _choices(schema: JsonObject) -> tuple[Sequence[Json], Sequence[str | None]] | None:
    if isinstance(schema.get("enum"), list):
        return schema["enum"], [None] * len(schema["enum"])
    if "const" in schema:
        return [schema["const"]], [None]
    ways = schema.get("oneOf")
    if not isinstance(ways, list) or not ways or not all(isinstance(way, dict) and "const" in way for way in ways):
        return None
    return [way["const"] for way in ways], [str(way["title"]) if "title" in way else None for way in ways]


def _text(schema: JsonObject) -> str:
    format_ = str(schema.get("format", ""))
    longest = schema.get("maxLength", 0)
    if format_ in _SEVERAL_LINES or (format_ not in _INPUTS and isinstance(longest, int) and longest > LONG_TEXT):
        return "textarea"
    return _INPUTS.get(format_, "text")


def _resolved(schema: Json, form: JsonObject) -> JsonObject:
    """The property's schema, or the one of `$defs` it refers to with what stands beside that."""
    if not isinstance(schema, dict):
        return {}
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    definitions = form.get("$defs")
    target = definitions.get(name) if isinstance(definitions, dict) else None
    return {**target, **schema} if isinstance(target, dict) else schema
