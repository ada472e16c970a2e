"""`repeat`: walk the steps again and again until something holds, with a pause between. Made to poll for a year."""

from app.catalog.errors import ErrorType
from app.definition.steps import RepeatStep
from app.json import Json
from app.temporal.messages import RepeatProgress, StepRecord
from workflows.failures import fail
from workflows.resting import due, rest
from workflows.scope import Scope

KEPT_ITERATIONS = 100
"""The rows of the latest iterations stay; those before are let go, or a year of polling would fill the database."""


async def run(scope: Scope, step: RepeatStep, record: StepRecord) -> Json:
    """`{iterations, done, output}`: the output of the last iteration, and whether the repeat came to its own end."""
    progress = scope.journal.repeats.setdefault(record.path, RepeatProgress())
    done = False
    while not done and (progress.begun or progress.index < progress.base + step.max_iterations):
        if progress.again_at is not None:
            record.wait = {"kind": "delay", "event": None, "until": progress.again_at}
            await rest(scope.state, scope.recorder, record, kind="delay", until=progress.again_at, summary=step.title)
            progress.again_at = record.wait = None
        inside = scope.item(step, progress.index, {"loop": _loop(progress.index)})
        if not progress.begun and step.while_ is not None and not inside.holds(step.while_, "while"):
            done = True
            break
        progress.begun = True
        progress.output = await inside.run(step.steps)
        done = step.until is not None and inside.holds(step.until, "until")
        _next(inside, scope, step, record, progress, done=done)
    if not done and step.while_ is not None:
        # As many iterations as are allowed may have been enough.
        done = not scope.item(step, progress.index, {"loop": _loop(progress.index)}).holds(step.while_, "while")
    if not done and step.on_exhausted == "fail":
        progress.base = progress.index
        fail(ErrorType.LIMIT_EXCEEDED, f"max_iterations: {step.max_iterations} iterations were not enough")
    return {"iterations": progress.index, "done": done, "output": progress.output}


def _loop(index: int) -> Json:
    return {"index": index, "number": index + 1, "first": index == 0}


def _next(
    inside: Scope, scope: Scope, step: RepeatStep, record: StepRecord, progress: RepeatProgress, *, done: bool
) -> None:
    """The iteration is over: its steps are forgotten, and the pause before the next one begins."""
    if step.interval is not None and not done and progress.index + 1 < progress.base + step.max_iterations:
        progress.again_at = due(inside.duration(step.interval, "interval").total_seconds())
    scope.forget(step, progress.index)
    if progress.index >= KEPT_ITERATIONS:
        scope.journal.drop_rows(f"{record.path}[{progress.index - KEPT_ITERATIONS}].")
    progress.index, progress.begun = progress.index + 1, False
