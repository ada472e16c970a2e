"""Documents to definitions and back: reading, explaining what does not fit, the canonical form, its schema and digest.

Only shape is judged here, all of it at once; what makes a definition publishable is `check.py`.
"""

import hashlib
import json
from functools import lru_cache

from pydantic import TypeAdapter, ValidationError

from app.definition.explain import explain
from app.definition.model import Definition
from app.definition.problems import DefinitionInvalid, Problem
from app.definition.reading import read_text, shape_problems
from app.definition.schema import definition_schema
from app.definition.steps import Step
from app.definition.values import described
from app.json import Json, JsonObject

__all__ = ["digest", "dump", "dump_step", "json_schema", "parse", "parse_step", "read_text"]

_STEP: TypeAdapter[Step] = TypeAdapter(Step)


def parse(document: Json) -> Definition:
    """The definition a document stands for. Raises DefinitionInvalid with every problem of its shape."""
    _require_object(document, "a definition")
    try:
        # By alias alone, so that what is stored has one spelling.
        return Definition.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise DefinitionInvalid(explain(error, document, Definition)) from None


def parse_step(document: Json) -> Step:
    """One step, with all that is inside it; paths of problems begin at the step. Raises DefinitionInvalid."""
    _require_object(document, "a step")
    try:
        return _STEP.validate_python(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise DefinitionInvalid(explain(error, document, Step)) from None


def _require_object(document: Json, what: str) -> None:
    if not isinstance(document, dict):
        raise DefinitionInvalid([Problem("", f"{what} is an object, not {_named(document)}")])
    if problems := shape_problems(document):
        raise DefinitionInvalid(problems)


def _named(value: Json) -> str:
    return described(value) if isinstance(value, str | int | float | list | None) else type(value).__name__


def dump(definition: Definition) -> JsonObject:
    """The canonical document: keys as they are written, what says no more than the default left out."""
    return definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def dump_step(step: Step) -> JsonObject:
    """As `dump`, of one step."""
    return step.model_dump(mode="json", by_alias=True, exclude_defaults=True)


@lru_cache(maxsize=1)
def _schema() -> str:
    return json.dumps(definition_schema())


def json_schema() -> JsonObject:
    """JSON Schema (2020-12) of a definition, for editors; a copy of its own for each caller."""
    schema: JsonObject = json.loads(_schema())
    return schema


def digest(document: Json) -> str:
    """SHA-256 of the canonical JSON (sorted keys, no spaces) in hexadecimal: equal documents, equal digests."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
