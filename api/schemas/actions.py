"""Shapes of a draft's steps, one by one. The step itself has the shape of the definition language, by its kind."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from api.schemas.base import Answer, RequestModel
from app.definition.dialects import step_dialect
from app.json import Json, JsonObject

StepPosition = Annotated[int, Field(ge=0, le=10_000, description="Place among its siblings, from 0.")]


class NewStep(RequestModel):
    """A step and where it belongs. Besides `position`, `parent` and `branch` it has the fields of its kind."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "id": "nudge",
                    "action": "email.send",
                    "connection": "smtp-main",
                    "inputs": {"to": "{{ trigger.email }}", "subject": "Still there?", "body": "<p>Hello</p>"},
                    "position": 1,
                }
            ]
        },
    )

    type: str = Field("action", description="Kind of step.")
    position: StepPosition | None = Field(None, description="Place among its siblings, from 0; the end when left out.")
    parent: str | None = Field(None, description="Id of the step it stands in; the top when left out.")
    branch: str | int | None = Field(
        None,
        description="Which list of the parent: a branch's index or name, `else`, `steps`, `error_steps` or "
        "`compensate`.",
    )

    def step(self) -> JsonObject:
        """The step alone."""
        return _step(self)


class ChangedStep(RequestModel):
    """The whole step, in the shape of its kind. It stays where it stands: what an answer says of its place may come
    along, and changes nothing."""

    model_config = ConfigDict(extra="allow")

    type: str = Field("action", description="Kind of step.")
    path: str | None = None
    position: int | None = None
    parent: str | None = None
    branch: str | int | None = None
    read_as: Json = None

    def step(self) -> JsonObject:
        """The step alone."""
        return _step(self)


def _step(body: NewStep | ChangedStep) -> JsonObject:
    """The fields of a step; one of another dialect says its kind by a key of its own."""
    fields = body.model_extra or {}
    return fields if step_dialect(fields) and "type" not in body.model_fields_set else {"type": body.type, **fields}


class StepOrder(RequestModel):
    """A new order of siblings: all of them in `order`, or some of them with their places."""

    order: list[str] | None = Field(None, description="Ids of all siblings in their new order.")
    action_positions: dict[str, StepPosition] | None = Field(None, description="New places by id, from 0.")

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> "StepOrder":
        if (self.order is None) == (self.action_positions is None):
            raise ValueError("give either order or action_positions")
        return self


class StepAnswer(Answer):
    """A step of the draft: the fields of its kind, and where it stands. `read_as` stands beside in the answer to a step
    in another dialect."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str
    path: str = Field(description="JSON path in the definition.", examples=["steps[2].branches[0].steps[1]"])
    position: int = Field(description="Place among its siblings, from 0.")
    parent: str | None = Field(description="Id of the step it stands in; null at the top.")
    branch: str | int | None = Field(description="Which list of the parent it stands in.")
