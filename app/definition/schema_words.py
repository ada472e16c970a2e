"""What a JSON Schema has against a value, in words for the people who entered it: a place and a sentence each.

The sentence follows the place: `email: is required`. What a field must be is said rather than what it is not.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jsonschema.exceptions import ValidationError

from app.definition.errors import shorten
from app.definition.json_schema import LONGEST_MESSAGE
from app.definition.nearest import suggestion
from app.definition.problems import Problem
from app.json import Json

MOST_NAMED = 10
"""Choices, or unknown names, that are told."""
LONGEST_NAME = 100
"""Characters of an unknown name: it was made up elsewhere."""
MOST_ALTERNATIVES = 3

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_FORMATS = {
    "date": "a date, like 2030-01-31",
    "date-time": "a moment with its time zone, like 2030-01-31T09:00:00Z",
    "time": "a time of day with its time zone, like 09:00:00Z",
    "email": "an e-mail address, like ada@example.com",
    "uri": "a whole address, like https://example.com",
    "uuid": "a UUID, like 01890000-0000-7000-8000-000000000000",
}


def problems_in(errors: Sequence[ValidationError], root: str, *, most: int) -> list[Problem]:
    """The errors as problems below `root`, at most so many."""
    return [problem for error in errors for problem in _problems(error, root)][:most]


def _problems(error: ValidationError, root: str) -> Iterator[Problem]:
    place = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    keyword = str(error.validator)
    schema: Json = error.schema
    value: Json = error.instance
    if keyword in ("required", "dependentRequired"):
        name, message = _missing(error, keyword)
        yield Problem(f"{place}.{name}" if name else place, message)
    elif keyword == "additionalProperties" and not schema.get("patternProperties"):
        known = schema.get("properties", {})
        unknown = [name for name in value if name not in known]
        for name in unknown[:MOST_NAMED]:
            yield Problem(
                f"{place}.{shorten(name, LONGEST_NAME)}", "is not known here", suggestion(name, known) or "leave it out"
            )
    else:
        yield Problem(place, sentence(error))


def sentence(error: ValidationError) -> str:
    """What is wrong, to stand after the place; the check's own words where there are no better ones."""
    words = _WORDS.get(str(error.validator))
    found = None if words is None else words(error.validator_value, error)
    return (found or error.message)[:LONGEST_MESSAGE]


def _missing(error: ValidationError, keyword: str) -> tuple[str, str]:
    # The check tells of one name at a time, and names it in its words alone.
    rule: Json = error.validator_value
    needed: Mapping[str | None, Sequence[str]] = {None: rule} if keyword == "required" else rule
    for because, names in needed.items():
        for name in names:
            if because is None and error.message.startswith(repr(name)):
                return name, "is required"
            if because is not None and error.message == f"{name!r} is a dependency of {because!r}":
                return name, f"is required where {because} is given"
    return "", error.message


def _type(wanted: Json, error: ValidationError) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    return f"must be {_either([_TYPES.get(name, name) for name in names])}, not {_kind(error.instance)}"


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {_shown(value)}"
    if value is None:
        return "null"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"


def _length(at_least: bool) -> Callable[[Json, ValidationError], str]:
    def words(limit: Json, error: ValidationError) -> str:
        if at_least and limit == 1:
            return "must not be empty"
        value: Json = error.instance
        side = "least" if at_least else "most"
        return f"must have at {side} {_count(limit, 'character')}, and has {_count(len(value), 'character')}"

    return words


def _entries(at_least: bool) -> Callable[[Json, ValidationError], str]:
    def words(limit: Json, error: ValidationError) -> str:
        value: Json = error.instance
        side = "least" if at_least else "most"
        return f"must have at {side} {_count(limit, 'entry', 'entries')}, and has {len(value)}"

    return words


def _fields(at_least: bool) -> Callable[[Json, ValidationError], str]:
    def words(limit: Json, error: ValidationError) -> str:
        value: Json = error.instance
        side = "least" if at_least else "most"
        return f"must have at {side} {_count(limit, 'field')}, and has {len(value)}"

    return words


def _bound(words: str) -> Callable[[Json, ValidationError], str]:
    return lambda limit, _: f"must be {words} {_shown(limit)}"


def _choices(choices: Json, _: ValidationError) -> str:
    told = [_shown(choice) for choice in choices[:MOST_NAMED]]
    return f"must be one of {', '.join(told)}{', …' if len(choices) > MOST_NAMED else ''}"


def _format(name: Json, _: ValidationError) -> str | None:
    return f"must be {_FORMATS[name]}" if name in _FORMATS else None


def _alternatives(_: Json, error: ValidationError) -> str:
    """The first error of each alternative."""
    first: dict[Any, str] = {}
    for inner in error.context or ():
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inner.path).lstrip(".")
        first.setdefault(inner.schema_path[0], f"{place} {_brief(inner)}".strip())
    if not first:
        return "fits more than one of the alternatives, and must fit one alone"
    told = list(dict.fromkeys(first.values()))
    return f"fits none of the alternatives: {'; or '.join(told[:MOST_ALTERNATIVES])}"


def _brief(error: ValidationError) -> str:
    keyword = str(error.validator)
    if keyword not in ("required", "dependentRequired"):
        return sentence(error)
    name, message = _missing(error, keyword)
    return f"{name} {message}".strip()


_WORDS: Mapping[str, Callable[[Json, ValidationError], str | None]] = {
    "type": _type,
    "enum": _choices,
    "const": lambda expected, _: f"must be {_shown(expected)}",
    "format": _format,
    "pattern": lambda pattern, _: f"must have the form {pattern}",
    "minLength": _length(at_least=True),
    "maxLength": _length(at_least=False),
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "exclusiveMinimum": _bound("more than"),
    "exclusiveMaximum": _bound("less than"),
    "multipleOf": _bound("a multiple of"),
    "minItems": _entries(at_least=True),
    "maxItems": _entries(at_least=False),
    "minProperties": _fields(at_least=True),
    "maxProperties": _fields(at_least=False),
    "anyOf": _alternatives,
    "oneOf": _alternatives,
}


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _count(number: Json, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _shown(value: Json) -> str:
    """A value as a person would write it."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
