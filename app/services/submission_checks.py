"""Whether what was filled in fits a form, and what is wrong with it in words for those who filled it in.

They did not write the schema and never see it: each problem says what to do about the field.
"""

from collections.abc import Callable, Mapping

from jsonschema.exceptions import ValidationError

from app.definition.form_fields import must_be_ticked
from app.definition.json_schema import TooMuchWork, UnusableSchema, errors_of
from app.definition.nearest import suggestion
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services.errors import Invalid

MAX_PROBLEMS = 50

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
    "oneOf": lambda _: "is none of the choices",
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
    found = [
        Problem(f"fields.{name}", "is no field of this form", suggestion(name, properties, what="fields"))
        for name in fields
        if name not in properties
    ]
    try:
        found += [_problem(error, schema) for error in errors_of(fields, schema, most=MAX_PROBLEMS)]
    except UnusableSchema as error:
        found.append(Problem("fields", str(error), "whoever made the form mends it and publishes again"))
    except TooMuchWork:
        found.append(Problem("fields", "takes too much work to be checked", "send less"))
    if found:
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in found[:5])
        raise Invalid("invalid_submission", f"This does not fit the form: {detail}", found[:MAX_PROBLEMS])


def _problem(error: ValidationError, schema: JsonObject) -> Problem:
    place = "fields" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    keyword, wanted = str(error.validator), error.validator_value
    if keyword == "required":
        # The library tells of one name at a time, and names it in its words alone.
        required: Json = wanted
        missing = (name for name in required if error.message.startswith(repr(name)))
        return Problem(f"{place}.{next(missing, '')}".rstrip("."), "is required")
    if keyword == "const":
        ticked = isinstance(error.schema, dict) and must_be_ticked(error.schema)
        return Problem(place, "must be ticked" if ticked else "is none of the choices")
    said = _SAID.get(keyword)
    return Problem(place, error.message if said is None else said(wanted))
