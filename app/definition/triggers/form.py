"""The form trigger: what somebody filled in starts the run."""

from typing import Literal

from pydantic import Field

from app.definition.base import Document
from app.json import JsonObject


class FormTrigger(Document):
    """Started by each submission of the workflow's form."""

    type: Literal["form"]
    fields: JsonObject = Field(description="JSON Schema (2020-12) of what is filled in: an object with `properties`.")
