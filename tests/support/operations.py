"""Every operation under `/v1`, taken from the OpenAPI document, so that a new one cannot be left out."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI

from api.permissions import PERMISSION_OF

NOWHERE = "01890000-0000-7000-8000-000000000000"
"""The id of a thing that is not there."""


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    id: str
    method: str
    path: str
    parameters: tuple[str, ...]

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
    return [
        Operation(
            operation["operationId"],
            method.upper(),
            path,
            tuple(one["name"] for one in operation.get("parameters", []) if one["in"] == "path"),
        )
        for path, methods in app.openapi()["paths"].items()
        if path.startswith("/v1/")
        for method, operation in methods.items()
    ]
