"""The manual trigger: a request starts the run."""

from typing import Literal

from pydantic import Field

from app.definition.base import Document
from app.json import JsonObject


class ManualTrigger(Document):
    """Started by a request; `input_schema` is a JSON Schema (2020-12) the request's input must satisfy."""

    type: Literal["manual"]
    input_schema: JsonObject | None = Field(None, description="JSON Schema (2020-12) of the input; absent = anything.")
