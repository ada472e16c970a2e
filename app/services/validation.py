"""Turn what pydantic says about data into `Invalid` with a list of problems. Knows no model."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

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
            Problem(_path(root, found["loc"]), found["msg"], _hint(model, found["type"], found["loc"]))
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = problems[0]
        raise Invalid(code, f"{subject} cannot be taken: {first.path or 'value'}: {first.message}", problems) from None


def _path(root: str, location: Sequence[str | int]) -> str:
    path = root
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _hint(model: type[BaseModel], kind: str, location: Sequence[str | int]) -> str:
    if kind == "extra_forbidden" and len(location) == 1:
        names = ", ".join(field.alias or name for name, field in model.model_fields.items())
        return f"known keys: {names}" if names else "no keys are taken here"
    return ""
