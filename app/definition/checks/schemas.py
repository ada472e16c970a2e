"""Rules of the JSON Schemas in a definition: whether each is one, can be used here, and is checked in bounded time.

What a value may be is said by `app.definition.json_schema`; here stands what can be told before there is a value.
"""

from collections.abc import Iterator

from jsonschema.exceptions import SchemaError

from app.definition.checks.findings import Findings
from app.definition.errors import ExpressionError, Path, shorten
from app.definition.json_schema import TooMuchWork, check_schema
from app.definition.patterns import compiled
from app.json import Json, JsonObject

MOST_APPLIED = 10_000
"""Schemas that may apply to one and the same value."""
_NOTHING = object()
_ALL_OF_THEM = ("allOf", "anyOf", "oneOf")
_ONE_OF_THEM = ("not", "if", "then", "else")


def check_json_schema(schema: JsonObject, place: Path, findings: Findings) -> None:
    """Whether an object is a JSON Schema (2020-12) whose patterns RE2 reads and that refers to nothing elsewhere."""
    try:
        check_schema(schema)
        unusable = [*_unusable(schema), *_endless_or_large(schema)]
    except SchemaError as error:
        findings.add((*place, *error.absolute_path), f"no JSON Schema: {shorten(error.message)}")
        return
    except RecursionError:
        findings.add(place, "the JSON Schema is nested too deeply")
        return
    except TooMuchWork:
        findings.add(place, "the JSON Schema is too large", "make it simpler")
        return
    for where, message, hint in unusable:
        findings.add((*place, *where), message, hint)


def parts_of(schema: Json) -> Iterator[tuple[Path, JsonObject]]:
    """Every object in the schema that says something about values, or maps names to such, with its place."""
    stack: list[tuple[Path, Json]] = [((), schema)]
    while stack:
        place, part = stack.pop()
        if isinstance(part, list):
            stack.extend(((*place, index), child) for index, child in enumerate(part))
        elif isinstance(part, dict):
            stack.extend(
                ((*place, key), child) for key, child in part.items() if key not in ("const", "enum", "default")
            )
            yield place, part


def maps_names(place: Path) -> bool:
    """Whether the object there maps names to schemas, and is none itself."""
    return bool(place) and place[-1] in ("properties", "$defs", "definitions", "patternProperties")


def _unusable(schema: Json) -> Iterator[tuple[Path, str, str]]:
    for place, part in parts_of(schema):
        yield from _unusable_keywords(part, place, schema)


def _unusable_keywords(part: JsonObject, place: Path, schema: Json) -> Iterator[tuple[Path, str, str]]:
    if maps_names(place):
        if place[-1] == "patternProperties":
            for pattern in part:
                yield from _pattern_problem(pattern, (*place, pattern))
        return
    reference = part.get("$ref", part.get("$dynamicRef"))
    if isinstance(reference, str) and not reference.startswith("#"):
        yield (*place, "$ref"), f"'{shorten(reference, 60)}' refers to another document", "put it under $defs"
    elif isinstance(reference, str) and reference.startswith("#/") and not _leads_somewhere(reference, schema):
        yield (*place, "$ref"), f"'{shorten(reference, 60)}' leads nowhere", "put it under $defs"
    if isinstance(part.get("pattern"), str):
        yield from _pattern_problem(part["pattern"], (*place, "pattern"))


def _leads_somewhere(reference: str, schema: Json) -> bool:
    return _led_to(reference, schema) is not _NOTHING


def _led_to(reference: str, schema: Json) -> Json:
    """What a reference within the schema (`#/$defs/name`) leads to, or `_NOTHING`."""
    for name in reference.removeprefix("#/").split("/"):
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, dict) and key in schema:
            schema = schema[key]
        elif isinstance(schema, list) and key.isdigit() and int(key) < len(schema):
            schema = schema[int(key)]
        else:
            return _NOTHING
    return schema


def _pattern_problem(pattern: str, place: Path) -> Iterator[tuple[Path, str, str]]:
    try:
        compiled(pattern)
    except ExpressionError as error:
        yield place, error.message, error.hint


def _endless_or_large(schema: JsonObject) -> Iterator[tuple[Path, str, str]]:
    """References that come back to where they began, and those that multiply, are found by counting, not by walking."""
    counted: dict[int, int] = {}
    for place, part in _schemas(schema):
        try:
            if _applied(part, schema, counted, set()) > MOST_APPLIED:
                message = f"more than {MOST_APPLIED:,} schemas apply to one value"
                yield place, message, "refer to the same schema less often"
                return
        except _Endless:
            yield place, "the schema refers to itself without end", "refer to it from properties or items"
            return


def _schemas(schema: JsonObject) -> Iterator[tuple[Path, JsonObject]]:
    stack: list[tuple[Path, Json]] = [((), schema)]
    while stack:
        place, part = stack.pop()
        if isinstance(part, list):
            stack.extend(((*place, index), child) for index, child in reversed(list(enumerate(part))))
        elif isinstance(part, dict):
            if isinstance(part.get("$ref"), str) or any(isinstance(part.get(word), list) for word in _ALL_OF_THEM):
                yield place, part
            stack.extend(
                ((*place, key), child)
                for key, child in reversed(part.items())
                if key not in ("const", "enum", "default")
            )


class _Endless(Exception):
    """A schema applies to a value once it applies to it."""


def _applied(part: Json, schema: JsonObject, counted: dict[int, int], above: set[int]) -> int:
    """How many schemas apply to a value once this one does."""
    if not isinstance(part, dict):
        return 1
    key = id(part)
    if key in above:
        raise _Endless
    if key not in counted:
        above.add(key)
        counted[key] = 1 + sum(_applied(each, schema, counted, above) for each in _applied_with(part, schema))
        above.remove(key)
    return counted[key]


def _applied_with(part: JsonObject, schema: JsonObject) -> Iterator[Json]:
    for word in _ALL_OF_THEM:
        if isinstance(part.get(word), list):
            yield from part[word]
    yield from (part[word] for word in _ONE_OF_THEM if word in part)
    if isinstance(part.get("dependentSchemas"), dict):
        yield from part["dependentSchemas"].values()
    reference = part.get("$ref")
    if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
        yield schema if reference == "#" else _led_to(reference, schema)
