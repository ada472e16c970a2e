"""Whether a run's input fits the JSON Schema of its manual trigger, and an answer the form of its approval.

Nothing is fetched for it: references to other documents are refused instead of loaded, and patterns are matched by RE2,
since both the schema and the value come from outside.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from app.definition.errors import ExpressionError
from app.definition.patterns import compiled
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services.errors import Invalid

MAX_PROBLEMS = 50


def check_input(value: Json, schema: JsonObject) -> None:
    """Raises `Invalid` with all problems (at most 50), or because the schema itself cannot be used."""
    try:
        found = [Problem(_place("input", error), error.message[:500]) for error in _errors(value, schema)]
    except UnusableSchema as error:
        raise _unusable(str(error)) from None
    if found:
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in found[:5])
        raise Invalid("invalid_input", f"The input does not fit the workflow: {detail}", found)


def check_answer(value: JsonObject, form: JsonObject) -> None:
    """As `check_input`, for what was filled in to answer an approval: a field that is missing is told at its place.

    Raises `Invalid` (`invalid_answer`).
    """
    try:
        found = [_of_field(error) for error in _errors(value, form)]
    except UnusableSchema as error:
        problem = Problem("form", str(error), "mend the form and publish again")
        raise Invalid("invalid_answer", f"The approval's form cannot be used: {error}", [problem]) from None
    if found:
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in found[:5])
        raise Invalid("invalid_answer", f"The answer does not fit the approval's form: {detail}", found)


class UnusableSchema(Exception):
    """The schema is none, or one that cannot be used here."""


def _errors(value: Json, schema: JsonObject) -> list[ValidationError]:
    try:
        _Validator.check_schema(schema)
        return list(islice(_Validator(schema, registry=Registry()).iter_errors(value), MAX_PROBLEMS))
    except SchemaError as error:
        raise UnusableSchema(error.message) from None
    except (Unresolvable, ExpressionError) as error:
        raise UnusableSchema(str(error)) from None
    except RecursionError:
        raise UnusableSchema("it refers to itself without end") from None


def _place(root: str, error: ValidationError) -> str:
    return root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)


def _of_field(error: ValidationError) -> Problem:
    place = _place("answer", error)
    if error.validator == "required":
        # The library tells of one name at a time, and names it in its words alone.
        required: Json = error.validator_value
        missing = (name for name in required if error.message.startswith(repr(name)))
        return Problem(f"{place}.{next(missing, '')}".rstrip("."), "is required")
    return Problem(place, error.message[:500])


def _unusable(reason: str) -> Invalid:
    problem = Problem("trigger.input_schema", reason, "mend the schema and publish again")
    return Invalid("invalid_input_schema", f"The workflow's input_schema cannot be used: {reason}", [problem])


# The three keywords that match patterns, as JSON Schema 2020-12 describes them, with RE2 in place of `re`.


def _pattern(_: Any, pattern: str, instance: Json, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not compiled(pattern).search(instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: JsonObject, instance: Json, _: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, schema in patterns.items():
        for name, value in instance.items():
            if compiled(pattern).search(name):
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rule: Json, instance: Json, schema: JsonObject) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    patterns = [compiled(pattern) for pattern in schema.get("patternProperties", {})]
    known = schema.get("properties", {})
    extra = [name for name in instance if name not in known and not any(pattern.search(name) for pattern in patterns)]
    if isinstance(rule, dict):
        for name in extra:
            yield from validator.descend(instance[name], rule, path=name)
    elif rule is False and extra:
        yield ValidationError(f"unknown: {', '.join(map(repr, extra[:10]))}")


def _unevaluated_properties(_: Any, __: Json, ___: Json, schema: JsonObject) -> NoReturn:
    raise ExpressionError("unevaluatedProperties is not supported: use additionalProperties")


_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "unevaluatedProperties": _unevaluated_properties,
    },
)
