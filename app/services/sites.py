"""Where the steps of a definition stand, and what the path of a step in a run says of it. Pure: no run is looked at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.definition.model import Definition
from app.definition.steps import ConditionStep, LoopStep, ParallelStep, Place, RepeatStep, Step

CONTAINERS = (ConditionStep, LoopStep, RepeatStep, ParallelStep)
"""The kinds whose work is other steps."""

_LEVEL = re.compile(r"([a-z][a-z0-9_]*)(?:\[(0|[1-9]\d*)\])?")


@dataclass(frozen=True, eq=False)
class Site:
    """A step where it stands: `around` is the step it is in, `place` its list there, `position` its index in that."""

    step: Step
    siblings: Sequence[Step]
    position: int
    place: Place
    around: "Site | None"
    ending: bool
    """Walked once the body has ended: in `finally`, or to undo a step."""


@dataclass(frozen=True)
class Level:
    """One of the steps a path leads through, from the outside in. `index`: the item or iteration it goes on into."""

    prefix: str
    step_id: str
    index: int | None

    @property
    def path(self) -> str:
        """The path of this step."""
        return f"{self.prefix}{self.step_id}"

    @property
    def item(self) -> str:
        """The path of the item or iteration, `each[3]`; that of the step where there is none."""
        return self.path if self.index is None else f"{self.path}[{self.index}]"


def sites_of(definition: Definition) -> dict[str, Site]:
    """Every step of the definition by its id."""
    found: dict[str, Site] = {}
    _collect(definition.steps, ("steps",), None, False, found)
    _collect(definition.finally_, ("finally",), None, True, found)
    return found


def _collect(steps: Sequence[Step], place: Place, around: Site | None, ending: bool, found: dict[str, Site]) -> None:
    for position, step in enumerate(steps):
        site = found[step.id] = Site(step, steps, position, place, around, ending)
        for inner, children in step.children():
            _collect(children, inner, site, ending or inner == ("compensate",), found)


def levels(path: str) -> list[Level]:
    """The steps that `each[3].nudge` leads through. Raises `ValueError` for what is no path."""
    found: list[Level] = []
    prefix = ""
    for segment in path.split("."):
        match = _LEVEL.fullmatch(segment)
        if match is None:
            raise ValueError(f"{path!r} is no path of a step")
        found.append(Level(prefix, match[1], None if match[2] is None else int(match[2])))
        prefix += f"{segment}."
    return found


def step_id_of(path: str) -> str:
    """The id of the step at this path."""
    return path.rpartition(".")[2]


def undone_by(site: Site, path: str) -> str | None:
    """The path of the step that the step at `path` helps to undo; None for a step that undoes nothing."""
    owner, depth = None, 1
    here: Site | None = site
    while here is not None:
        if here.place == ("compensate",):
            owner = ".".join(path.split(".")[: -(depth + 1)])
        here, depth = here.around, depth + 1
    return owner
