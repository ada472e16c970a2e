"""The manual trigger: a request starts the run."""

from typing import Literal

from pydantic import Field, model_validator

from app.definition.base import Document
from app.definition.property_order import noted
from app.json import Json, JsonObject


class ManualTrigger(Document):
    """Started by a request; `input_schema` is a JSON Schema (2020-12) the request's input must satisfy."""

    type: Literal["manual"]
    input_schema: JsonObject | None = Field(None, description="JSON Schema (2020-12) of the input; absent = anything.")
    order: list[str] = Field(
        default_factory=list,
        description="Names of the input's properties in the order a page asks for them, which JSON does not keep. "
        "Absent = as they stand in what was sent; those it does not name come last.",
    )

    @model_validator(mode="before")
    @classmethod
    def _in_order(cls, value: Json) -> Json:
        return noted(value, "input_schema")
