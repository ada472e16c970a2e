"""Turn what pydantic says about data into `Invalid` with a list of problems. Knows no model."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.definition.nearest import suggestion
from app.definition.problems import Problem
from app.json import Json
from app.services.errors import Invalid

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], data: Json, *, code: str, subject: str, root: str = "") -> M:
    """`data` as an instance of `model`. Raises `Invalid` with every problem; values are never repeated in it.

    `subject` begins the sentence ("the workspace's settings"), `root` the paths.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [
            Problem(_path(root, found["loc"]), _message(found), _hint(model, found["type"], found["loc"]))
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = problems[0]
        raise Invalid(code, f"{subject} cannot be taken: {first.path or 'value'}: {first.message}", problems) from None


def _path(root: str, location: Sequence[str | int]) -> str:
    path = root
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _message(found: ErrorDetails) -> str:
    """In the words of the rest of the language where pydantic speaks of its own."""
    kind, said = found["type"], found["msg"]
    if kind == "extra_forbidden":
        return f"unknown key '{found['loc'][-1]}'"
    if kind == "missing":
        return f"'{found['loc'][-1]}' is required"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "expected an object"
    return said.removeprefix("Value error, ")


def _hint(model: type[BaseModel], kind: str, location: Sequence[str | int]) -> str:
    if kind == "extra_forbidden" and len(location) == 1:
        names = [field.alias or name for name, field in model.model_fields.items()]
        return suggestion(str(location[0]), names, what="known keys") or "no keys are taken here"
    return ""
