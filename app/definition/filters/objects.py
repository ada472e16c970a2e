"""Filters over objects, and over any value: defaults, types, keys."""

from app.definition.filters.base import Filter, Run, mapping
from app.definition.values import truthy, type_name
from app.json import Json


def default(run: Run, value: Json, fallback: Json = "", when_empty: Json = False) -> Json:
    """A missing value reaches this as null: the evaluator sees to it."""
    return fallback if value is None or (truthy(when_empty) and not truthy(value)) else value


def merge(run: Run, value: Json, *others: Json) -> dict[str, Json]:
    merged: dict[str, Json] = {}
    for part in (value, *others):
        run.budget.charge(len(mapping(part, "merge")))
        merged.update(part)
    return merged


def keys(run: Run, value: Json) -> list[Json]:
    run.budget.charge(len(mapping(value, "keys")))
    return list(value)


def values(run: Run, value: Json) -> list[Json]:
    run.budget.charge(len(mapping(value, "values")))
    return list(value.values())


def items(run: Run, value: Json) -> list[Json]:
    run.budget.charge(2 * len(mapping(value, "items")))
    return [[key, element] for key, element in value.items()]


def type_(run: Run, value: Json) -> str:
    return type_name(value)


FILTERS: dict[str, Filter] = {
    "default": Filter(
        default,
        "Another value when it is missing or null; with a second argument `true` also when it is empty, 0 or false.",
        "default(value, when_empty)",
    ),
    "d": Filter(default, "The same as default.", "d(value, when_empty)"),
    "merge": Filter(merge, "One object from several; later keys win.", "merge(other, ...)"),
    "keys": Filter(keys, "The keys of an object.", "keys"),
    "values": Filter(values, "The values of an object.", "values"),
    "items": Filter(items, "The entries of an object as [key, value].", "items"),
    "type": Filter(type_, "null, boolean, number, string, list or object.", "type"),
}
