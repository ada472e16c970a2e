"""Whether what was filled in fits a form, and what is wrong with it in words for those who filled it in.

They did not write the schema and never see it: each problem says what to do about the field.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from jsonschema.exceptions import ValidationError

from app.definition.errors import shorten
from app.definition.form_fields import drawn, must_be_ticked
from app.definition.json_schema import TooMuchWork, UnusableSchema, errors_of
from app.definition.nearest import suggestion
from app.definition.problems import Problem
from app.definition.schema_words import problems_in
from app.json import Json, JsonObject
from app.services.errors import Invalid

MAX_PROBLEMS = 50
MOST_SUGGESTED = 5
"""Unknown names that are held against those of the form, which takes its time: anybody may send very many."""
LONGEST_NAME = 60

_FORMATS = {
    "date": "is no date",
    "time-local": "is no time",
    "date-time-local": "is no date with a time",
    "email": "is no e-mail address",
    "uri": "is no web address: it begins with https://",
    "uuid": "is no UUID",
}
_TYPES = {
    "integer": "takes a whole number",
    "number": "takes a number",
    "string": "takes a text",
    "boolean": "takes yes or no",
    "array": "takes a list",
}
_SAID: Mapping[str, Callable[[Json], str]] = {
    "minLength": lambda least: f"takes at least {least} characters",
    "maxLength": lambda most: f"takes at most {most} characters",
    "minimum": lambda least: f"takes {least} or more",
    "maximum": lambda most: f"takes {most} or less",
    "exclusiveMinimum": lambda below: f"takes more than {below}",
    "exclusiveMaximum": lambda above: f"takes less than {above}",
    "multipleOf": lambda step: f"takes multiples of {step}",
    "minItems": lambda least: f"takes at least {least} of them",
    "maxItems": lambda most: f"takes at most {most} of them",
    "uniqueItems": lambda _: "takes each of them once",
    "pattern": lambda _: "is not written in the form that is asked for",
    "enum": lambda _: "is none of the choices",
    "contains": lambda _: "lacks one that is asked for",
    "not": lambda _: "has a value that is not allowed",
    "format": lambda name: _FORMATS.get(str(name), f"is no {name}"),
    "type": lambda kind: _TYPES.get(str(kind), "is of the wrong type"),
}


def given(fields: JsonObject) -> JsonObject:
    """The fields without those left empty: an empty text says no more than no text does."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }


def check(fields: JsonObject, schema: JsonObject) -> None:
    """Raises `Invalid` (`invalid_submission`) with all problems (at most 50), each at its field."""
    properties: JsonObject = schema["properties"]
    found = list(islice(_unknown(fields, properties), MAX_PROBLEMS))
    try:
        found += [each for error in errors_of(fields, schema, most=MAX_PROBLEMS) for each in _problems(error)]
    except UnusableSchema as error:
        found.append(Problem("fields", str(error), "whoever made the form mends it and publishes again"))
    except TooMuchWork:
        found.append(Problem("fields", "takes too much work to be checked", "send less"))
    if found:
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in found[:5])
        raise Invalid("invalid_submission", f"This does not fit the form: {detail}", found[:MAX_PROBLEMS])


def _unknown(fields: JsonObject, properties: JsonObject) -> Iterator[Problem]:
    names = (name for name in fields if name not in properties)
    for place, name in enumerate(names):
        hint = suggestion(name, properties, what="fields") if place < MOST_SUGGESTED else ""
        yield Problem(f"fields.{shorten(name, LONGEST_NAME)}", "is no field of this form", hint)


def _problems(error: ValidationError) -> list[Problem]:
    place = "fields" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    keyword, schema = str(error.validator), error.schema
    if keyword == "additionalProperties" and place == "fields":
        return []  # told already
    if keyword == "const" and isinstance(schema, dict):
        return [Problem(place, "must be ticked" if must_be_ticked(schema) else "is none of the choices")]
    if keyword == "oneOf" and isinstance(schema, dict) and drawn(schema).choices:
        return [Problem(place, "is none of the choices")]
    said = _SAID.get(keyword)
    return (
        problems_in([error], "fields", most=MAX_PROBLEMS)
        if said is None
        else [Problem(place, said(error.validator_value))]
    )
