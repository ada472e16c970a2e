"""What filter and aggregate steps do with a list. Pure functions of the items; both are bounded by a budget."""

from collections.abc import Callable, Mapping

from app.definition import conditions
from app.definition.errors import ExpressionError, ItemsError, MissingError
from app.definition.filters.lists import distinct
from app.definition.limits import MAX_ITEM_OPERATIONS, Budget
from app.definition.operations import add, divide
from app.definition.paths import find, lookup, path_of
from app.definition.values import described, digits_of, is_number, order, type_name
from app.json import Json, JsonObject


def require_list(items: Json, what: str) -> list[Json]:
    """The items when they are a list; raises ItemsError that says what `what` (`a filter`) got instead."""
    if isinstance(items, list):
        return items
    hint = "make a list of it with `| values`, `| keys` or `| items`" if isinstance(items, dict) else ""
    raise ItemsError(f"{what} goes over a list, not {described(items)}", hint=hint)


def filter_items(items: Json, where: Json, context: Mapping[str, Json], *, budget: Budget | None = None) -> JsonObject:
    """`{items, count}`: the items for which the condition holds, each known to it as `item`.

    Raises ItemsError when the items are no list, and ExpressionError naming the item when the condition cannot be
    evaluated for it.
    """
    budget = budget or Budget(MAX_ITEM_OPERATIONS)
    kept: list[Json] = []
    for index, item in enumerate(require_list(items, "a filter")):
        budget.pay(1)
        try:
            if conditions.evaluate(where, {**context, "item": item}, budget=budget):
                kept.append(item)
        except ExpressionError as error:
            error.message = f"item {index}: {error.message}"
            raise
    return {"items": kept, "count": len(kept)}


def aggregate(items: Json, operation: str, field: str | None = None, *, budget: Budget | None = None) -> JsonObject:
    """`{result}` of sum, average, count, min, max, first, last, unique or group_by over the items.

    `field` is a path inside each item. An empty list has the sum 0 and the count 0, and null for what needs an item.
    Raises ItemsError when the items are no list, or one does not fit the operation.
    """
    source = require_list(items, "an aggregate")
    calculate = _OPERATIONS.get(operation)
    if calculate is None:
        raise ItemsError(f"unknown operation '{operation}'", hint=f"operations: {', '.join(_OPERATIONS)}")
    return {"result": calculate(source, field, budget or Budget(MAX_ITEM_OPERATIONS))}


def _values(items: list[Json], field: str | None, budget: Budget) -> list[Json]:
    """The field of each item, or the items themselves; raises ItemsError naming the first that has no such field."""
    if field is None:
        return items
    path = path_of(field, budget)
    found: list[Json] = []
    for index, item in enumerate(items):
        budget.charge()
        budget.pay(len(path) >> 1)
        try:
            found.append(lookup(item, path))
        except MissingError as error:
            raise ItemsError(f"item {index} has no {field}", hint=error.hint) from None
    return found


def _optional(item: Json, field: str, budget: Budget) -> Json:
    path = path_of(field, budget)
    budget.pay(1 + (len(path) >> 1))
    return find(item, path)


def _sum(items: list[Json], field: str | None, budget: Budget) -> Json:
    total: Json = 0
    for index, value in enumerate(_values(items, field, budget)):
        if not is_number(value):
            raise ItemsError(f"item {index} is {described(value)}, and a sum needs numbers")
        budget.charge()
        total = add(total, value, budget)
    return total


def _average(items: list[Json], field: str | None, budget: Budget) -> Json:
    return divide(_sum(items, field, budget), len(items), budget) if items else None


def _count(items: list[Json], field: str | None, budget: Budget) -> int:
    budget.charge(len(items))
    return len(items) if field is None else sum(_optional(item, field, budget) is not None for item in items)


def _extreme(sign: int) -> "Operation":
    def choose(items: list[Json], field: str | None, budget: Budget) -> Json:
        best: Json = None
        for index, value in enumerate(_values(items, field, budget)):
            try:
                if index == 0:
                    order(value, value, budget)
                    best = value
                elif order(value, best, budget) == sign:
                    best = value
            except ExpressionError as error:
                raise ItemsError(f"item {index}: {error.message}", hint=error.hint) from None
        return best

    return choose


def _unique(items: list[Json], field: str | None, budget: Budget) -> list[Json]:
    chosen = _values(items, field, budget)
    return distinct(budget, list(zip(chosen, chosen, strict=True)))


def _group_by(items: list[Json], field: str | None, budget: Budget) -> JsonObject:
    """Items by the text of their field: true and null by those words, numbers by their digits."""
    if field is None:
        raise ItemsError("group_by needs a field", hint="give the path inside each item whose value makes the groups")
    groups: dict[str, list[Json]] = {}
    for index, item in enumerate(items):
        budget.charge()
        value = _optional(item, field, budget)
        if isinstance(value, list | dict):
            raise ItemsError(f"item {index}: {field} is {described(value)}, and groups need a text, number or boolean")
        groups.setdefault(_group_name(value, budget), []).append(item)
    return groups


def _group_name(value: Json, budget: Budget) -> str:
    if type_name(value) in ("null", "boolean"):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        budget.read(value)
        return value
    if type(value) is int:
        budget.pay(value.bit_length() >> 6)
        return digits_of(value)
    return str(value)


Operation = Callable[[list[Json], str | None, Budget], Json]

_OPERATIONS: dict[str, Operation] = {
    "sum": _sum,
    "average": _average,
    "count": _count,
    "min": _extreme(-1),
    "max": _extreme(1),
    "first": lambda items, field, budget: _values(items[:1], field, budget)[0] if items else None,
    "last": lambda items, field, budget: _values(items[-1:], field, budget)[0] if items else None,
    "unique": _unique,
    "group_by": _group_by,
}
