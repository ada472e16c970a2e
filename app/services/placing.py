"""Places of steps in a draft: where one stands, which list a new one belongs to, what order siblings take. Pure.

A place is a path of keys and indices into the canonical document: `("steps", 2, "branches", 0, "steps", 1)`.
"""

import re
from collections.abc import Mapping, Sequence, Set
from typing import NoReturn

from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.paths import format_path
from app.definition.problems import Problem
from app.definition.steps import ConditionStep, LoopStep, ParallelStep, RepeatStep, Step
from app.definition.tree import walk_paths
from app.json import Json, JsonObject
from app.services.errors import Invalid, NotFound

_MAX_ID_LENGTH = 64
_ROOM_FOR_NUMBER = 8
_APART = ("error_steps", "compensate")
"""Lists every step may hold; a new step goes there only by name."""


def path_of(definition: Definition, step_id: str) -> Path:
    """Where the step stands. Raises `NotFound`."""
    for path, step in walk_paths(definition):
        if step.id == step_id:
            return path
    raise NotFound("step_not_found", f"The draft has no step {step_id!r}.")


def slot(document: JsonObject, path: Path) -> tuple[list[JsonObject], int]:
    """The list a step stands in, and its index there."""
    return list_at(document, path[:-1]), _index(path)


def list_at(document: JsonObject, place: Path) -> list[JsonObject]:
    """The list of steps at this place; made there when the document leaves it out because it is empty."""
    holder: Json = document
    for part in place[:-1]:
        holder = holder[part]
    steps: list[JsonObject] = holder.setdefault(place[-1], [])
    return steps


def described(definition: Definition, document: JsonObject, path: Path) -> JsonObject:
    """The step at this path as it is written, with where it stands."""
    siblings, index = slot(document, path)
    in_branch = len(path) > 4 and path[-4] == "branches"
    outer, branch = (path[:-4], path[-3]) if in_branch else (path[:-2], path[-2])
    parent = next((step.id for place, step in walk_paths(definition) if place == outer), None)
    return {
        **siblings[index],
        "position": index,
        "parent": parent,
        "branch": None if path[:-1] == ("steps",) else branch,
        "path": format_path(path),
    }


def list_place(definition: Definition, parent: str | None, branch: str | int | None) -> Path:
    """The list a new step belongs to. Raises `NotFound` for the parent, `Invalid` (`invalid_branch`) for the branch."""
    if parent is None:
        lists: dict[str, Path] = {"steps": ("steps",), "finally": ("finally",)}
        return _chosen("steps" if branch is None else branch, lists, "the definition")
    here = path_of(definition, parent)
    step = next(step for path, step in walk_paths(definition) if path == here)
    lists = {name: (*here, *inner) for name, inner in _lists(step).items()}
    if branch is None:
        own = list(dict.fromkeys(place for name, place in lists.items() if name not in _APART))
        if len(own) == 1:
            return own[0]
    return _chosen(branch, lists, f"the step {parent!r} ({step.type})")


def _lists(step: Step) -> dict[str, Path]:
    """The lists a step may hold, by every name each can be called."""
    named: dict[str, Path] = {}
    if isinstance(step, LoopStep | RepeatStep):
        named["steps"] = ("steps",)
    if isinstance(step, ConditionStep | ParallelStep):
        names = [branch.name for branch in step.branches]
        named |= {name: ("branches", index, "steps") for index, name in enumerate(names) if name}
        named |= {str(index): ("branches", index, "steps") for index in range(len(names))}
    if isinstance(step, ConditionStep):
        named["else"] = ("else",)
    return {**named, **{name: (name,) for name in _APART}}


def _chosen(branch: str | int | None, lists: Mapping[str, Path], where: str) -> Path:
    if branch is not None and str(branch) in lists:
        return lists[str(branch)]
    said = f"{where} has several lists of steps" if branch is None else f"{where} has no list {str(branch)!r}"
    problem = Problem("branch", said, f"one of: {', '.join(lists)}")
    raise Invalid("invalid_branch", f"It is not clear where the step belongs: {said}; {problem.hint}.", [problem])


def new_id(step: JsonObject, taken: Set[str]) -> str:
    """An id for a step that has none: `send` for the action `email.send`, `send_2` when that is taken."""
    kind = str(step.get("action") or step.get("type") or "step").rpartition(".")[2].lower()
    base = re.sub(r"[^a-z0-9]+", "_", kind)[: _MAX_ID_LENGTH - _ROOM_FOR_NUMBER].strip("_")
    if not re.match("[a-z]", base):
        base = f"step_{base}".rstrip("_")
    number, chosen = 1, base
    while chosen in taken:
        number += 1
        chosen = f"{base}_{number}"
    return chosen


def common_list(definition: Definition, document: JsonObject, step_ids: Sequence[str]) -> list[JsonObject]:
    """The list all of these steps stand in. Raises `NotFound`, or `Invalid` (`invalid_order`) for several lists."""
    places = {path_of(definition, step_id)[:-1] for step_id in step_ids}
    if len(places) > 1:
        _refuse("the steps stand in different lists; order each list by itself")
    return list_at(document, places.pop())


def in_order(siblings: Sequence[str], order: Sequence[str]) -> list[str]:
    """The siblings as `order` names them, each once. Raises `Invalid` (`invalid_order`)."""
    if missing := [step_id for step_id in siblings if step_id not in order]:
        _refuse(f"order leaves out {', '.join(missing)}; name every sibling once")
    if len(order) != len(siblings):
        _refuse("order names a step twice")
    return list(order)


def moved(siblings: Sequence[str], positions: Mapping[str, int]) -> list[str]:
    """The siblings with some at new places (from 0), the others in their order around them."""
    if len(set(positions.values())) < len(positions):
        _refuse("action_positions gives two steps the same place")
    if wrong := [step_id for step_id, position in positions.items() if not 0 <= position < len(siblings)]:
        _refuse(f"action_positions: {', '.join(wrong)} would stand outside of 0 to {len(siblings) - 1}")
    at = {position: step_id for step_id, position in positions.items()}
    others = iter([step_id for step_id in siblings if step_id not in positions])
    return [at[index] if index in at else next(others) for index in range(len(siblings))]


def _index(path: Path) -> int:
    index = path[-1]
    assert isinstance(index, int), "a step's path ends with its index"
    return index


def _refuse(said: str) -> NoReturn:
    raise Invalid("invalid_order", f"The steps cannot be ordered so: {said}.")
