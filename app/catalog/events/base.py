"""What a catalog entry says about a type of event. Descriptions only: events of any other type are as welcome.

The fields are those that are known of an event's data. Nothing is required and everything else may stand beside them:
who sends the event decides what is in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.json import JsonObject


@dataclass(frozen=True, kw_only=True)
class EventType:
    """One thing that can happen. `fields` are JSON Schemas by name, `example` is data that has them."""

    id: str
    title: str
    description: str
    fields: Mapping[str, JsonObject] = field(default_factory=dict)
    example: JsonObject = field(default_factory=dict)

    @property
    def category(self) -> str:
        """The module: the part of the id before the first dot."""
        return self.id.partition(".")[0]

    @property
    def entity(self) -> str:
        """What it happened to: the part after that, or the module itself."""
        parts = self.id.split(".")
        return parts[1] if len(parts) > 2 else parts[0]

    @property
    def data_schema(self) -> JsonObject | None:
        """JSON Schema (2020-12) of the event's data; None where no field of it is known."""
        if not self.fields:
            return None
        return {"type": "object", "properties": dict(self.fields), "additionalProperties": True}


@dataclass(frozen=True)
class Entity:
    """What events happen to, with the fields that all of its events have."""

    name: str
    fields: Mapping[str, JsonObject] = field(default_factory=dict)
    example: JsonObject = field(default_factory=dict)

    def event(
        self,
        verb: str,
        title: str,
        description: str,
        fields: Mapping[str, JsonObject] | None = None,
        example: JsonObject | None = None,
    ) -> EventType:
        """An event of it: its own fields beside those of the entity."""
        return EventType(
            id=f"{self.name}.{verb}",
            title=title,
            description=description,
            fields={**self.fields, **(fields or {})},
            example={**self.example, **(example or {})},
        )


def identity(description: str) -> JsonObject:
    """A field that names something."""
    return {"type": "string", "description": description}


def text(description: str) -> JsonObject:
    """A field of text that may be empty."""
    return {"type": ["string", "null"], "description": description}


def choice(description: str, *values: str) -> JsonObject:
    """A field that has one of some values."""
    return {"type": "string", "enum": list(values), "description": description}


def number(description: str) -> JsonObject:
    """A field that counts or measures."""
    return {"type": ["number", "null"], "description": description}


def flag(description: str) -> JsonObject:
    """A field that is true or false."""
    return {"type": ["boolean", "null"], "description": description}


def texts(description: str) -> JsonObject:
    """A field with a list of texts."""
    return {"type": ["array", "null"], "items": {"type": "string"}, "description": description}


def mapping(description: str) -> JsonObject:
    """A field with values by name."""
    return {"type": ["object", "null"], "description": description}


def anything(description: str) -> JsonObject:
    """A field of which no type is known."""
    return {"description": description}
