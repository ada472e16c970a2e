"""A document with what has not the shape of a definition taken out, so that the rest of it can be checked all the same.

Only for telling an author every problem at once: what comes out of here is never stored, published or run.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field

from app.definition.errors import ExpressionError, Path
from app.definition.model import Definition
from app.definition.parse import parse
from app.definition.paths import format_path, parse_path
from app.definition.problems import DefinitionInvalid, Problem
from app.json import Json, JsonObject

ROUNDS = 5
"""Taking one thing out may show the next."""

_STEP_LISTS = ("steps", "error_steps", "compensate", "else", "finally")
_MAY_BE_LEFT_OUT = (
    "name", "description", "enabled", "retry", "timeout", "on_error", "concurrency", "max_iterations", "wait_for",
    "on_branch_error", "on_exhausted", "interval", "compensate",
)  # fmt: skip


class _NothingLeft(Exception):
    """What would be left says nothing about the document."""


@dataclass
class Mended:
    """What is left, and what went: ids and names nobody can be blamed for missing, and places that hold a stand-in.

    `incomplete` steps had an unknown key, which may be what they lack now.
    """

    definition: Definition
    lost: list[str]
    stand_ins: list[str]
    incomplete: list[str]

    def concerns(self, problem: Problem) -> bool:
        """Whether a problem found in what is left is one of the author's, not one of taking things out."""
        if problem.path in self.incomplete:
            return False
        if any(
            problem.path == place or problem.path.startswith((f"{place}.", f"{place}[")) for place in self.stand_ins
        ):
            return False
        return not any(f"'{name}'" in problem.message or f"steps.{name}" in problem.message for name in self.lost)


@dataclass
class _Mending:
    document: JsonObject
    lost: list[str] = field(default_factory=list)
    stand_ins: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)


def mended(document: Json, problems: Sequence[Problem]) -> Mended | None:
    """The definition without what `problems` complain of; None when nothing worth checking is left."""
    if not isinstance(document, dict):
        return None
    mending = _Mending(deepcopy(document))
    for _ in range(ROUNDS):
        try:
            for problem in problems:
                # What stood at one problem's place may have gone with another's.
                with suppress(LookupError, TypeError):
                    _take_out(mending, parse_path(problem.path), problem)
            return Mended(parse(mending.document), mending.lost, mending.stand_ins, mending.incomplete)
        except DefinitionInvalid as error:
            problems = error.problems
        except (ExpressionError, _NothingLeft):
            return None
    return None


def _take_out(mending: _Mending, path: Path, problem: Problem) -> None:
    step = _innermost_step(path)
    if problem.message.startswith("unknown key"):
        _at(mending.document, path[:-1]).pop(path[-1], None)
        mending.incomplete.append(format_path(path[:-1]))
        if "steps" not in mending.document:
            # They may be what the unknown key was to be.
            mending.stand_ins.append("steps")
    elif not step:
        # The head's parts can be left out; the names a trigger would have given are not missed then.
        if path[0] in ("variables", "steps"):
            raise _NothingLeft
        mending.document.pop(str(path[0]), None)
        mending.lost.extend(["event", "trigger"] if str(path[0]).startswith("trigger") else [])
    elif condition := _condition(mending.document, step, path):
        _put(mending.document, condition, "{{ true }}")
    elif path[len(step) :][:1] == ("id",):
        _at(mending.document, step)["id"] = _new_id(step)
    elif len(path) > len(step) and path[len(step)] in _MAY_BE_LEFT_OUT:
        _at(mending.document, step).pop(path[len(step)], None)
    else:
        _stand_in(mending, step)


def _stand_in(mending: _Mending, path: Path) -> None:
    """Put a step that does nothing in the place of one that cannot be read; its id stays, those inside it are lost."""
    step = _at(mending.document, path)
    own = step.get("id") if isinstance(step, dict) else None
    id_ = own if isinstance(own, str) else _new_id(path)
    mending.lost.extend(inner for inner in _ids(step) if inner != id_)
    mending.stand_ins.append(format_path(path))
    _put(mending.document, path, {"id": id_, "type": "transform", "mapping": {"stand_in": True}})


def _innermost_step(path: Path) -> Path:
    """The part of the path that leads to the innermost step; empty when it leads into none."""
    ends = [i for i in range(1, len(path)) if isinstance(path[i], int) and path[i - 1] in _STEP_LISTS]
    return path[: ends[-1] + 1] if ends else ()


def _condition(document: Json, step: Path, path: Path) -> Path:
    """The condition the path leads into, of the step or of a branch of it; empty when it leads into none."""
    if "when" in path[len(step) :]:
        return path[: path.index("when", len(step)) + 1]
    # A delay's `until` is none.
    repeats = path[len(step) :][:1] in (("until",), ("while",)) and _at(document, step).get("type") == "repeat"
    return path[: len(step) + 1] if repeats else ()


def _ids(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("id"), str) and "type" in value:
            yield value["id"]
        for part in value.values():
            yield from _ids(part)
    elif isinstance(value, list):
        for part in value:
            yield from _ids(part)


def _new_id(path: Path) -> str:
    return "unnamed_" + "_".join(str(part) for part in path if isinstance(part, int))


def _at(value: Json, path: Path) -> Json:
    for part in path:
        value = value[part]
    return value


def _put(document: Json, path: Path, value: Json) -> None:
    _at(document, path[:-1])[path[-1]] = value
