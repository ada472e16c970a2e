"""The JSON Schema of the language, so that editors can complete and check a definition while it is written."""

from app.definition.condition_operators import OPERATORS, WITHOUT_VALUE
from app.definition.model import Definition
from app.json import Json, JsonObject

_SHARED = ("Condition", "EventFilter", "Duration", "StepError")
"""Titles of inline schemas that stand once under `$defs` instead of at each place."""


def definition_schema() -> JsonObject:
    """JSON Schema (2020-12) of a whole definition."""
    schema = Definition.model_json_schema(by_alias=True)
    shared: JsonObject = {}
    schema = _gathered(schema, shared)
    schema["$defs"] = {**schema["$defs"], **shared, "Condition": _condition(), "EventFilter": _event_filter()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Holdfast workflow definition",
    }


def _gathered(part: Json, shared: JsonObject) -> Json:
    """The schema with shared parts replaced by references; what was around them (a description) stays."""
    if isinstance(part, list):
        return [_gathered(child, shared) for child in part]
    if not isinstance(part, dict):
        return part
    title = part.get("title")
    if title in _SHARED and "$ref" not in part:
        kept = {key: part[key] for key in ("description", "default") if key in part}
        shared.setdefault(title, {key: value for key, value in part.items() if key != "default"})
        return {"$ref": f"#/$defs/{title}", **kept}
    return {key: _gathered(child, shared) for key, child in part.items()}


def _condition() -> JsonObject:
    return {
        "title": "Condition",
        "description": "An expression that yields true or false, a comparison, or a group of conditions.",
        "anyOf": [_expression(), _comparison(), *_groups("Condition")],
    }


def _event_filter() -> JsonObject:
    return {
        "title": "EventFilter",
        "description": "A condition over an event, or the short form {path: value}, {path: {$gt: 5}}.",
        "anyOf": [
            _expression(),
            _comparison(),
            *_groups("EventFilter"),
            {"type": "object", "minProperties": 1, "not": {"anyOf": [{"required": [key]} for key in _RESERVED]}},
        ],
    }


_RESERVED = ("field", "operator", "all", "any", "not")


def _expression() -> JsonObject:
    return {"type": ["string", "boolean"], "examples": ["{{ trigger.total > 50 }}"]}


def _comparison() -> JsonObject:
    return {
        "type": "object",
        "properties": {
            "field": {"type": "string", "description": "Path of a value: trigger.contact.email."},
            "operator": {"enum": list(OPERATORS), "description": f"{', '.join(sorted(WITHOUT_VALUE))} take no value."},
            "value": {"description": "What it is compared with; may hold expressions."},
        },
        "required": ["field", "operator"],
        "additionalProperties": False,
    }


def _groups(of: str) -> list[JsonObject]:
    member = {"$ref": f"#/$defs/{of}"}
    several = {"type": "array", "items": member, "minItems": 1}
    return [
        {"type": "object", "properties": {name: kind}, "required": [name], "additionalProperties": False}
        for name, kind in (("all", several), ("any", several), ("not", member))
    ]
