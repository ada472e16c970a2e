"""Keys of waits: what an event must say to end one, so that an event need not be held against every wait there is.

A key names fields that a match wants to be equal to values known when the wait begins, and holds a digest of those
values. Every event that matches has that digest in those fields; whether one that has it matches is for
`conditions.event_matches` to say. Where that is not certain there is no key, and the wait is looked at for every event.

Keys are kept in rows: a change in how a digest is made has to take the keys of all open waits away.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from jinja2 import nodes

from app.definition.conditions import EVENT_NAMES
from app.definition.errors import ExpressionError, Path
from app.definition.paths import find, format_path, parse_path
from app.definition.syntax import parse
from app.json import Json, JsonObject

MOST_FIELDS = 4
MAX_FIELD_BYTES = 100
"""Fields stand in an index, whose entries have little room."""
_LARGEST = 2**63


class EventKey(NamedTuple):
    """What an event must say: in which fields (as `digest_in` takes them), and the digest of it."""

    fields: str
    digest: int


def key_of(match: Json, context: Mapping[str, Json]) -> EventKey | None:
    """The key of a match and the context it needs, as `conditions.bind` gave and the database keeps them.

    None where there is none.
    """
    found: dict[str, str] = {}
    try:
        for path, value in _equalities(match, context):
            field, text = _spelled(path), _canonical(value)
            if field is not None and text is not None and len(found) < MOST_FIELDS:
                found.setdefault(field, text)
    except ExpressionError:
        return None
    if not found:
        return None
    fields = json.dumps(sorted(found), ensure_ascii=False)
    return EventKey(fields, _digest(fields, [found[field] for field in sorted(found)]))


def digest_in(fields: str, event: JsonObject) -> int | None:
    """The digest of what an event (its envelope with `data`) says in a key's fields; None where no key can be its."""
    texts: list[str] = []
    for path in _paths(fields):
        text = _canonical(_said(path, event))
        if text is None:
            return None
        texts.append(text)
    return _digest(fields, texts)


def _equalities(condition: Json, context: Mapping[str, Json]) -> Iterator[tuple[Path, Json]]:
    """Fields of the event and values they must be equal to, or the condition does not hold."""
    if isinstance(condition, str):
        single = parse(condition).single
        yield from _of_expression(single, context) if single is not None else ()
    elif isinstance(condition, dict) and "all" in condition:
        for member in condition["all"]:
            yield from _equalities(member, context)
    elif isinstance(condition, dict) and condition.get("operator") == "equals" and condition.get("bound"):
        yield parse_path(condition["field"]), condition["value"]


def _of_expression(node: nodes.Node, context: Mapping[str, Json]) -> Iterator[tuple[Path, Json]]:
    if isinstance(node, nodes.And):
        yield from _of_expression(node.left, context)
        yield from _of_expression(node.right, context)
    elif isinstance(node, nodes.Compare) and [operand.op for operand in node.ops] == ["eq"]:
        sides = (node.expr, node.ops[0].expr)
        for field, value in (sides, sides[::-1]):
            path = _chain(field)
            if path and path[0] in EVENT_NAMES and all(isinstance(part, str) for part in path):
                yield path, _known(value, context)


def _known(node: nodes.Node, context: Mapping[str, Json]) -> Json:
    """A constant, or what stands in the run's context; None for all that is computed and for what the event says."""
    if isinstance(node, nodes.Const):
        return node.value
    path = _chain(node)
    return None if path is None or path[0] in EVENT_NAMES else find(dict(context), path)


def _chain(node: nodes.Node) -> Path | None:
    """`a.b['c']` as a path; None for anything else."""
    parts: list[str | int] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and type(node.arg.value) in (str, int):
            parts.append(node.arg.value)
        else:
            return None
        node = node.node
    return (node.name, *reversed(parts)) if isinstance(node, nodes.Name) else None


def _spelled(path: Path) -> str | None:
    """The path as text, if it can be kept and read again as it is."""
    text = format_path(path)
    if not text.isprintable() or len(text.encode()) > MAX_FIELD_BYTES:
        return None
    try:
        return text if parse_path(text) == path else None
    except ExpressionError:
        return None


@lru_cache(maxsize=1024)
def _paths(fields: str) -> tuple[Path, ...]:
    return tuple(parse_path(field) for field in json.loads(fields))


def _said(path: Path, event: JsonObject) -> Json:
    """As conditions read a field: one that begins with none of the event's names is one of its data."""
    if path[0] not in EVENT_NAMES:
        return find(event.get("data"), path)
    return find(event if path[0] == "event" else event.get(str(path[0])), path[1:])


def _canonical(value: Json) -> str | None:
    """One text for all values that are equal to each other, which no other value has; None where there is no such text.

    null and booleans have none, for they tell few events apart; nor have numbers with a fraction.
    """
    if isinstance(value, str):
        return f"text {value}"
    if type(value) is int or (type(value) is float and value.is_integer()):
        return f"number {int(value)}" if -_LARGEST < value < _LARGEST else None
    return None


def _digest(fields: str, texts: list[str]) -> int:
    said = json.dumps([fields, *texts], ensure_ascii=False).encode()
    return int.from_bytes(blake2b(said, digest_size=8).digest(), "big", signed=True)
