"""Every operation under `/v1`, taken from the OpenAPI document, so that a new one cannot be left out."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI

from api.permissions import PERMISSION_OF
from app.json import Json, JsonObject

NOWHERE = "01890000-0000-7000-8000-000000000000"
"""The id of a thing that is not there."""


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    id: str
    method: str
    path: str
    parameters: tuple[str, ...]
    """Those of the path."""
    query: tuple[str, ...]
    body: tuple[str, ...]
    """The fields of the body, those of its parts too."""

    @property
    def permission(self) -> str:
        return PERMISSION_OF[self.id]

    @property
    def of_platform(self) -> bool:
        return self.permission.startswith("platform:")

    def at(self, ids: Mapping[str, str]) -> str:
        return self.path.format(**{name: ids.get(name, NOWHERE) for name in self.parameters})


def operations(app: FastAPI) -> list[Operation]:
    """All under `/v1`, as the application's document has them; it is made once, and takes a second."""
    document = app.openapi()
    return [
        Operation(
            operation["operationId"],
            method.upper(),
            path,
            _parameters(operation, "path"),
            _parameters(operation, "query"),
            tuple(sorted(_fields(operation.get("requestBody", {}), document["components"]["schemas"], set()))),
        )
        for path, methods in document["paths"].items()
        if path.startswith("/v1/")
        for method, operation in methods.items()
    ]


def _parameters(operation: JsonObject, where: str) -> tuple[str, ...]:
    return tuple(one["name"] for one in operation.get("parameters", []) if one["in"] == where)


def _fields(part: Json, schemas: JsonObject, seen: set[str]) -> set[str]:
    if isinstance(part, list):
        return {name for each in part for name in _fields(each, schemas, seen)}
    if not isinstance(part, dict):
        return set()
    found = set(part["properties"]) if isinstance(part.get("properties"), dict) else set()
    name = str(part.get("$ref", "")).rpartition("/")[2]
    if name and name not in seen:
        seen.add(name)
        found |= _fields(schemas[name], schemas, seen)
    return found | {name for each in part.values() for name in _fields(each, schemas, seen)}
