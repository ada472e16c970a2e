"""Where a document names a connection: whatever its state and spelling, since a draft may be anything. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.json import Json

_DATA = frozenset({"inputs", "variables"})
"""What stands below these is a workflow's own data, where a `connection` is none of ours."""


@dataclass(frozen=True)
class ConnectionUse:
    """A place that names a connection: its path, and id and name of the step that it is in; None in a trigger."""

    path: str
    step_id: str | None
    step_name: str | None


def connection_uses(document: Json, name: str) -> list[ConnectionUse]:
    """All places of a document that name this connection, in its order."""
    return list(_found(document, name, "", (None, None)))


def _found(value: Json, name: str, path: str, step: tuple[str | None, str | None]) -> Iterator[ConnectionUse]:
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _found(item, name, f"{path}[{place}]", step)
    elif isinstance(value, dict):
        if isinstance(value.get("id"), str) and ("type" in value or "action" in value):
            step = value["id"], str(value["name"]) if value.get("name") else None
        if value.get("connection") == name:
            yield ConnectionUse(path, *step)
        for key, item in value.items():
            if key not in _DATA:
                yield from _found(item, name, f"{path}.{key}" if path else key, step)
