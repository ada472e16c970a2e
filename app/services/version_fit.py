"""Whether a run can go on with another version of its definition: what it has done must be the same in both. Pure.

Compared are the steps that are kept as finished, each where it stands, and of the steps around the place where the run
goes on everything but the lists of steps inside them. What comes from there on may differ in any way.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from app.definition.model import Definition
from app.definition.parse import dump_step
from app.definition.steps import Place, Step
from app.json import Json, JsonObject
from app.services.cutting import is_over
from app.services.errors import Conflict
from app.services.sites import CONTAINERS, levels, sites_of, step_id_of
from app.temporal.messages import StepRecord


def check_fit(
    old: Definition,
    new: Definition,
    *,
    version: int,
    kept: Mapping[str, StepRecord],
    open_paths: Iterable[str],
    from_step: str,
) -> set[str]:
    """Raises `Conflict` (`version_differs`) naming the first step that differs, and how.

    `kept` are the records the run goes on with, `open_paths` the steps that are walked anew. Answers with the kept ones
    of waits that are different now: they begin anew.
    """
    step_id = step_id_of(from_step)
    site = sites_of(old).get(step_id)
    if site is not None and not site.ending and step_id not in sites_of(new):
        raise _differs(version, step_id, "does not have it, and the run was to go on from it")
    comparison = _Comparison(version, kept, open_paths)
    comparison.lists(old.steps, new.steps, {""})
    return comparison.stale


@dataclass(frozen=True)
class _Difference:
    step_id: str
    how: str


class _Comparison:
    def __init__(self, version: int, kept: Mapping[str, StepRecord], open_paths: Iterable[str]) -> None:
        self._version = version
        self._kept = kept
        self._open = {level.path for path in open_paths for level in levels(path)[:-1]}
        self._open |= {level.path for path, one in kept.items() if not is_over(one) for level in levels(path)}
        self._inside: defaultdict[str, set[str]] = defaultdict(set)
        """Prefixes of the kept steps inside a step: one for each of a loop's items under way."""
        for path in kept:
            *above, last = levels(path)
            if above:
                self._inside[above[-1].path].add(last.prefix)
        self.stale: set[str] = set()

    def lists(self, old: Sequence[Step], new: Sequence[Step], prefixes: set[str]) -> None:
        """Compare two lists as far as the run got in them; it did so under each of the prefixes."""
        reached = [at for at, step in enumerate(old) if any(f"{prefix}{step.id}" in self._kept for prefix in prefixes)]
        for at in range(max(reached, default=-1) + 1):
            twin = new[at] if at < len(new) else None
            if twin is None or twin.id != old[at].id:
                there = f"has {twin.id!r} in its place" if twin else "has nothing in its place"
                raise _differs(self._version, old[at].id, there)
            self._step(old[at], twin, [f"{prefix}{old[at].id}" for prefix in prefixes])

    def _step(self, step: Step, twin: Step, paths: Sequence[str]) -> None:
        difference = _difference(step, twin)
        known = [path for path in paths if path in self._kept]
        if difference is None:
            return
        going_on = [path for path in known if path in self._open]
        if len(going_on) < len(known) or not known:
            raise _differs(self._version, difference.step_id, difference.how)
        if not isinstance(step, CONTAINERS) and not any(is_over(self._kept[path]) for path in going_on):
            self.stale |= set(going_on)
        elif fields := _changed(_head(step), _head(twin)):
            raise _differs(self._version, step.id, fields)
        else:
            self._children(step, twin, going_on)

    def _children(self, step: Step, twin: Step, paths: Sequence[str]) -> None:
        prefixes = {prefix for path in paths for prefix in self._inside[path]}
        others = dict(twin.children())
        for place, children in step.children():
            self.lists(children, others.get(place, []), prefixes)


def _difference(step: Step, twin: Step) -> _Difference | None:
    """The first step, this one or one inside, that is not the same in both."""
    if dump_step(step) == dump_step(twin):
        return None
    if step.id != twin.id:
        return _Difference(step.id, f"has {twin.id!r} in its place")
    if fields := _changed(_head(step), _head(twin)):
        return _Difference(step.id, fields)
    mine, others = dict(step.children()), dict(twin.children())
    for place in [*mine, *(place for place in others if place not in mine)]:
        for inner, other in zip_longest(mine.get(place, []), others.get(place, [])):
            if inner is None or other is None:
                return _Difference(
                    step.id, f"has {'more' if inner is None else 'fewer'} steps in its `{_named(place)}`"
                )
            if found := _difference(inner, other):
                return found
    return _Difference(step.id, "has another one")


def _head(step: Step) -> JsonObject:
    """The step without the lists of steps inside it."""
    document = dump_step(step)
    for place, _ in step.children():
        part: Json = document
        for key in place[:-1]:
            part = part[key]
        part.pop(place[-1], None)
    return document


def _changed(old: JsonObject, new: JsonObject) -> str:
    names = [f"`{name}`" for name in {**old, **new} if old.get(name) != new.get(name)]
    return f"gives it another {', '.join(names)}" if names else ""


def _named(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _differs(version: int, step_id: str, how: str) -> Conflict:
    return Conflict(
        "version_differs",
        f"The run cannot go on with version {version}. The step {step_id!r}: version {version} {how}. What is finished "
        "must be the same in both: redrive from that step or an earlier one, or retry to run all of it.",
    )
