"""Whether a run may come to two `respond` steps: only its first answer counts, so a second one deserves a warning.

One pass along the ways a run can take. Branches of a condition exclude each other, and a `stop` ends the way.
"""

from collections.abc import Sequence

from app.definition.checks.findings import Findings
from app.definition.checks.flow import ends_run
from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.paths import format_path
from app.definition.steps import ConditionStep, LoopStep, ParallelStep, RepeatStep, RespondStep, Step


def check_answering(definition: Definition, findings: Findings) -> None:
    """Warn at each `respond` that may run after another one, or again in its own loop."""
    _Ways(findings).walk(definition.steps, ("steps",), None)


class _Ways:
    """Carries the place of a `respond` that may have run along every way through the definition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def walk(self, steps: Sequence[Step], place: Path, earlier: Path | None) -> Path | None:
        """The place of a `respond` that may have run when these steps are done and the run goes on."""
        for index, step in enumerate(steps):
            if not step.enabled:
                continue
            after = self._step(step, (*place, index), earlier)
            if ends_run(step):
                return None
            earlier = earlier or after
        return earlier

    def _step(self, step: Step, here: Path, earlier: Path | None) -> Path | None:
        after = self._inside(step, here, earlier)
        # A step that answered may still fail afterwards; a `respond` that fails has not answered.
        failed = earlier if isinstance(step, RespondStep) else after
        handled = self.walk(step.error_steps, (*here, "error_steps"), failed)
        return after or handled

    def _inside(self, step: Step, here: Path, earlier: Path | None) -> Path | None:
        if isinstance(step, RespondStep):
            if earlier is not None:
                self._warn(here, earlier)
            return earlier or here
        if isinstance(step, LoopStep | RepeatStep):
            once = self.walk(step.steps, (*here, "steps"), earlier)
            return earlier or (once and self.walk(step.steps, (*here, "steps"), once))
        if isinstance(step, ConditionStep):
            lists = [(("branches", index, "steps"), one.steps) for index, one in enumerate(step.branches)]
            found = [self.walk(steps, (*here, *inner), earlier) for inner, steps in [*lists, (("else",), step.else_)]]
            return next((place for place in found if place is not None), earlier)
        if isinstance(step, ParallelStep):
            for index, branch in enumerate(step.branches):
                earlier = self.walk(branch.steps, (*here, "branches", index, "steps"), earlier) or earlier
        return earlier

    def _warn(self, here: Path, earlier: Path) -> None:
        who = "this step itself" if earlier == here else format_path(earlier)
        self._findings.add(
            here,
            f"{who} may have answered by then, and only the first answer of a run counts",
            "answer in branches that exclude each other, or end the run after the first with stop",
            severity="warning",
        )
