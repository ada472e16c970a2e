"""The one alias for JSON values, and how large one is. Everything that crosses a wall of the house (API, Temporal,
database) is `Json`."""

import json
from typing import Any, TypeAlias

Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def json_size(value: Json) -> int:
    """Bytes of a value as JSON without blanks in UTF-8; half of a surrogate pair counts as three."""
    return len(_encode(value).encode("utf-8", "surrogatepass"))
