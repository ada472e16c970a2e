"""What the tests of the checks share: a small catalog, and the problems of a definition as (path, message)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.definition.check import check
from app.definition.parse import parse
from app.definition.problems import Problem
from app.json import Json, JsonObject


class Inputs(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class SendInputs(Inputs):
    to: str | list[str]
    subject: str = Field(max_length=20)
    from_: str | None = Field(None, alias="from")
    method: Literal["fast", "slow"] = "fast"
    size: int = 1
    html: str | None = None
    text: str | None = None
    any_: Json = Field(None, alias="any")

    @model_validator(mode="after")
    def _has_one_body(self) -> "SendInputs":
        if self.html is not None and self.text is not None:
            raise ValueError("give either html or text")
        if self.subject == "{{ forbidden }}":
            raise ValueError("this subject cannot be sent")
        return self


class MapInputs(Inputs):
    source: Json = None
    mapping: JsonObject


@dataclass(frozen=True)
class Entry:
    id: str
    inputs: type[BaseModel]
    connection: str | None = None
    connection_required: bool = False
    local_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def takes(self, kind: str) -> bool:
        """Whether it can use a connection of the kind."""
        return kind == self.connection


SEND = Entry("mail.send", SendInputs, connection="smtp", connection_required=True)
CALL = Entry("web.call", Inputs, connection="http")
MAP = Entry("data.map", MapInputs, local_names={"mapping": ("source", "*source")})
ACTIONS = {"mail.send": SEND, "send": SEND, "web.call": CALL, "data.map": MAP}
CONNECTIONS = {"post": "smtp", "crm": "http"}


def problems_of(
    definition: JsonObject,
    *,
    connections: Mapping[str, str] | None = CONNECTIONS,
    max_steps: int = 50,
    max_depth: int = 16,
) -> list[Problem]:
    """The problems of a document that fits the models."""
    return check(parse(definition), actions=ACTIONS, connections=connections, max_steps=max_steps, max_depth=max_depth)


def found(*steps: JsonObject, **head: Json) -> list[tuple[str, str]]:
    """Path and message of each problem of a workflow with these steps."""
    return [(problem.path, problem.message) for problem in problems_of({"steps": list(steps), **head})]


def shows(step_id: str, value: Json, **fields: Json) -> JsonObject:
    """A step that evaluates a value."""
    return {"id": step_id, "type": "transform", "mapping": {"x": value}, **fields}


def when(*steps: JsonObject) -> JsonObject:
    """A branch of a condition."""
    return {"when": True, "steps": list(steps)}


def choice(step_id: str, *branches: JsonObject, otherwise: list[JsonObject] | None = None) -> JsonObject:
    return {
        "id": step_id,
        "type": "condition",
        "branches": list(branches),
        **({"else": otherwise} if otherwise else {}),
    }


def together(step_id: str, **branches: list[JsonObject]) -> JsonObject:
    """A parallel step by branch name."""
    return {
        "id": step_id,
        "type": "parallel",
        "branches": [{"name": name, "steps": steps} for name, steps in branches.items()],
    }


def each(step_id: str, *steps: JsonObject, **fields: Json) -> JsonObject:
    return {"id": step_id, "type": "loop", "items": [1, 2], "steps": list(steps), **fields}


def again(step_id: str, *steps: JsonObject, **fields: Json) -> JsonObject:
    """A repeat; `until` and `while` as they are given, else until true."""
    ends = {} if {"until", "while"} & set(fields) else {"until": True}
    return {"id": step_id, "type": "repeat", "steps": list(steps), **ends, **fields}


def undone(step_id: str, *compensate: JsonObject, **fields: Json) -> JsonObject:
    """A step with those that undo it."""
    return shows(step_id, 1, compensate=list(compensate), **fields)
