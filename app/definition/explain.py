"""Why a document does not fit the models, in words: one problem per mistake, with its JSON path and the way out.

Pydantic reports paths through its own unions and in its own words; both are translated here, by walking the models
along with the path.
"""

import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.definition.checks.findings import MAX_PROBLEMS
from app.definition.errors import Path
from app.definition.nearest import suggestion
from app.definition.paths import format_path
from app.definition.problems import Problem
from app.definition.values import described
from app.json import Json

_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


_Told = tuple[Path, str, str]
"""Place in the document, message, hint."""


@dataclass(frozen=True)
class _Place:
    """Where an error is: its path in the document, the models it is a field of, and those that may stand there."""

    path: Path
    models: list[type[BaseModel]]
    kinds: list[type[BaseModel]]


def explain(error: ValidationError, document: Json, root: Any) -> list[Problem]:
    """All problems of a failed validation of `document` against `root`, a model or a union of models."""
    found = explain_details(error.errors(include_url=False), document, root)
    return [Problem(format_path(path), message, hint) for path, message, hint in found]


def explain_details(details: Iterable[ErrorDetails], document: Json, root: Any) -> list[tuple[Path, str, str]]:
    """As `explain`, of single errors; each problem as (place in the document, message, hint), about 500 at most."""
    told: dict[tuple[Path, str], _Told] = {}
    for detail in details:
        if len(told) >= MAX_PROBLEMS:
            break
        for problem in _problems(detail, _place(detail, document, root)):
            told.setdefault((problem[0], problem[1]), problem)
    return list(_united(list(told.values())))


def _united(problems: list[_Told]) -> Iterator[_Told]:
    """A value that fits none of several kinds is one problem, not one for each."""
    seen: set[Path] = set()
    expected: dict[Path, list[str]] = {}
    for path, message, _hint in problems:
        if message.startswith("expected "):
            expected.setdefault(path, []).append(message)
    for path, message, hint in problems:
        several = expected.get(path, [])
        if message not in several or len(several) == 1:
            yield path, message, hint
        elif path not in seen:
            seen.add(path)
            wanted = " or ".join(other.removeprefix("expected ").partition(", got ")[0] for other in several)
            yield path, f"expected {wanted}, got {several[0].partition(', got ')[2]}", hint


def _place(detail: ErrorDetails, document: Json, root: Any) -> _Place:
    """Pydantic's location without the names of union members in it, and the models at its end but one."""
    path: list[str | int] = []
    around, here, value = _models(root), _models(root), document
    tagged = _is_union(root)
    for position, part in enumerate(detail["loc"], start=1):
        if tagged and isinstance(part, str):
            chosen = [model for model in here if _tag(model) == part]
            tagged = False
            if chosen:
                here = around = chosen
                continue
        if not isinstance(value, dict | list) or part == "[key]":
            break
        if not _is_key(part, value, named=detail["type"] == "missing" and position == len(detail["loc"])):
            continue
        around = here
        path.append(part)
        annotation = _field(here, part)
        here, tagged = _models(annotation), _is_union(annotation)
        value = _child(value, part)
    return _Place(tuple(path), around, here)


def _is_key(part: str | int, value: Json, *, named: bool) -> bool:
    """Whether a part of a location is one of the document, not the name of a union's member; `named`: it is missing."""
    return isinstance(part, int) if isinstance(value, list) else named or part in value


def _child(value: Json, part: str | int) -> Json:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(part, int) and part < len(value) else None


def _field(models: list[type[BaseModel]], part: str | int) -> Any:
    """The annotation of a field of one of the models; through lists it stays that of the elements."""
    if isinstance(part, int):
        return Union[tuple(models)] if models else None  # noqa: UP007  # built from a list
    for model in models:
        for name, field in model.model_fields.items():
            if part == (field.alias or name):
                return field.annotation
    return None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models an annotation leads to, through lists, options and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return _models(get_args(annotation)[0])
    if get_origin(annotation) in (list, Union, types.UnionType):
        return [model for part in get_args(annotation) for model in _models(part)]
    return []


def _is_union(annotation: Any) -> bool:
    return len([model for model in _models(annotation) if _tag(model)]) > 0


def _tag(model: type[BaseModel]) -> str | None:
    kind = model.model_fields.get("type")
    values = get_args(kind.annotation) if kind and get_origin(kind.annotation) is Literal else ()
    return values[0] if values else None


def _problems(detail: ErrorDetails, place: _Place) -> Iterator[_Told]:
    """One validation error in our words; a condition has several at once."""
    kind, context, value, path = detail["type"], detail.get("ctx", {}), detail["input"], place.path
    if kind == "condition":
        for inner, message, hint in context["faults"]:
            yield (*path, *inner), message, hint
    elif kind in ("duration", "error_type"):
        yield path, context["message"], context.get("hint", "")
    elif kind == "missing":
        yield path, f"'{path[-1]}' is required", ""
    elif kind == "extra_forbidden":
        yield path, f"unknown key '{path[-1]}'", _known_keys(str(path[-1]), place.models)
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        yield _unknown_kind(place, value)
    elif kind == "literal_error":
        yield _not_one_of(path, value, context)
    else:
        message, hint = _plain(kind, context, value, detail["msg"])
        yield path, message, hint


def _known_keys(key: str, models: list[type[BaseModel]]) -> str:
    known = [field.alias or name for model in models for name, field in model.model_fields.items()]
    return suggestion(key, known, what="known keys")


def _unknown_kind(place: _Place, value: Json) -> _Told:
    what = "trigger" if any(part in ("trigger", "triggers") for part in place.path[-2:]) else "step"
    kinds = [tag for model in place.kinds if (tag := _tag(model))]
    path = (*place.path, "type")
    if not isinstance(value, dict) or "type" not in value:
        return path, f"the {what} has no type", f"types: {', '.join(kinds)}"
    named = value["type"]
    if not isinstance(named, str):
        return path, f"expected a string, got {described(named)}", f"types: {', '.join(kinds)}"
    near = suggestion(named, kinds, what="types")
    hint = near if near.startswith("types") else f"{near} types: {', '.join(kinds)}"
    return path, f"unknown {what} type '{named}'", hint


def _not_one_of(path: Path, value: Json, context: dict[str, Any]) -> _Told:
    expected = str(context.get("expected", ""))
    known = [word.strip("' ") for word in expected.replace(" or ", ", ").split(", ")]
    got = f"'{value[:60]}'" if isinstance(value, str) else described(value)
    near = suggestion(value, known, what="") if isinstance(value, str) else ""
    return path, f"expected {expected}, got {got}", near if near.startswith("did") else ""


def _plain(kind: str, context: dict[str, Any], value: Json, message: str) -> tuple[str, str]:
    """Message and hint of the remaining kinds of error."""
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {_shown(value)}", ""
    if kind == "string_pattern_mismatch":
        return _pattern(str(context["pattern"]), value)
    limits = {
        "greater_than_equal": ("at least", "ge"),
        "greater_than": ("more than", "gt"),
        "less_than_equal": ("at most", "le"),
        "less_than": ("less than", "lt"),
    }
    if kind in limits:
        words, key = limits[kind]
        return f"must be {words} {context[key]:g}, got {value}", ""
    sizes = {
        "too_short": ("at least", "min_length", "actual_length"),
        "too_long": ("at most", "max_length", "actual_length"),
    }
    if kind in sizes:
        words, key, actual = sizes[kind]
        return (
            f"needs {words} {context[key]} entries, has {context[actual] if context[actual] is not None else 'more'}",
            "",
        )
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters", ""
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, "), ""


def _pattern(pattern: str, value: Json) -> tuple[str, str]:
    if pattern.startswith("^[a-z]"):
        return f"'{str(value)[:64]}' is no id", "small letters, digits and underscores, a letter first: send_offer"
    return f"'{str(value)[:60]}' is no time of day", "HH:MM or HH:MM:SS, 24 hours: 09:00"


def _shown(value: Json) -> str:
    named = described(value) if isinstance(value, str | int | float | list | dict | None) else type(value).__name__
    return f"{named} ({value!r})" if isinstance(value, str | int | float) and len(str(value)) <= 40 else named
