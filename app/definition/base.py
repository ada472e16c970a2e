"""The base every part of a definition shares: frozen, strict about unknown keys, read by field name or alias."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A part of a definition. Unknown keys are refused: a misspelt field must never be ignored in silence.

    Types are strict, since `"5"` for a number or `"no"` for a boolean is a mistake in the document.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_by_alias=True, validate_by_name=True)
