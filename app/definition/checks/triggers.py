"""Rules of triggers: event types, filters over the event alone, schemas that are JSON Schema and can be used."""

from collections.abc import Iterator

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from app.definition.checks.findings import Findings
from app.definition.checks.flow import Scope
from app.definition.checks.kinds import check_event_type
from app.definition.checks.names import Names, check_match
from app.definition.conditions import EVENT_NAMES
from app.definition.errors import ExpressionError, Path, shorten
from app.definition.model import Definition, EventTrigger, ManualTrigger
from app.definition.patterns import compiled
from app.json import Json, JsonObject


def check_triggers(definition: Definition, findings: Findings) -> None:
    """Every trigger of the definition."""
    placed: list[tuple[Path, ManualTrigger | EventTrigger]] = []
    if definition.trigger is not None:
        placed.append((("trigger",), definition.trigger))
    placed.extend((("triggers", index), trigger) for index, trigger in enumerate(definition.triggers))
    for place, trigger in placed:
        if isinstance(trigger, EventTrigger):
            _check_event_trigger(trigger, place, findings)
        elif trigger.input_schema is not None:
            check_json_schema(trigger.input_schema, (*place, "input_schema"), findings)


def _check_event_trigger(trigger: EventTrigger, place: Path, findings: Findings) -> None:
    check_event_type(trigger.event, (*place, "event"), findings)
    # No run exists yet: a filter sees the event and nothing else.
    check_match(trigger.filter, (*place, "filter"), Scope((), {}).with_names(EVENT_NAMES), Names(), findings)


def check_json_schema(schema: JsonObject, place: Path, findings: Findings) -> None:
    """Whether an object is a JSON Schema (2020-12) whose patterns RE2 reads and that refers to nothing elsewhere."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        findings.add((*place, *error.absolute_path), f"no JSON Schema: {shorten(error.message)}")
        return
    except RecursionError:
        findings.add(place, "the JSON Schema is nested too deeply")
        return
    for where, message, hint in _unusable(schema):
        findings.add((*place, *where), message, hint)


def _unusable(schema: Json) -> Iterator[tuple[Path, str, str]]:
    stack: list[tuple[Path, Json]] = [((), schema)]
    while stack:
        place, part = stack.pop()
        if isinstance(part, list):
            stack.extend(((*place, index), child) for index, child in enumerate(part))
        elif isinstance(part, dict):
            stack.extend(
                ((*place, key), child) for key, child in part.items() if key not in ("const", "enum", "default")
            )
            yield from _unusable_keywords(part, place, schema)


def _unusable_keywords(part: JsonObject, place: Path, schema: Json) -> Iterator[tuple[Path, str, str]]:
    inside_names = bool(place) and place[-1] in ("properties", "$defs", "definitions", "patternProperties")
    if inside_names:
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
    for name in reference.removeprefix("#/").split("/"):
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, dict) and key in schema:
            schema = schema[key]
        elif isinstance(schema, list) and key.isdigit() and int(key) < len(schema):
            schema = schema[int(key)]
        else:
            return False
    return True


def _pattern_problem(pattern: str, place: Path) -> Iterator[tuple[Path, str, str]]:
    try:
        compiled(pattern)
    except ExpressionError as error:
        yield place, error.message, error.hint
