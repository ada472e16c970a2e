"""What conditions look like: whether a document is one, and the one form that is evaluated.

A condition is a text with an expression, true or false, a comparison `{field, operator, value}` or a group `{all}`,
`{any}`, `{not}`. A filter over events may also be the short form `{"path": value}`, `{"path": {"$gt": 5}}`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from app.definition.condition_operators import OPERATORS, SHORT_OPERATORS, WITHOUT_VALUE
from app.definition.errors import ExpressionError, Path
from app.definition.nearest import suggestion
from app.definition.paths import parse_path
from app.definition.patterns import compiled
from app.definition.syntax import is_template
from app.definition.values import described
from app.json import Json, JsonObject

GROUPS = ("all", "any", "not")
_COMPARISON = ("field", "operator", "value")
MAX_DEPTH = 20
MAX_PARTS = 200


class Fault(NamedTuple):
    """One thing that keeps a document from being a condition: where in it, what, and the way out."""

    place: Path
    message: str
    hint: str


def faults(condition: Json, *, short: bool) -> list[Fault]:
    """All that is wrong with the shape of a condition; `short` allows the short form of event filters."""
    found = list(_faults(condition, (), short, 1))
    parts = _count(condition)
    if parts > MAX_PARTS:
        found.append(Fault((), f"the condition has {parts} parts", f"at most {MAX_PARTS} are allowed"))
    return found


def _faults(condition: Json, place: Path, short: bool, depth: int) -> Iterator[Fault]:
    if depth > MAX_DEPTH:
        yield Fault(place, f"the condition is nested more than {MAX_DEPTH} levels deep", "")
    elif isinstance(condition, bool):
        return
    elif isinstance(condition, str):
        if not is_template(condition):
            yield Fault(place, f"'{condition[:60]}' is a text, not a condition", "write it as {{ expression }}")
    elif not isinstance(condition, dict):
        yield Fault(
            place,
            f"a condition is an expression or an object, not {described(condition)}",
            "for example {field: trigger.total, operator: greater_than, value: 50}",
        )
    elif group := group_of(condition):
        yield from _group_faults(condition, group, place, short, depth)
    elif is_comparison(condition):
        yield from _comparison_faults(condition, place)
    elif short:
        yield from _short_faults(condition, place)
    else:
        yield from _unknown_keys(condition, place)


def group_of(condition: JsonObject) -> str | None:
    """`all`, `any` or `not` when the object is such a group."""
    return next((name for name in GROUPS if name in condition), None)


def is_comparison(condition: JsonObject) -> bool:
    """Whether an object means `{field, operator, value}`, rightly or not."""
    return "operator" in condition or "field" in condition


def _group_faults(condition: JsonObject, group: str, place: Path, short: bool, depth: int) -> Iterator[Fault]:
    for key in condition:
        if key != group:
            yield Fault((*place, key), f"'{key}' cannot stand beside '{group}'", "put both into one {all: [...]}")
    members = condition[group]
    if group == "not":
        yield from _faults(members, (*place, "not"), short, depth + 1)
    elif not isinstance(members, list):
        yield Fault((*place, group), f"'{group}' holds a list of conditions, not {described(members)}", "")
    elif not members:
        yield Fault((*place, group), f"'{group}' is empty", "give it at least one condition")
    else:
        for index, member in enumerate(members):
            yield from _faults(member, (*place, group, index), short, depth + 1)


def _comparison_faults(condition: JsonObject, place: Path) -> Iterator[Fault]:
    yield from _unknown_keys(condition, place)
    field, operator = condition.get("field"), condition.get("operator")
    if not isinstance(field, str):
        said = "is missing" if field is None else f"is {described(field)}"
        yield Fault((*place, "field"), f"the field of the comparison {said}", "give the path of a value: trigger.total")
    else:
        yield from _path_faults(field, (*place, "field"))
    if not isinstance(operator, str) or operator not in OPERATORS:
        shown = f"unknown operator '{operator}'" if isinstance(operator, str) else "the operator is missing"
        hint = suggestion(operator, OPERATORS, what="operators") if isinstance(operator, str) else ""
        yield Fault((*place, "operator"), shown, hint or f"operators: {', '.join(OPERATORS)}")
    elif "value" not in condition and operator not in WITHOUT_VALUE:
        yield Fault(place, f"'{operator}' compares with a value, and there is none", "add value")
    else:
        yield from value_faults(operator, condition.get("value"), (*place, "value"))


def value_faults(operator: str, value: Json, place: Path) -> Iterator[Fault]:
    """What is wrong with a constant value an operator compares with."""
    if isinstance(value, str) and is_template(value):
        return
    if operator == "matches":
        if not isinstance(value, str):
            yield Fault(place, f"'matches' needs a regular expression, not {described(value)}", "")
            return
        try:
            compiled(value)
        except ExpressionError as error:
            yield Fault(place, error.message, error.hint)
    elif operator in ("in", "not_in") and not isinstance(value, list | str | dict):
        yield Fault(place, f"'{operator}' needs a list, not {described(value)}", "")


def _short_faults(condition: JsonObject, place: Path) -> Iterator[Fault]:
    if not condition:
        yield Fault(place, "the filter is empty", "leave it out to take every event")
    for path, wanted in condition.items():
        yield from _path_faults(path, (*place, path))
        if isinstance(wanted, dict) and any(key.startswith("$") for key in wanted):
            for name, value in wanted.items():
                if name not in SHORT_OPERATORS:
                    known = suggestion(name, SHORT_OPERATORS, what="operators")
                    yield Fault((*place, path, name), f"unknown operator '{name}'", known)
                else:
                    yield from value_faults(SHORT_OPERATORS[name], value, (*place, path, name))


def _path_faults(path: str, place: Path) -> Iterator[Fault]:
    try:
        parse_path(path)
    except ExpressionError as error:
        yield Fault(place, error.message, error.hint)


def _unknown_keys(condition: JsonObject, place: Path) -> Iterator[Fault]:
    for key in condition:
        if key not in _COMPARISON:
            known = suggestion(key, (*_COMPARISON, *GROUPS), what="known keys")
            yield Fault((*place, key), f"unknown key '{key}' in a condition", known)
    if not condition:
        yield Fault(
            place, "the condition is empty", "for example {field: trigger.total, operator: greater_than, value: 50}"
        )


def _count(condition: Json) -> int:
    count, stack = 0, [condition]
    while stack and count <= 10 * MAX_PARTS:
        part = stack.pop()
        count += 1
        if isinstance(part, dict):
            stack.extend(member for name in ("all", "any") if isinstance(part.get(name), list) for member in part[name])
            stack.extend(part[name] for name in ("not",) if name in part)
    return count


def comparisons(condition: JsonObject) -> list[JsonObject]:
    """The short form as comparisons, all of which must hold."""
    found: list[JsonObject] = []
    for path, wanted in condition.items():
        if isinstance(wanted, dict) and any(key.startswith("$") for key in wanted):
            found += ({"field": path, "operator": SHORT_OPERATORS[name], "value": wanted[name]} for name in wanted)
        else:
            found.append({"field": path, "operator": "equals", "value": wanted})
    return found
