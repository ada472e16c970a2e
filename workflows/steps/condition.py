"""`condition`: walk the first branch that holds. The choice is journaled, so that walking again never chooses anew."""

from app.definition.steps import ConditionStep
from app.json import Json
from app.temporal.messages import StepRecord
from workflows.scope import Scope


async def run(scope: Scope, step: ConditionStep, record: StepRecord) -> Json:
    """`{branch, name}`: the index of the branch that was walked, "else", or null when none was."""
    if record.output is None:
        record.output = await _choose(scope, step)
    chosen = record.output["branch"]
    if chosen == "else":
        await scope.inside(step).run(step.else_)
    elif chosen is not None:
        await scope.inside(step).run(step.branches[chosen].steps)
    return record.output


async def _choose(scope: Scope, step: ConditionStep) -> Json:
    for index, branch in enumerate(step.branches):
        await scope.breathe()
        if scope.holds(branch.when, f"branches[{index}].when"):
            return {"branch": index, "name": branch.name or None}
    return {"branch": "else" if step.else_ else None, "name": None}
