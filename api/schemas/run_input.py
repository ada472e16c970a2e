"""Shapes of what a run may be started with, so that a page can draw a form."""

from pydantic import Field

from api.schemas.base import Answer
from app.json import Json, JsonObject


class InputFieldAnswer(Answer):
    """One field of the form."""

    name: str = Field(description="The property of the input.")
    label: str = Field(description="Its title, or its name.")
    kind: str = Field(
        description="That of an HTML input (`text`, `email`, `url`, `tel`, `number`, `date`, `time`, `datetime-local`, "
        "`checkbox`), `textarea`, `select`, `radio`, or `checkboxes` for several of the options; `json` for what no "
        "plain input takes."
    )
    required: bool
    description: str = Field(description="What to enter; empty when the schema does not say.")
    default: Json = Field(description="What it begins with; null for nothing.")
    options: list[Json] = Field(description="Of `select`, `radio` and `checkboxes`: the values to choose from.")
    labels: list[str] = Field(description="What people read of each of the options.")
    limits: JsonObject = Field(description="As HTML names them: `min`, `max`, `step`, `minlength`, `maxlength`.")


class InputFormAnswer(Answer):
    """A form for one schema."""

    input_schema: JsonObject = Field(description="JSON Schema (2020-12) the input must satisfy.")
    fields: list[InputFieldAnswer] = Field(
        description="Its properties as fields, in their order; none where the schema is of no object with properties."
    )
    examples: list[Json] = Field(description="The schema's `examples`.")


class RunInputAnswer(InputFormAnswer):
    """What a run may be started with."""

    version: int
    alternatives: list[InputFormAnswer] = Field(
        description="Of further manual triggers: an input that fits any of them is taken as well."
    )
