"""A form as fields of a page: drawn from its JSON Schema, and read back from what a browser sends.

What a browser has no input for (objects, lists, fields of several types) is a text area that takes JSON. Which input a
property gets is said by `app.definition.form_fields`. Whether what was filled in fits the schema is not judged here:
only what cannot be read at all is told.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from api.forms.autocomplete import autocomplete
from api.problems import Refused
from api.reading import read_json
from app.definition.form_fields import Drawn, drawn, must_be_ticked, properties, single_type
from app.definition.problems import Problem
from app.json import Json, JsonObject

OWN = "field."
"""How the keys of the form's own fields begin, so that none is taken for what the page asks besides."""
_LIMITS = {"minimum": "min", "maximum": "max", "minLength": "minlength", "maxLength": "maxlength"}
_LIMITED = ("text", "email", "url", "tel", "number")
_ONE_LINE = ("email", "url", "tel", "date", "time", "datetime-local")
_INTEGER = re.compile(r"[+-]?\d{1,300}")


@dataclass(frozen=True, kw_only=True)
class FormField:
    """One input of the page. `name` is the property; `key` what a browser calls it; `value` the text in it.

    Of choices `value` is the number of the one that is chosen, of `checkboxes` all of them with commas between. `root`
    is what the form's values are called where a problem with one is told.
    """

    name: str
    key: str
    id: str
    label: str
    kind: str
    hint: str = ""
    value: str = ""
    required: bool = False
    choices: Sequence[Json] = ()
    labels: Sequence[str | None] = ()
    limits: Mapping[str, Json] = field(default_factory=dict)
    autocomplete: str = ""
    error: str = ""
    root: str = "answer"

    @property
    def place(self) -> str:
        """Where a problem with it is told."""
        return f"{self.root}.{self.name}" if self.key.startswith(OWN) else self.key

    @property
    def options(self) -> list[str]:
        """What people choose from."""
        labels = self.labels or [None] * len(self.choices)
        return [_shown(choice) if label is None else label for choice, label in zip(self.choices, labels, strict=True)]

    @property
    def chosen(self) -> list[str]:
        """Numbers of the choices that are made."""
        return self.value.split(",") if self.value else []

    @property
    def has_group(self) -> bool:
        """Whether it is several inputs under one question."""
        return self.kind in ("radio", "checkboxes")


def fields_of(form: JsonObject | None, root: str = "answer", order: Sequence[str] = ()) -> list[FormField]:
    """The fields of a form, each with its default; those that `order` names come first, in that order."""
    required = (form or {}).get("required", [])
    places = {name: place for place, name in enumerate(order)}
    ordered = sorted(properties(form or {}), key=lambda pair: places.get(pair[0], len(places)))
    return [
        _field(number, name, schema, root, required=name in required) for number, (name, schema) in enumerate(ordered)
    ]


def filled(fields: Sequence[FormField], posted: Mapping[str, Sequence[str]]) -> list[FormField]:
    """The fields with what was sent for them: what was sent last, of `checkboxes` all of it."""
    return [replace(each, value=_sent(each, posted.get(each.key, ()))) for each in fields]


def prefilled(fields: Sequence[FormField], said: Mapping[str, Sequence[str]]) -> list[FormField]:
    """The fields with what an address says for them by name: of choices the value, or what people read of it.

    A box that must be ticked is left to those who read what they agree to.
    """
    return [replace(each, value=_prefilled(each, said[each.name])) if said.get(each.name) else each for each in fields]


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
    owners = [_owner(one.path, fields) for one in problems]
    left = [one for one, owner in zip(problems, owners, strict=True) if owner is None]
    found = []
    for each in fields:
        place = each.place
        own = [one for one, owner in zip(problems, owners, strict=True) if owner == place]
        told = "; ".join(f"{one.path.removeprefix(place).lstrip('.')} {one.message}".strip() for one in own)
        found.append(replace(each, error=told))
    return found, left


def _owner(path: str, fields: Sequence[FormField]) -> str | None:
    """The place of the field a problem is with; there may be a field `a.b` beside a field `a`."""
    places = (each.place for each in fields)
    return max((one for one in places if path == one or path.startswith((f"{one}.", f"{one}["))), key=len, default=None)


def _field(number: int, name: str, schema: JsonObject, root: str, *, required: bool) -> FormField:
    found = drawn(schema)
    kind = found.kind
    hint = str(schema.get("description", ""))
    if kind == "json":
        hint = f"{hint} JSON.".strip()
    limits = {_LIMITS[key]: value for key, value in schema.items() if key in _LIMITS and kind in _LIMITED}
    if kind == "number":
        limits["step"] = 1 if single_type(schema) == "integer" else "any"
    return FormField(
        name=name,
        key=f"{OWN}{name}",
        id=f"field-{number}",
        label=str(schema.get("title") or name),
        kind=kind,
        hint=hint,
        value=_text(schema["default"], found) if "default" in schema else "",
        # A box that must be there may still be left unchecked, unless only a ticked one is right.
        required=must_be_ticked(schema) if kind == "checkbox" else required,
        choices=found.choices,
        labels=found.labels,
        limits=limits,
        autocomplete=autocomplete(name, schema),
        root=root,
    )


def _sent(each: FormField, sent: Sequence[str]) -> str:
    return ",".join(sent) if each.kind == "checkboxes" else sent[-1] if sent else ""


def _prefilled(each: FormField, said: Sequence[str]) -> str:
    if each.kind == "checkbox":
        return each.value if each.required or said[-1] not in ("true", "false") else said[-1]
    if not each.choices:
        return said[-1]
    wanted = said if each.kind == "checkboxes" else said[-1:]
    pairs = enumerate(zip(each.choices, each.options, strict=True))
    numbers = [str(number) for number, (choice, option) in pairs if _shown(choice) in wanted or option in wanted]
    return ",".join(numbers if each.kind == "checkboxes" else numbers[:1]) or each.value


def _text(value: Json, found: Drawn) -> str:
    if found.kind in ("select", "radio", "checkboxes"):
        wanted = value if found.kind == "checkboxes" and isinstance(value, list) else [value]
        numbers = (index for index, choice in enumerate(found.choices) if any(_same(choice, one) for one in wanted))
        return ",".join(str(index) for index in numbers)
    return json.dumps(value, ensure_ascii=False) if found.kind == "json" else _shown(value)


def _value(each: FormField) -> Json:
    """Raises `ValueError` with what is wrong."""
    if each.kind in ("select", "radio"):
        return _choice(each, each.value)
    if each.kind == "checkboxes":
        return [_choice(each, number) for number in dict.fromkeys(each.chosen)]
    if each.kind == "number":
        return _number(each.value.strip(), whole=each.limits.get("step") == 1)
    if each.kind == "json":
        try:
            return read_json(each.value.encode())
        except Refused as error:
            raise ValueError(error.detail) from None
    return each.value.strip() if each.kind in _ONE_LINE else each.value.replace("\r\n", "\n")


def _choice(each: FormField, number: str) -> Json:
    if not number.isdigit() or not number.isascii() or len(number) > 6 or int(number) >= len(each.choices):
        raise ValueError("choose one of those that are there")
    return each.choices[int(number)]


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
