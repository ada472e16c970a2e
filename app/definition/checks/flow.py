"""Which steps can have run when a step is reached, and which can never be reached: one pass over the tree.

After a condition or parallel the steps of its branches are visible. Branches that exclude each other may share a key;
parallel branches do not see each other; what is inside a loop or repeat is seen in that iteration alone. What undoes a
step sees what the steps right after it see, and is itself seen by none of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.definition.checks.findings import Findings
from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.paths import format_path
from app.definition.steps import ApprovalStep, ConditionStep, LoopStep, ParallelStep, Place, RepeatStep, Step, StopStep

Own = Mapping[str, tuple[str, ...]]
"""Names besides those of every run, each with what it has; `()` = that is not known."""

LOOP_NAMES = ("index", "number", "first", "last", "length")
REPEAT_NAMES = ("index", "number", "first")
"""Nobody knows which iteration of a repeat is the last."""

APPROVAL_NAMES = ("id", "title", "message", "approvers", "until", "link", "links")
"""What `notify` steps see of the approval they tell of."""

ENDING: Own = {"error": (), "status": ()}
"""How the run ends, for what runs then: `finally` and `compensate`."""


@dataclass(frozen=True)
class Scope:
    """What expressions at one place may see: steps by key that may have run, and names besides those of every run."""

    place: Path
    visible: dict[str, Path]
    names: Own = field(default_factory=dict)

    def with_names(self, names: Iterable[str]) -> "Scope":
        """This scope with further names."""
        return replace(self, names={**self.names, **dict.fromkeys(names, ())})


@dataclass
class Visit:
    """One step, and what its expressions see; `fields` has those that see something else: a loop's `collect`."""

    place: Path
    step: Step
    scope: Scope
    fields: dict[Place, Scope] = field(default_factory=dict)


class Flow:
    """Walks the definition once: `visits` in order, `steps` as (key, id, place), `after` the scope of the output."""

    def __init__(self, definition: Definition, findings: Findings) -> None:
        self.visits: list[Visit] = []
        self.steps: list[tuple[Step, Path]] = []
        self._findings = findings
        self._ids: dict[str, Path] = {}
        visible: dict[str, Path] = {}
        self._list(definition.steps, ("steps",), visible, {})
        self.after = Scope(("output",), dict(visible))
        self._list(definition.finally_, ("finally",), visible, ENDING)

    @staticmethod
    def start() -> Scope:
        """What is visible when the run begins."""
        return Scope((), {})

    def _list(self, steps: Sequence[Step], place: Path, visible: dict[str, Path], names: Own) -> None:
        ended: Path | None = None
        for index, step in enumerate(steps):
            here = (*place, index)
            if ended is not None and ended[-1] == index - 1:
                # One sentence stands for all that follows a stop.
                self._findings.add(
                    here,
                    f"'{step.id}' is never reached: {format_path(ended)} ends the run before it",
                    "remove it, or give the stop a `when`",
                )
            self._step(step, here, visible, names)
            # A stop inside `compensate` is a mistake of its own.
            if ended is None and "compensate" not in place and ends_run(step):
                ended = here

    def _step(self, step: Step, here: Path, visible: dict[str, Path], names: Own) -> None:
        self._identify(step, here)
        visit = Visit(here, step, Scope(here, dict(visible), names))
        self.visits.append(visit)
        gained = self._inside(visit)
        self._declare(step, here, {**visible, **gained})
        visible.update(gained)
        visible[step.key] = here
        done = dict(visible)
        if step.error_steps:
            branch = dict(visible)
            self._list(step.error_steps, (*here, "error_steps"), branch, {**names, "error": ()})
            visible.update(branch)
        if step.compensate:
            self._list(step.compensate, (*here, "compensate"), done, {**names, **ENDING})

    def _identify(self, step: Step, here: Path) -> None:
        self.steps.append((step, here))
        if step.id in self._ids:
            first = format_path(self._ids[step.id])
            self._findings.add((*here, "id"), f"the id '{step.id}' is taken by {first}", "every step has its own")
        self._ids.setdefault(step.id, here)

    def _declare(self, step: Step, here: Path, visible: dict[str, Path]) -> None:
        other = visible.get(step.key)
        if other is not None and self._ids.get(step.id) == here:
            field = "output_key" if step.output_key else "id"
            self._findings.add(
                (*here, field),
                f"'{step.key}' is also the output key of {format_path(other)}, and both can run",
                "only branches that exclude each other may share one",
            )

    def _inside(self, visit: Visit) -> dict[str, Path]:
        """Walk what is inside a step; answers with the keys that are visible after it."""
        step, scope = visit.step, visit.scope
        if isinstance(step, LoopStep):
            names = {**scope.names, step.item_variable: (), "loop": LOOP_NAMES}
            visit.fields["collect",] = self._body(visit, step.steps, names)
            return {}
        if isinstance(step, RepeatStep):
            names = {**scope.names, "loop": REPEAT_NAMES}
            visit.fields["until",] = self._body(visit, step.steps, names)
            visit.fields["while",] = visit.fields["interval",] = replace(scope, names=names)
            return {}
        gained: dict[str, Path] = {}
        for inner, children in step.children():
            if inner in (("error_steps",), ("compensate",)):
                continue
            branch = dict(scope.visible)
            own = {"approval": APPROVAL_NAMES} if isinstance(step, ApprovalStep) else {}
            self._list(children, (*visit.place, *inner), branch, {**scope.names, **own})
            new = {key: place for key, place in branch.items() if scope.visible.get(key) != place}
            if isinstance(step, ParallelStep):
                self._refuse_shared(new, gained)
            gained.update(new)
        return gained

    def _body(self, visit: Visit, steps: Sequence[Step], names: Own) -> Scope:
        """Walk one iteration; answers with what is visible at its end."""
        body = dict(visit.scope.visible)
        self._list(steps, (*visit.place, "steps"), body, names)
        return Scope(visit.place, body, names)

    def _refuse_shared(self, branch: dict[str, Path], others: dict[str, Path]) -> None:
        """Parallel branches all run, so no two may share a key."""
        for key, place in branch.items():
            if key in others and len(self._holders(key)) > 1:
                self._findings.add(
                    (*place, "output_key"),
                    f"'{key}' is also the output key of {format_path(others[key])}, and both can run",
                    "only branches that exclude each other may share one",
                )

    def _holders(self, key: str) -> set[str]:
        return {step.id for step, _place in self.steps if step.key == key}


def ends_run(step: Step) -> bool:
    """Whether nothing after this step can be reached: a `stop`, or all ways through the step meet one."""
    if not step.enabled or step.when is not None:
        return False
    if isinstance(step, StopStep):
        return True
    if isinstance(step, ConditionStep):
        return bool(step.else_) and all(map(_ends, [step.else_, *(branch.steps for branch in step.branches)]))
    if isinstance(step, ParallelStep):
        return step.wait_for == "all" and any(_ends(branch.steps) for branch in step.branches)
    if isinstance(step, RepeatStep):
        # `until` is looked at after the first iteration, `while` before it.
        return step.while_ is None and _ends(step.steps)
    return False


def _ends(steps: Sequence[Step]) -> bool:
    return any(map(ends_run, steps))
