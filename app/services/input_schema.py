"""Whether a run's input fits the JSON Schema its workflow's manual trigger names. Nothing is fetched for it.

References to other documents are refused instead of loaded, and patterns are matched by RE2: both the schema and the
input come from outside.
"""

from collections.abc import Iterator
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
        _Validator.check_schema(schema)
        found = []
        for error in _Validator(schema, registry=Registry()).iter_errors(value):
            found.append(_problem(error))
            if len(found) == MAX_PROBLEMS:
                break
    except SchemaError as error:
        raise _unusable(error.message) from None
    except (Unresolvable, ExpressionError) as error:
        raise _unusable(str(error)) from None
    except RecursionError:
        raise _unusable("it refers to itself without end") from None
    if found:
        detail = "; ".join(f"{problem.path}: {problem.message}" for problem in found[:5])
        raise Invalid("invalid_input", f"The input does not fit the workflow: {detail}", found)


def _problem(error: ValidationError) -> Problem:
    path = "input"
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return Problem(path, error.message[:500])


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
