"""Shapes of forms: where they are, what they ask, and what comes of a submission."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestModel
from app.json import Json, JsonObject


class SubmissionRequest(RequestModel):
    """What somebody filled in."""

    fields: JsonObject = Field(description="Values by the names of the form's properties.")
    contact_me_by_fax: str = Field("", description="A trap for programs: people leave it empty.", max_length=1000)


class SubmissionAnswer(Answer):
    """The submission is kept."""

    submission_id: UUID
    run_id: UUID | None = Field(description="The run it started; null when it started none, or none yet.")


class ChoiceAnswer(Answer):
    """One of several answers."""

    value: Json
    label: str


class FormFieldAnswer(Answer):
    """One field of a form, as its page draws it."""

    name: str
    key: str = Field(description="What the page calls it where a browser sends the form.")
    label: str
    hint: str
    kind: Literal[
        "text", "textarea", "email", "url", "tel", "number", "date", "time", "datetime-local", "checkbox", "select",
        "radio", "checkboxes",
    ]  # fmt: skip
    required: bool
    choices: list[ChoiceAnswer] | None = Field(description="What people choose from; null where they write.")
    autocomplete: str | None = Field(description="What a browser may fill in: HTML's `autocomplete`.")


class FormSchemaAnswer(Answer):
    """What a page needs that draws the form itself."""

    form_id: str
    title: str
    description: str
    submit_label: str
    language: str
    open: bool = Field(description="Whether submissions are taken.")
    json_schema: JsonObject = Field(serialization_alias="schema", description="JSON Schema (2020-12) of the fields.")
    fields: list[FormFieldAnswer]
    trap: str = Field(description="A field that people do not see and leave empty; what fills it in is no person.")


class FormAnswer(Answer):
    """A form of a workflow."""

    form_id: str
    title: str
    address: str = Field(description="Where people find it. It stays as long as its `form_id` in the definition does.")
    position: int = Field(description="Place of its trigger among all triggers of the definition, from 0.")
    active: bool = Field(description="Whether submissions are taken.")
    json_schema: JsonObject = Field(serialization_alias="schema", description="JSON Schema (2020-12) of the fields.")
    fields: list[FormFieldAnswer]
