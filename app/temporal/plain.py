"""Messages as plain JSON values, sharing what they hold. For large ones: `dataclasses.asdict` copies every value."""

from dataclasses import fields, is_dataclass
from typing import Any

from app.json import Json


def as_plain(value: Any) -> Json:
    """A message as the payload converter would write it; lists and objects of JSON are not copied but shared."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list) and value and is_dataclass(value[0]):
        return [as_plain(part) for part in value]
    if isinstance(value, dict) and value and is_dataclass(next(iter(value.values()))):
        return {name: as_plain(part) for name, part in value.items()}
    return value
