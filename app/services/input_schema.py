"""Whether a run's input fits the JSON Schema of its manual trigger, and an answer the form of its approval.

The check itself is the language's (`app.definition.json_schema`), and so are the words (`app.definition.schema_words`);
here its errors become refusals.
"""

from collections.abc import Sequence

from app.definition.json_schema import TooMuchWork, UnusableSchema, errors_of
from app.definition.problems import Problem
from app.definition.schema_words import problems_in
from app.json import Json, JsonObject
from app.services.errors import Invalid

MAX_PROBLEMS = 50
_TOO_MUCH = "takes too much work to be checked against its schema"
_LESS = "send less, or make the schema simpler"


def problems_of(value: Json, schema: JsonObject, root: str) -> list[Problem]:
    """All that is wrong with the value (at most 50), each at its place below `root`; a missing field at its own.

    Raises `UnusableSchema`.
    """
    try:
        return problems_in(errors_of(value, schema, most=MAX_PROBLEMS), root, most=MAX_PROBLEMS)
    except TooMuchWork:
        return [Problem(root, _TOO_MUCH, _LESS)]


def check_input(value: Json, *schemas: JsonObject) -> None:
    """Whether the input fits one of the schemas. Raises `Invalid` with the problems of the nearest one
    (`invalid_input`), or because that cannot be used (`invalid_input_schema`)."""
    refused: list[list[Problem]] = []
    unusable = ""
    for schema in schemas:
        try:
            found = problems_of(value, schema, "input")
        except UnusableSchema as error:
            unusable = unusable or str(error)
            continue
        if not found:
            return
        refused.append(found)
    if not refused:
        problem = Problem("trigger.input_schema", unusable, "mend the schema and publish again")
        raise Invalid("invalid_input_schema", f"The workflow's input_schema cannot be used: {unusable}", [problem])
    nearest = min(refused, key=_distance)
    of = "" if len(schemas) == 1 else f" (told is what the nearest of its {len(schemas)} manual triggers asks for)"
    raise Invalid("invalid_input", f"The input does not fit the workflow{of}: {_told(nearest)}", nearest)


def check_answer(value: JsonObject, form: JsonObject) -> None:
    """Whether what was filled in answers an approval. Raises `Invalid` (`invalid_answer`)."""
    try:
        found = problems_of(value, form, "answer")
    except UnusableSchema as error:
        problem = Problem("form", str(error), "mend the form and publish again")
        raise Invalid("invalid_answer", f"The approval's form cannot be used: {error}", [problem]) from None
    if found:
        raise Invalid("invalid_answer", f"The answer does not fit the approval's form: {_told(found)}", found)


def _told(found: Sequence[Problem]) -> str:
    more = f" (and {len(found) - 5} more)" if len(found) > 5 else ""
    return "; ".join(f"{problem.path}: {problem.message}" for problem in found[:5]) + more


def _distance(found: Sequence[Problem]) -> int:
    """What is wrong with the whole input weighs more than anything that is wrong with its parts."""
    return sum(MAX_PROBLEMS if problem.path == "input" else 1 for problem in found)
