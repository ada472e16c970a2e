"""The operators of conditions written as data, by name. Which value stands at a field is not known here.

A field that is missing counts as null. null contains nothing and starts with nothing, but it has no order: `null < 5`
is an error that names both types, as is every other comparison of what cannot be compared.
"""

from collections.abc import Callable

from app.definition.durations import parse_moment
from app.definition.errors import ConditionError, DurationError
from app.definition.limits import Budget
from app.definition.patterns import search
from app.definition.values import contains, described, equal, order
from app.json import Json

Operator = Callable[[Json, Json, Budget], bool]


def _contains(left: Json, right: Json, budget: Budget) -> bool:
    return left is not None and contains(left, right, budget)


def _in(left: Json, right: Json, budget: Budget) -> bool:
    if right is None or isinstance(right, int | float):
        raise ConditionError(
            f"nothing is in {described(right)}", hint="the value of `in` is a list, a string or an object"
        )
    if left is None and not isinstance(right, list):
        return False
    return contains(right, left, budget)


def _texts(left: Json, right: Json, what: str) -> tuple[str, str] | None:
    """Both sides as strings; None when the left is null, which starts and ends with nothing."""
    if not isinstance(right, str) or not (left is None or isinstance(left, str)):
        raise ConditionError(
            f"{what} needs strings, not {described(left)} and {described(right)}", hint="convert them with `| string`"
        )
    return None if left is None else (left, right)


def _starts_with(left: Json, right: Json, budget: Budget) -> bool:
    pair = _texts(left, right, "starts_with")
    budget.read(right)
    return pair is not None and pair[0].startswith(pair[1])


def _ends_with(left: Json, right: Json, budget: Budget) -> bool:
    pair = _texts(left, right, "ends_with")
    budget.read(right)
    return pair is not None and pair[0].endswith(pair[1])


def _matches(left: Json, right: Json, budget: Budget) -> bool:
    pair = _texts(left, right, "matches")
    return pair is not None and search(pair[1], pair[0], budget) is not None


def _moments(left: Json, right: Json, budget: Budget) -> int:
    """Which of two moments is earlier: -1 the left, 1 the right, 0 neither."""
    budget.pay(3)
    try:
        earlier, later = parse_moment(left), parse_moment(right)
    except DurationError as error:
        raise ConditionError(
            f"{described(left)} and {described(right)} cannot be compared as moments: {error.message}", hint=error.hint
        ) from None
    return (earlier > later) - (earlier < later)


def _is_empty(left: Json) -> bool:
    return left is None or (isinstance(left, str | list | dict) and not left)


OPERATORS: dict[str, Operator] = {
    "equals": equal,
    "not_equals": lambda left, right, budget: not equal(left, right, budget),
    "contains": _contains,
    "not_contains": lambda left, right, budget: not _contains(left, right, budget),
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "greater_than": lambda left, right, budget: order(left, right, budget) > 0,
    "greater_than_or_equals": lambda left, right, budget: order(left, right, budget) >= 0,
    "less_than": lambda left, right, budget: order(left, right, budget) < 0,
    "less_than_or_equals": lambda left, right, budget: order(left, right, budget) <= 0,
    "is_empty": lambda left, right, budget: _is_empty(left),
    "is_not_empty": lambda left, right, budget: not _is_empty(left),
    "in": _in,
    "not_in": lambda left, right, budget: not _in(left, right, budget),
    "matches": _matches,
    "exists": lambda left, right, budget: left is not None,
    "not_exists": lambda left, right, budget: left is None,
    "before": lambda left, right, budget: _moments(left, right, budget) < 0,
    "after": lambda left, right, budget: _moments(left, right, budget) > 0,
}
"""Operator -> whether it holds between the value at a field and the value it is compared with."""

WITHOUT_VALUE = frozenset({"is_empty", "is_not_empty", "exists", "not_exists"})
"""Operators that look at the field alone."""

SHORT_OPERATORS: dict[str, str] = {
    "$eq": "equals",
    "$ne": "not_equals",
    "$gt": "greater_than",
    "$gte": "greater_than_or_equals",
    "$lt": "less_than",
    "$lte": "less_than_or_equals",
    "$contains": "contains",
    "$in": "in",
}
"""Operators of the short form `{"path": {"$gt": 5}}`."""
