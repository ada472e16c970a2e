"""An approval's form as fields of a page: drawn from its JSON Schema, and read back from what a browser sends.

What a browser has no input for (objects, lists, fields of several types) is a text area that takes JSON. Whether what
was filled in fits the schema is not judged here: only what cannot be read at all is told.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from api.problems import Refused
from api.reading import read_json
from app.definition.problems import Problem
from app.json import Json, JsonObject

OWN = "field."
"""How the keys of the form's own fields begin, so that none is taken for what the page asks besides."""
LONG_TEXT = 200
"""Characters from which a text gets several lines."""

_KINDS = {"boolean": "checkbox", "integer": "number", "number": "number"}
_INPUTS = {"date": "date", "email": "email", "uri": "url"}
_SEVERAL_LINES = ("textarea", "multiline")
_LIMITS = {"minimum": "min", "maximum": "max", "minLength": "minlength", "maxLength": "maxlength"}
_INTEGER = re.compile(r"[+-]?\d{1,300}")


@dataclass(frozen=True, kw_only=True)
class FormField:
    """One input of the page. `name` is the property; `key` what a browser calls it; `value` the text in it."""

    name: str
    key: str
    id: str
    label: str
    kind: str
    hint: str = ""
    value: str = ""
    required: bool = False
    choices: Sequence[Json] = ()
    limits: Mapping[str, Json] = field(default_factory=dict)
    error: str = ""

    @property
    def place(self) -> str:
        """Where a problem with it is told."""
        return f"answer.{self.name}" if self.key.startswith(OWN) else self.key

    @property
    def options(self) -> list[str]:
        """What people choose from."""
        return [_shown(choice) for choice in self.choices]


def fields_of(form: JsonObject | None) -> list[FormField]:
    """The fields of a form, each with its default."""
    properties: JsonObject = (form or {}).get("properties", {})
    required = (form or {}).get("required", [])
    return [
        _field(number, name, _resolved(schema, form or {}), required=name in required)
        for number, (name, schema) in enumerate(properties.items())
    ]


def filled(fields: Sequence[FormField], posted: Mapping[str, str]) -> list[FormField]:
    """The fields with what was sent for them."""
    return [replace(each, value=posted.get(each.key, "")) for each in fields]


def read(fields: Sequence[FormField]) -> tuple[JsonObject, list[Problem]]:
    """What filled fields say, without those left empty; and what cannot be read."""
    answer: JsonObject = {}
    problems: list[Problem] = []
    for each in fields:
        try:
            if each.kind == "checkbox":
                answer[each.name] = each.value == "true"
            elif each.value.strip():
                answer[each.name] = _value(each)
        except ValueError as error:
            problems.append(Problem(each.place, str(error)))
    return answer, problems


def with_problems(fields: Sequence[FormField], problems: Sequence[Problem]) -> tuple[list[FormField], list[Problem]]:
    """The fields with what is wrong beside each; and what is wrong with none of them."""
    left = list(problems)
    found = []
    for each in fields:
        place = each.place
        own = [one for one in left if one.path == place or one.path.startswith((f"{place}.", f"{place}["))]
        left = [one for one in left if one not in own]
        told = "; ".join(f"{one.path.removeprefix(place).lstrip('.')} {one.message}".strip() for one in own)
        found.append(replace(each, error=told))
    return found, left


def _field(number: int, name: str, schema: JsonObject, *, required: bool) -> FormField:
    kind, choices = _kind(schema)
    hint = str(schema.get("description", ""))
    if kind == "json":
        hint = f"{hint} JSON.".strip()
    limits = {_LIMITS[key]: value for key, value in schema.items() if key in _LIMITS and kind not in ("json", "select")}
    if kind == "number":
        limits["step"] = 1 if _type(schema) == "integer" else "any"
    return FormField(
        name=name,
        key=f"{OWN}{name}",
        id=f"field-{number}",
        label=str(schema.get("title") or name),
        kind=kind,
        hint=hint,
        value=_text(schema["default"], kind, choices) if "default" in schema else "",
        # A box that must be there may still be left unchecked.
        required=required and kind != "checkbox",
        choices=choices,
        limits=limits,
    )


def _kind(schema: JsonObject) -> tuple[str, Sequence[Json]]:
    if isinstance(schema.get("enum"), list):
        return "select", schema["enum"]
    if "const" in schema:
        return "select", [schema["const"]]
    type_ = _type(schema)
    if type_ != "string":
        return _KINDS.get(type_ or "", "json"), ()
    format_ = str(schema.get("format", ""))
    if format_ in _SEVERAL_LINES or schema.get("maxLength", 0) > LONG_TEXT:
        return "textarea", ()
    return _INPUTS.get(format_, "text"), ()


def _type(schema: JsonObject) -> str | None:
    """The one type a value may have, null aside: that is a field left empty."""
    given = schema.get("type")
    types = [each for each in (given if isinstance(given, list) else [given]) if each != "null"]
    return types[0] if len(types) == 1 and isinstance(types[0], str) else None


def _resolved(schema: Json, form: JsonObject) -> JsonObject:
    """The field's schema, or the one of `$defs` it refers to with what stands beside that."""
    if not isinstance(schema, dict):
        return {}
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    target = form.get("$defs", {}).get(name)
    return {**target, **schema} if isinstance(target, dict) else schema


def _text(value: Json, kind: str, choices: Sequence[Json]) -> str:
    if kind == "select":
        return next((str(index) for index, choice in enumerate(choices) if _same(choice, value)), "")
    return json.dumps(value, ensure_ascii=False) if kind == "json" else _shown(value)


def _value(each: FormField) -> Json:
    """Raises `ValueError` with what is wrong."""
    if each.kind == "select":
        if not each.value.isdigit() or not each.value.isascii() or int(each.value) >= len(each.choices):
            raise ValueError("choose one of those that are there")
        return each.choices[int(each.value)]
    if each.kind == "number":
        return _number(each.value.strip(), whole=each.limits.get("step") == 1)
    if each.kind == "json":
        try:
            return read_json(each.value.encode())
        except Refused as error:
            raise ValueError(error.detail) from None
    return each.value.replace("\r\n", "\n")


def _number(text: str, *, whole: bool) -> Json:
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text:
        raise ValueError("is no whole number" if whole else "is no number")
    return number


def _same(one: Json, other: Json) -> bool:
    return type(one) is type(other) and bool(one == other)


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
