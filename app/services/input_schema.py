"""Whether a run's input fits the JSON Schema of its manual trigger, and an answer the form of its approval.

The check itself is the language's (`app.definition.json_schema`); here its errors become problems at their places.
"""

from jsonschema.exceptions import ValidationError

from app.definition.json_schema import TooMuchWork, UnusableSchema, errors_of
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services.errors import Invalid

MAX_PROBLEMS = 50
_TOO_MUCH = "takes too much work to be checked against its schema"
_LESS = "send less, or make the schema simpler"


def check_input(value: Json, schema: JsonObject) -> None:
    """Raises `Invalid` with all problems (at most 50), or because the schema itself cannot be used."""
    try:
        found = [
            Problem(_place("input", error), error.message) for error in errors_of(value, schema, most=MAX_PROBLEMS)
        ]
    except UnusableSchema as error:
        raise _unusable(str(error)) from None
    except TooMuchWork:
        found = [Problem("input", _TOO_MUCH, _LESS)]
    if found:
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in found[:5])
        raise Invalid("invalid_input", f"The input does not fit the workflow: {detail}", found)


def check_answer(value: JsonObject, form: JsonObject) -> None:
    """As `check_input`, for what was filled in to answer an approval: a field that is missing is told at its place.

    Raises `Invalid` (`invalid_answer`).
    """
    try:
        found = [_of_field(error) for error in errors_of(value, form, most=MAX_PROBLEMS)]
    except UnusableSchema as error:
        problem = Problem("form", str(error), "mend the form and publish again")
        raise Invalid("invalid_answer", f"The approval's form cannot be used: {error}", [problem]) from None
    except TooMuchWork:
        found = [Problem("answer", _TOO_MUCH, _LESS)]
    if found:
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in found[:5])
        raise Invalid("invalid_answer", f"The answer does not fit the approval's form: {detail}", found)


def _place(root: str, error: ValidationError) -> str:
    return root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)


def _of_field(error: ValidationError) -> Problem:
    place = _place("answer", error)
    if error.validator == "required":
        # The library tells of one name at a time, and names it in its words alone.
        required: Json = error.validator_value
        missing = (name for name in required if error.message.startswith(repr(name)))
        return Problem(f"{place}.{next(missing, '')}".rstrip("."), "is required")
    return Problem(place, error.message)


def _unusable(reason: str) -> Invalid:
    problem = Problem("trigger.input_schema", reason, "mend the schema and publish again")
    return Invalid("invalid_input_schema", f"The workflow's input_schema cannot be used: {reason}", [problem])
