"""Which dialect a document is written in, told from keys that no other dialect has. None: the language itself."""

from collections.abc import Iterator

from app.definition.errors import Path
from app.json import Json, JsonObject

DIALECTS: dict[str, str] = {
    "flat": "flat, ordered steps (step_type, position)",
    "linked": "linked steps (stepId, nextStepId)",
    "actions": "actions in a row (action_type, action_config)",
    "wizard": "an event of a wizard (event_trigger, execution_order)",
}
"""Each dialect by its name, with one line about it."""

_LINKED = ("stepType", "stepId", "nextStepId")
_FLAT = frozenset({"input_mapping", "output_key", "error_branch_step_id", "retry_delay_seconds"})
_WIZARD = ("execution_order", "action_name", "output_handling", "loading_message")


class Mixed(Exception):
    """Parts of the document are written in different dialects."""

    def __init__(self, place: Path, message: str) -> None:
        super().__init__(message)
        self.place, self.message = place, message


def dialect_of(document: JsonObject) -> str | None:
    """The dialect of a definition. Raises Mixed."""
    if "event_trigger" in document:
        return "wizard"
    if (actions := _objects(document.get("actions"))) and any("action_type" in each for _, each in actions):
        if "steps" in document:
            raise Mixed(("actions",), "actions and steps cannot both stand here")
        return "wizard" if any(key in each for _, each in actions for key in _WIZARD) else "actions"
    found: dict[str, int] = {}
    for index, step in _objects(document.get("steps")):
        found.setdefault(step_dialect(step, alone=False) or "", index)
    if len(found) > 1:
        names = [name or "the language itself" for name in found]
        raise Mixed(("steps", max(found.values())), f"the steps are written in several ways: {', '.join(names)}")
    named = next(iter(found), "")
    if named == "" and not found and ("trigger_type" in document or "trigger_config" in document):
        return "flat"
    return named or None


def step_dialect(step: JsonObject, *, alone: bool = True) -> str | None:
    """The dialect of one step. A key `type` is the language's own, unless a stronger sign stands beside it.

    Where nothing else tells where a step `alone` comes from, what its action is called does; in a list of `steps` it is
    one of those.
    """
    if any(key in step for key in _LINKED):
        return "linked"
    if "step_type" in step:
        return "flat"
    if "action_type" not in step or "type" in step:
        return None
    if any(key in step for key in _WIZARD) or ("config" in step and "action_config" not in step):
        return "wizard"
    if any(key.endswith("_action_id") for key in step):
        return "actions"
    return "actions" if alone and "." not in str(step["action_type"]) and not _FLAT & step.keys() else "flat"


def _objects(value: Json) -> list[tuple[int, JsonObject]]:
    return list(_numbered(value)) if isinstance(value, list) else []


def _numbered(values: list[Json]) -> Iterator[tuple[int, JsonObject]]:
    yield from ((index, value) for index, value in enumerate(values) if isinstance(value, dict))
