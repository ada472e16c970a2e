"""Where `compensate` may stand and what may stand in it. What its steps see is `flow.py`."""

from app.definition.checks.findings import Findings
from app.definition.errors import Path
from app.definition.model import Definition
from app.definition.steps import Step, StopStep
from app.definition.tree import walk_paths


def check_compensation(definition: Definition, findings: Findings) -> None:
    """What undoes a step is not undone itself and runs to its end; `finally` comes after everything was undone."""
    for place, step in walk_paths(definition):
        undoes = "compensate" in place
        if step.compensate:
            _check_compensated(step, place, undoes, findings)
        if undoes and isinstance(step, StopStep):
            findings.add(
                place,
                f"'{step.id}' would stop what undoes a step: the run is ending already",
                "skip what follows with `when`, or leave it out",
            )


def _check_compensated(step: Step, place: Path, undoes: bool, findings: Findings) -> None:
    here = (*place, "compensate")
    if undoes:
        findings.add(here, f"'{step.id}' undoes a step, and is not undone itself", "remove it")
    elif place[0] == "finally":
        findings.add(here, f"'{step.id}' stands in finally, which is not undone", "put what is to be undone into steps")
    elif isinstance(step, StopStep):
        findings.add(here, "a stop does nothing that could be undone", "remove it")
