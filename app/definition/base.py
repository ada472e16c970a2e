"""The base every part of a definition shares: frozen, strict about unknown keys, read by field name or alias."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A part of a definition. Unknown keys are refused: a misspelt field must never be ignored in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=False)
