"""Conditions: whether one holds in a context, and whether an event is the one that is waited for.

What a condition looks like is `condition_shapes.py`, what its operators mean `condition_operators.py`. A wait's
condition is bound when the wait begins: values that depend on the run are resolved then, so that events can be matched
without it.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.definition.condition_operators import OPERATORS
from app.definition.condition_shapes import comparisons, faults, group_of, is_comparison
from app.definition.errors import ConditionError, ExpressionError, MissingError, Path, shorten
from app.definition.expressions import evaluate as resolve
from app.definition.expressions import references
from app.definition.limits import Budget
from app.definition.nearest import suggestion
from app.definition.paths import find, path_of
from app.definition.syntax import is_template
from app.definition.values import described
from app.json import Json, JsonObject

__all__ = ["Condition", "ConditionError", "EventFilter", "bind", "evaluate", "event_matches"]

EVENT_NAMES = ("event", "data", "type", "source", "subject")
"""What a condition over an event may name besides the run's names: the envelope and its parts."""


def evaluate(condition: Json, context: Mapping[str, Json], *, budget: Budget | None = None) -> bool:
    """Whether a condition holds. An expression must yield true or false.

    Raises ConditionError when it compares what cannot be compared, and ExpressionError when it names what is not there.
    A field whose first name exists counts as null when the rest of its path does not.
    """
    return _holds(condition, _Names(context, budget or Budget(), _field))


class _Names(NamedTuple):
    """How a condition reads values: the context of its expressions, and what a field's path means."""

    context: Mapping[str, Json]
    budget: Budget
    field: Callable[[Path, Mapping[str, Json]], Json]


def _holds(condition: Json, names: _Names) -> bool:
    names.budget.pay(1)
    if isinstance(condition, bool):
        return condition
    if isinstance(condition, str):
        return _expression_holds(condition, names)
    if isinstance(condition, dict):
        return _object_holds(condition, names)
    raise ConditionError(f"{described(condition)} is no condition")


def _object_holds(condition: JsonObject, names: _Names) -> bool:
    group = group_of(condition)
    if group == "all":
        return all(_holds(member, names) for member in condition["all"])
    if group == "any":
        return any(_holds(member, names) for member in condition["any"])
    if group == "not":
        return not _holds(condition["not"], names)
    if is_comparison(condition):
        return _comparison_holds(condition, names)
    return all(_comparison_holds(comparison, names) for comparison in comparisons(condition))


def _expression_holds(text: str, names: _Names) -> bool:
    if not is_template(text):
        raise ConditionError(f"'{shorten(text)}' is a text, not a condition", hint="write it as {{ expression }}")
    result = resolve(text, names.context, budget=names.budget)
    if isinstance(result, bool):
        return result
    raise ConditionError(
        f"a condition yields true or false, not {described(result)}", expression=text, hint="compare it: `... == value`"
    )


def _comparison_holds(comparison: JsonObject, names: _Names) -> bool:
    field, operator, value = comparison["field"], comparison["operator"], comparison.get("value")
    path = path_of(field, names.budget)
    names.budget.pay(len(path) >> 1)
    left = names.field(path, names.context)
    # A bound value is what the run's data said: it is never read as a template again.
    right = value if comparison.get("bound") else resolve(value, names.context, budget=names.budget)
    try:
        names.budget.charge(2)
        return OPERATORS[operator](left, right, names.budget)
    except ExpressionError as error:
        error.expression = error.expression or f"{field} {operator}"
        raise


def _field(path: Path, context: Mapping[str, Json]) -> Json:
    root = str(path[0])
    if root not in context:
        raise MissingError(f"unknown name '{shorten(root, 60)}'", hint=suggestion(root, context, what="there are"))
    return find(context[root], path[1:])


def _event_field(path: Path, context: Mapping[str, Json]) -> Json:
    """A path that starts with none of the event's names is one into its data."""
    return find(context[str(path[0])], path[1:]) if path[0] in EVENT_NAMES else find(context["data"], path)


def event_matches(match: Json | None, event: JsonObject, context: Mapping[str, Json]) -> bool:
    """Whether an event (CloudEvents envelope with `data`) satisfies a filter, bound or as written; None takes all.

    An event that cannot be compared (its field is missing, or of another type) is not the one that is waited for.
    """
    if match is None:
        return True
    own = {"event": event, **{name: event.get(name) for name in EVENT_NAMES if name != "event"}}
    try:
        return _holds(match, _Names({**context, **own}, Budget(), _event_field))
    except ValueError:
        return False


def bind(filter: Json | None, context: Mapping[str, Json]) -> tuple[Json, JsonObject]:
    """A filter over events with all that depends on the run resolved now, and the part of the context it still needs.

    The result holds comparisons and groups alone (no short form); feed both to `event_matches`. Expressions that name
    the event stay as they are. Raises ExpressionError when a value cannot be resolved.
    """
    if filter is None:
        return None, {}
    needed: JsonObject = {}
    return _bound(filter, _Names(context, Budget(), _field), needed), needed


def _bound(condition: Json, names: _Names, needed: JsonObject) -> Json:
    if isinstance(condition, str):
        if _names_event(condition):
            _keep(condition, names.context, needed)
            return condition
        return _expression_holds(condition, names)
    return _bound_object(condition, names, needed) if isinstance(condition, dict) else condition


def _bound_object(condition: JsonObject, names: _Names, needed: JsonObject) -> JsonObject:
    group = group_of(condition)
    if group == "not":
        return {"not": _bound(condition["not"], names, needed)}
    if group:
        return {group: [_bound(member, names, needed) for member in condition[group]]}
    if is_comparison(condition):
        return _bound_comparison(condition, names, needed)
    parts = [_bound_comparison(comparison, names, needed) for comparison in comparisons(condition)]
    return parts[0] if len(parts) == 1 else {"all": parts}


def _bound_comparison(comparison: JsonObject, names: _Names, needed: JsonObject) -> JsonObject:
    value = comparison.get("value")
    if _names_event(value):
        _keep(value, names.context, needed)
        return dict(comparison)
    return {**comparison, "value": resolve(value, names.context, budget=names.budget), "bound": True}


def _names_event(value: Json) -> bool:
    return any(reference.root in EVENT_NAMES for reference in references(value))


def _keep(value: Json, context: Mapping[str, Json], needed: JsonObject) -> None:
    """Copy what the expressions of a value refer to from the context, no more than they need."""
    for reference in references(value):
        if reference.root in context and reference.root not in EVENT_NAMES:
            _copy(context, needed, (reference.root, *reference.path))


def _copy(source: Mapping[str, Json], target: JsonObject, path: Path) -> None:
    for position, key in enumerate(path):
        if key not in source:
            return
        inner = source[key]  # type: ignore[index]  # only keys of objects are followed
        following = path[position + 1] if position + 1 < len(path) else None
        if not isinstance(inner, dict) or not isinstance(following, str) or following not in inner:
            target[key] = inner  # type: ignore[index]
            return
        held = target.get(key)  # type: ignore[arg-type]
        if held is inner:
            return
        if not isinstance(held, dict):
            target[key] = held = {}  # type: ignore[index]
        source, target = inner, held


def _check(short: bool) -> Callable[[Json], Json]:
    def check(value: Json) -> Json:
        found = faults(value, short=short)
        if found:
            raise PydanticCustomError(
                "condition", "{message}", {"message": found[0].message, "faults": [tuple(fault) for fault in found]}
            )
        return value

    return check


Condition = Annotated[
    Json,
    AfterValidator(_check(short=False)),
    WithJsonSchema({"title": "Condition", "description": "An expression, a comparison or a group."}),
]
"""A condition as it is written; its shape is checked when the document is read."""

EventFilter = Annotated[
    Json,
    AfterValidator(_check(short=True)),
    WithJsonSchema(
        {"title": "EventFilter", "description": "A condition over an event, or the short form {path: value}."}
    ),
]
"""A condition over an event, which may be the short form."""
