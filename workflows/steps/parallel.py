"""`parallel`: walk branches side by side until enough of them have ended well."""

import asyncio
from typing import Any

from app.definition.steps import ParallelStep
from app.json import Json
from app.temporal.messages import StepRecord
from workflows.scope import Scope
from workflows.tasks import Tasks, failure


async def run(scope: Scope, step: ParallelStep, record: StepRecord) -> Json:
    """The output of each branch that ended well, by name: that of its last step."""
    inside = scope.inside(step)
    needed = _needed(step)

    def decided(tasks: Tasks) -> bool:
        if sum(map(_ended_well, tasks)) >= needed and step.wait_for != "all":
            return True
        return _hopeless(tasks, needed) and step.on_branch_error == "cancel"

    branches = [_branch(inside, step, index) for index in range(len(step.branches))]
    tasks = await scope.side_by_side(branches, decided)
    error = failure(tasks)
    if error is not None and (not isinstance(error, Exception) or sum(map(_ended_well, tasks)) < needed):
        raise error
    return {branch.name: task.result() for branch, task in zip(step.branches, tasks, strict=True) if _ended_well(task)}


async def _branch(inside: Scope, step: ParallelStep, index: int) -> Json:
    output = await inside.run(step.branches[index].steps)
    # The other branches may have been waiting all along.
    await inside.recorder.show_status()
    return output


def _needed(step: ParallelStep) -> int:
    if step.wait_for == "all":
        return len(step.branches)
    return 1 if step.wait_for == "any" else step.wait_for


def _ended_well(task: "asyncio.Task[Any]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _hopeless(tasks: Tasks, needed: int) -> bool:
    """Whether too many branches have failed for enough to end well."""
    failed = sum(task.done() and not _ended_well(task) for task in tasks)
    return len(tasks) - failed < needed
