"""JSON Schema (2020-12) as it is checked here: whether a value fits, with the work counted and refused beyond a limit.

Schema and value both come from outside, and both are checked where others wait meanwhile. So what a check costs is paid
for before it is done; patterns are matched by RE2; equal elements are found by their text, not pair by pair; numbers
are compared as they are written. Nothing is fetched. What a problem is called in an API's answer is not said here.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from math import isfinite
from typing import Any, NoReturn
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from jsonschema._utils import find_evaluated_item_indexes_by_schema
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from app.definition.durations import parse_moment
from app.definition.errors import ExpressionError
from app.definition.patterns import Pattern, compiled
from app.json import Json, JsonObject

MOST_WORK = 500_000
"""Units of work (about a microsecond each) in one check: a list of ten thousand rows with ten fields each."""
MOST_SCHEMA_WORK = 1_000_000
"""Units of work in the check of a schema, which is made once: about seven thousand schemas in it."""
LONGEST_MESSAGE = 500
_KEYWORD = 5
"""Units a keyword costs; a schema that is applied costs as much for each of its keywords."""
_ERROR = 10
_LOOKUP = 25

Keyword = Callable[[Any, Any, Json, JsonObject], Iterator[ValidationError] | None]


class UnusableSchema(Exception):
    """The schema is none, or one that cannot be used here."""


class TooMuchWork(Exception):
    """Whether the value fits, or the schema is one, cannot be found out within bounds."""


def errors_of(value: Json, schema: JsonObject, *, most: int) -> list[ValidationError]:
    """The first errors of a value, none where it fits. Raises `UnusableSchema` and `TooMuchWork`."""
    try:
        _found_fine(json.dumps(schema))
        return _errors(value, schema, most, MOST_WORK)
    except SchemaError as error:
        raise UnusableSchema(error.message) from None
    except (Unresolvable, ExpressionError) as error:
        raise UnusableSchema(str(error)) from None
    except (ArithmeticError, ValueError):
        raise UnusableSchema("there is a number that cannot be computed with") from None
    except RecursionError:
        raise UnusableSchema("it refers to itself without end") from None


def check_schema(schema: JsonObject) -> None:
    """Whether this is a JSON Schema at all. Raises `SchemaError`, `RecursionError` and `TooMuchWork`."""
    for error in _errors(schema, Draft202012Validator.META_SCHEMA, 1, MOST_SCHEMA_WORK):
        raise SchemaError.create_from(error)


@lru_cache(maxsize=64)
def _found_fine(schema: str) -> None:
    """As `check_schema`; one that was found fine, which are those of published workflows, is not looked at again."""
    check_schema(json.loads(schema))


class _Meter:
    """What is left to be spent in one check, and what it need not find out twice."""

    def __init__(self, left: int) -> None:
        self.left = left
        # What is kept holds what it is kept by, so that no other value gets the same id meanwhile.
        self.evolved: dict[tuple[int, int], Any] = {}
        self.resolved: dict[tuple[int, str], tuple[Any, Any]] = {}
        self.patterns: dict[str, Pattern] = {}
        self.choices: dict[int, set[str]] = {}

    def charge(self, units: int) -> None:
        self.left -= units
        if self.left < 0:
            raise TooMuchWork

    def search(self, pattern: str, text: str) -> bool:
        expression = self.patterns.get(pattern)
        if expression is None:
            expression = self.patterns[pattern] = compiled(pattern)
            self.charge(100 + expression.programsize)
        self.charge(1 + (len(text) * expression.programsize >> 7))
        return expression.search(text) is not None

    def text(self, value: Json) -> str:
        """The same text for equal values, another for others: 1 and 1.0 are equal, 1 and true are not."""
        return json.dumps(self._plain(value), sort_keys=True)

    def _plain(self, value: Json) -> Json:
        self.charge(2)
        if isinstance(value, str):
            self.charge(len(value) >> 6)
        elif isinstance(value, list):
            return [self._plain(each) for each in value]
        elif isinstance(value, dict):
            self.charge(sum(map(len, value)) >> 6)
            return {name: self._plain(each) for name, each in value.items()}
        elif isinstance(value, float) and value.is_integer():
            return int(value)
        return value


_METER: ContextVar[_Meter] = ContextVar("what is left of a check")


def _errors(value: Json, schema: Any, most: int, work: int) -> list[ValidationError]:
    token = _METER.set(_Meter(work))
    try:
        return list(islice(_Validator(schema, registry=Registry()).iter_errors(value), most))
    finally:
        _METER.reset(token)


# Keywords, as JSON Schema 2020-12 describes them, where the library's are not fit for values and schemas of strangers.


def _pattern(_: Any, pattern: str, instance: Json, __: JsonObject) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _METER.get().search(pattern, instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: JsonObject, instance: Json, _: JsonObject
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    meter = _METER.get()
    for pattern, schema in patterns.items():
        for name, value in instance.items():
            if meter.search(pattern, name):
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rule: Json, instance: Json, schema: JsonObject) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    meter, patterns, known = _METER.get(), schema.get("patternProperties", {}), schema.get("properties", {})
    extra = [
        name for name in instance if name not in known and not any(meter.search(pattern, name) for pattern in patterns)
    ]
    if isinstance(rule, dict):
        for name in extra:
            yield from validator.descend(instance[name], rule, path=name)
    elif rule is False and extra:
        yield ValidationError(f"unknown: {', '.join(map(repr, extra[:10]))}")


def _unevaluated_properties(_: Any, __: Json, ___: Json, ____: JsonObject) -> NoReturn:
    raise ExpressionError("unevaluatedProperties is not supported: use additionalProperties")


def _unevaluated_items(validator: Any, rule: Json, instance: Json, schema: JsonObject) -> Iterator[ValidationError]:
    """Any item that no other keyword looks at is one too many."""
    if isinstance(instance, list):
        seen = set(find_evaluated_item_indexes_by_schema(validator, instance, schema))
        left = [index for index in range(len(instance)) if index not in seen]
        if left:
            yield ValidationError(f"items that are not expected: {', '.join(map(str, left[:10]))}")


def _unique_items(_: Any, rule: Json, instance: Json, __: JsonObject) -> Iterator[ValidationError]:
    if rule is not True or not isinstance(instance, list):
        return
    meter = _METER.get()
    places: dict[str, int] = {}
    for index, item in enumerate(instance):
        first = places.setdefault(meter.text(item), index)
        if first != index:
            yield ValidationError(f"has equal elements at {first} and {index}")
            return


def _enum(_: Any, choices: list[Json], instance: Json, __: JsonObject) -> Iterator[ValidationError]:
    meter = _METER.get()
    texts = meter.choices.get(id(choices))
    if texts is None:
        # The schema outlives the meter, so that no other list gets this one's id.
        texts = meter.choices[id(choices)] = {meter.text(choice) for choice in choices}
    if meter.text(instance) not in texts:
        yield ValidationError(f"{instance!r} is not one of {choices!r}")


def _const(_: Any, expected: Json, instance: Json, __: JsonObject) -> Iterator[ValidationError]:
    meter = _METER.get()
    if meter.text(instance) != meter.text(expected):
        yield ValidationError(f"{expected!r} was expected")


def _multiple_of(validator: Any, step: Json, instance: Json, _: JsonObject) -> Iterator[ValidationError]:
    """19.99 is a multiple of 0.01, as it is written; as two binary fractions it is none."""
    if validator.is_type(instance, "number") and not _divides(step, instance):
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")


def _divides(step: int | float, number: int | float) -> bool:
    if isinstance(number, float) and not isfinite(number):
        return False
    _METER.get().charge(10 + (number.bit_length() >> 4 if isinstance(number, int) else 0))
    return (_exact(number) / _exact(step)).denominator == 1


def _exact(number: int | float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def _not(validator: Any, rule: Json, instance: Json, _: JsonObject) -> Iterator[ValidationError]:
    if validator.evolve(schema=rule).is_valid(instance):
        yield ValidationError(f"should not be valid under {rule!r}" if rule else "nothing is allowed here")


def _reference(validator: Any, reference: str, instance: Json, __: JsonObject) -> Iterator[ValidationError]:
    meter, resolver = _METER.get(), validator._resolver
    _from, resolved = meter.resolved.get((id(resolver), reference), (None, None))
    if resolved is None:
        meter.charge(_LOOKUP)
        resolved = resolver.lookup(reference)
        meter.resolved[id(resolver), reference] = resolver, resolved
    yield from validator.descend(instance, resolved.contents, resolver=resolved.resolver)


def _format(_: Any, name: str, instance: Json, __: JsonObject) -> Iterator[ValidationError]:
    fits = FORMATS.get(name)
    if fits is None or not isinstance(instance, str):
        return
    _METER.get().charge(len(instance) >> 5)
    if not fits(instance):
        yield ValidationError(f"{instance[:100]!r} is no {name}")


# Formats


def _is_moment(text: str) -> bool:
    try:
        parse_moment(text)
    except ValueError:
        return False
    return text == text.strip()


def _is_local_moment(text: str) -> bool:
    found = _LOCAL.fullmatch(text)
    return found is not None and _is_moment(f"{found[1]}{found[2] or ':00'}Z")


def _is_address(text: str) -> bool:
    """An absolute URI (RFC 3986), letters of other scripts included: that is how people copy one."""
    if not _URI.fullmatch(text):
        return False
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date": lambda text: _DATE.fullmatch(text) is not None and _is_moment(f"{text}T00:00:00Z"),
    "date-time": _is_moment,
    "time": lambda text: _is_moment(f"2000-01-01T{text}"),
    "date-time-local": _is_local_moment,
    "time-local": lambda text: _is_local_moment(f"2000-01-01T{text}"),
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "uri": _is_address,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
}
"""The formats that are checked, as RFC 3339 and their like have them; any other is left to who reads the value. Those
without a zone (OpenAPI's registry of formats) are what browsers send; seconds may be left out."""


# The validator


def _metered(keyword: Keyword, *, looks_at_each: bool) -> Keyword:
    """The keyword, paid for before it is looked at; so is each error, which repeats what it is about."""

    def paid(validator: Any, value: Any, instance: Json, schema: JsonObject) -> Iterator[ValidationError]:
        meter = _METER.get()
        meter.charge(_KEYWORD + (0 if keyword in (_enum, _const) else _names_in(value)))
        if looks_at_each and isinstance(instance, list | dict):
            meter.charge(len(instance))
        for error in keyword(validator, value, instance, schema) or ():
            meter.charge(_ERROR + len(error.message) // 50)
            error.message = error.message[:LONGEST_MESSAGE]
            yield error

    return paid


def _names_in(value: Json) -> int:
    if isinstance(value, dict):
        return len(value) // 4 + sum(len(each) // 4 for each in value.values() if isinstance(each, list))
    return len(value) // 4 if isinstance(value, list) else 0


def _evolve(self: Any, **changes: Any) -> Any:
    """The validator of another schema: always one of this class, whatever dialect that schema says it is of."""
    schema, resolver = _plain_schema(changes.get("schema", self.schema)), changes.get("_resolver", self._resolver)
    meter = _METER.get()
    made = meter.evolved.get((id(schema), id(resolver)))
    if made is None:
        meter.charge(_LOOKUP)
        made = type(self)(schema, registry=self._registry, _resolver=resolver)
        meter.evolved[id(schema), id(resolver)] = made
    return made


def _descend(self: Any, instance: Json, schema: Any, *places: Any, **more: Any) -> Iterator[ValidationError]:
    found: Iterator[ValidationError] = _library_descend(self, instance, _plain_schema(schema), *places, **more)
    return found


def _plain_schema(schema: Any) -> Any:
    """What the library says of `false` repeats the whole value, past every keyword that could be charged for it."""
    return _NOTHING_FITS if schema is False else schema


_NOTHING_FITS: JsonObject = {"not": {}}
_EACH = ("items", "contains", "propertyNames", "patternProperties", "additionalProperties", "unevaluatedItems")
"""Keywords that look at each part of a value, whatever for."""
_OWN: dict[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
    "uniqueItems": _unique_items,
    "enum": _enum,
    "const": _const,
    "multipleOf": _multiple_of,
    "format": _format,
    "not": _not,
    "$ref": _reference,
    "$dynamicRef": _reference,
}
_KEYWORDS: Mapping[str, Any] = {**Draft202012Validator.VALIDATORS, **_OWN}
_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {name: _metered(keyword, looks_at_each=name in _EACH) for name, keyword in _KEYWORDS.items()},
)
_library_descend = _Validator.descend
_Validator.evolve, _Validator.descend = _evolve, _descend
