"""The one alias for JSON values. Everything that crosses a wall of the house (API, Temporal, database) is `Json`."""

from typing import Any, TypeAlias

Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]
