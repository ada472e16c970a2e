"""Filters over lists: order, choice, parts, sums. An order exists between numbers and between strings only."""

from collections.abc import Callable
from functools import cmp_to_key

from app.definition.errors import ExpressionError, ItemsError, MissingError, Path
from app.definition.filters.base import Filter, Run, integer, items, text
from app.definition.limits import Budget
from app.definition.operations import add, need_number
from app.definition.paths import find, lookup, path_of
from app.definition.values import described, order, same, to_text, truthy
from app.json import Json


def join(run: Run, value: Json, separator: Json = "", attribute: Json = None) -> str:
    chosen = [_attribute(run, element, attribute) for element in items(value, "join")]
    mark = text(run, separator, "join")
    pieces = [to_text(element, run.budget) for element in chosen]
    run.budget.charge(len(pieces))
    run.budget.create(sum(map(len, pieces)) + len(mark) * len(pieces))
    return mark.join(pieces)


def first(run: Run, value: Json) -> Json:
    return _end(value, 0, "first")


def last(run: Run, value: Json) -> Json:
    return _end(value, -1, "last")


def _end(value: Json, index: int, what: str) -> Json:
    source = value if isinstance(value, str) else items(value, what)
    if not source:
        raise MissingError(
            f"{what} of an empty {'text' if isinstance(value, str) else 'list'}", hint="use `| default(...)`"
        )
    return source[index]


def length(run: Run, value: Json) -> int:
    if isinstance(value, str | list | dict):
        return len(value)
    raise ExpressionError(f"{described(value)} has no length", hint="strings, lists and objects have")


def sort(run: Run, value: Json, reverse: Json = False, attribute: Json = None) -> list[Json]:
    source = items(value, "sort")
    run.budget.require(len(source) - 1)
    pairs = [(_attribute(run, element, attribute), element) for element in source]
    compare: Callable[[tuple[Json, Json], tuple[Json, Json]], int] = lambda a, b: order(a[0], b[0], run.budget)  # noqa: E731
    if len(pairs) == 1:
        order(pairs[0][0], pairs[0][0], run.budget)
    return [element for _key, element in sorted(pairs, key=cmp_to_key(compare), reverse=truthy(reverse))]


def unique(run: Run, value: Json, attribute: Json = None) -> list[Json]:
    source = items(value, "unique")
    run.budget.require(len(source))
    return distinct(run.budget, [(_attribute(run, element, attribute), element) for element in source])


def distinct(budget: Budget, pairs: list[tuple[Json, Json]]) -> list[Json]:
    """The second of each pair whose first has not been seen yet."""
    kept: list[Json] = []
    seen: set[tuple[str, Json]] = set()
    seen_parts: list[Json] = []
    for key, element in pairs:
        budget.charge()
        if isinstance(key, list | dict):
            if any(same(key, other, budget) for other in seen_parts):
                continue
            seen_parts.append(key)
        else:
            mark = _mark(key, budget)
            if mark in seen:
                continue
            seen.add(mark)
        kept.append(element)
    return kept


def _mark(key: Json, budget: Budget) -> tuple[str, Json]:
    """What tells a scalar from all others. 1 and 1.0 are one number, true is none."""
    if isinstance(key, str):
        budget.read(key)
        return "str", key
    if type(key) is float and key.is_integer():
        key = int(key)
    if type(key) is int and key.bit_length() > 60:
        # Integers beyond a machine word share their hash with as many others as somebody likes; their texts do not.
        budget.pay(1 + (key.bit_length() >> 8))
        return "number", hex(key)
    return ("number" if type(key) in (int, float) else type(key).__name__, key)


def map_(
    run: Run, value: Json, filter: Json = None, *args: Json, attribute: Json = None, default: Json = None
) -> list[Json]:
    source = items(value, "map")
    run.budget.charge(len(source))
    if attribute is not None:
        if default is None:
            return [_attribute(run, element, attribute) for element in source]
        return [_attribute_or(run, element, attribute, default) for element in source]
    name = text(run, filter, "map")
    return [run.apply_filter(name, element, args, {}) for element in source]


def select(run: Run, value: Json, test: Json = None, *args: Json) -> list[Json]:
    return [element for element in items(value, "select") if _passes(run, element, test, args)]


def reject(run: Run, value: Json, test: Json = None, *args: Json) -> list[Json]:
    return [element for element in items(value, "reject") if not _passes(run, element, test, args)]


def selectattr(run: Run, value: Json, attribute: Json, test: Json = None, *args: Json) -> list[Json]:
    return [element for element in items(value, "selectattr") if _attribute_passes(run, element, attribute, test, args)]


def rejectattr(run: Run, value: Json, attribute: Json, test: Json = None, *args: Json) -> list[Json]:
    kept = items(value, "rejectattr")
    return [element for element in kept if not _attribute_passes(run, element, attribute, test, args)]


def _passes(run: Run, element: Json, test: Json, args: tuple[Json, ...]) -> bool:
    run.budget.charge()
    return truthy(element) if test is None else run.apply_test(text(run, test, "select"), element, args)


def _attribute_passes(run: Run, element: Json, attribute: Json, test: Json, args: tuple[Json, ...]) -> bool:
    run.budget.charge()
    value = _attribute_or(run, element, attribute, _ABSENT)
    if test in ("defined", "undefined"):
        return bool((value is _ABSENT) == (test == "undefined"))
    return _passes(run, None if value is _ABSENT else value, test, args)


_ABSENT = object()


def _attribute(run: Run, element: Json, attribute: Json) -> Json:
    """The part of an element at a path such as `owner.name`, or the element itself without one."""
    return element if attribute is None else lookup(element, _path(run, attribute))


def _attribute_or(run: Run, element: Json, attribute: Json, default: Json) -> Json:
    return element if attribute is None else find(element, _path(run, attribute), default)


def _path(run: Run, attribute: Json) -> Path:
    """The path that an attribute names, paid for each time it is followed."""
    if type(attribute) is int:
        return (attribute,)
    path = path_of(text(run, attribute, "attribute"), run.budget)
    run.budget.pay(len(path) >> 1)
    return path


def sum_(run: Run, value: Json, attribute: Json = None, start: Json = 0) -> Json:
    total = need_number(start, "sum")
    for index, element in enumerate(items(value, "sum")):
        part = _attribute(run, element, attribute)
        if type(part) is not int and type(part) is not float:
            raise ItemsError(f"sum needs numbers, but item {index} is {described(part)}")
        total = add(total, part, run.budget)
        run.budget.charge()
    return total


def min_(run: Run, value: Json, attribute: Json = None) -> Json:
    return _extreme(run, value, attribute, -1, "min")


def max_(run: Run, value: Json, attribute: Json = None) -> Json:
    return _extreme(run, value, attribute, 1, "max")


def _extreme(run: Run, value: Json, attribute: Json, sign: int, what: str) -> Json:
    source = items(value, what)
    if not source:
        raise MissingError(f"{what} of an empty list", hint="use `| default(...)`")
    best, best_key = source[0], _attribute(run, source[0], attribute)
    order(best_key, best_key, run.budget)
    for element in source[1:]:
        key = _attribute(run, element, attribute)
        if order(key, best_key, run.budget) == sign:
            best, best_key = element, key
    return best


def reverse(run: Run, value: Json) -> Json:
    if isinstance(value, str):
        run.budget.create(len(value))
        return value[::-1]
    source = items(value, "reverse")
    run.budget.charge(len(source) >> 3)
    return source[::-1]


def batch(run: Run, value: Json, size: Json, fill: Json = None) -> list[Json]:
    source = items(value, "batch")
    width = integer(size, "batch", 1, 100_000)
    run.budget.charge(len(source))
    rows = [source[start : start + width] for start in range(0, len(source), width)]
    if fill is not None and rows and len(rows[-1]) < width:
        run.budget.charge(width)
        rows[-1] = rows[-1] + [fill] * (width - len(rows[-1]))
    return rows


def list_(run: Run, value: Json) -> list[Json]:
    if isinstance(value, str | dict):
        run.budget.charge(len(value))
        return list(value)
    return items(value, "list")


FILTERS: dict[str, Filter] = {
    "join": Filter(join, "The elements as one text, with a separator between.", "join(separator, attribute)"),
    "first": Filter(first, "The first element.", "first"),
    "last": Filter(last, "The last element.", "last"),
    "length": Filter(length, "How many characters, elements or keys there are.", "length"),
    "count": Filter(length, "The same as length.", "count"),
    "sort": Filter(sort, "In order, of numbers or of strings; by a path inside each.", "sort(reverse, attribute)"),
    "unique": Filter(unique, "Each element once, where it stands first.", "unique(attribute)"),
    "map": Filter(
        map_, "A path inside each element, or a filter applied to each.", "map(attribute='path') or map('filter', ...)"
    ),
    "select": Filter(select, "The elements for which a test holds.", "select('test', ...)"),
    "reject": Filter(reject, "The elements for which a test does not hold.", "reject('test', ...)"),
    "selectattr": Filter(selectattr, "The elements in which a path passes a test.", "selectattr('path', 'test', ...)"),
    "rejectattr": Filter(rejectattr, "The elements in which a path fails a test.", "rejectattr('path', 'test', ...)"),
    "sum": Filter(sum_, "The sum of numbers, or of a path inside each element.", "sum(attribute, start)"),
    "min": Filter(min_, "The smallest element, by a path inside each.", "min(attribute)"),
    "max": Filter(max_, "The largest element, by a path inside each.", "max(attribute)"),
    "reverse": Filter(reverse, "From last to first.", "reverse"),
    "batch": Filter(batch, "Lists of at most so many elements.", "batch(size, fill)"),
    "list": Filter(list_, "The elements, characters or keys as a list.", "list"),
}
