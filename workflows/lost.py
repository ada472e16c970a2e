"""Effects of a task that got lost with its worker: done and kept, and unknown to the run. Found before the run ends.

A task is made again, and then takes the outcomes that are kept. Not so when the run was told to end meanwhile: the task
that takes its place begins with that. What such a run has done must be undone all the same, so it first walks on to it.
"""

from contextlib import suppress

from app.definition import tree
from app.temporal.messages import RunResult
from app.temporal.record_messages import LostEffect
from workflows.ending import ending_of, seen_through
from workflows.failures import Suspended
from workflows.scope import Scope


async def take_in(scope: Scope, ending: RunResult) -> None:
    """Walk on to the effects the run has not heard of, if it was cancelled or its time is over.

    Nothing else is done on the way: the walk stands where it stood, and each part of it suspends at what is new.
    """
    state = scope.state
    told_to_end = ending.status in ("cancelled", "timed_out") and (ending.error or {}).get("path") is None
    if told_to_end and state.walks(4) and any(step.compensate for _place, step in tree.walk(state.definition)):
        await seen_through(_take_in(scope))


async def _take_in(scope: Scope) -> None:
    state, journal = scope.state, scope.journal
    ending = {step.id for step in state.definition.finally_}
    kept = await scope.recorder.lost_effects(journal.known_effects)
    lost = [one for one in kept if not journal.has_ended(one.path) and not _is_of(one, ending)]
    while lost and lost[-1].error is not None:
        lost.pop()
    if not lost:
        return
    journal.reopen()
    state.lost = {effect.path: effect for effect in lost}
    with suppress(Suspended):
        await ending_of(scope.run(state.definition.steps), state)
    state.lost = None


def _is_of(effect: LostEffect, ending: set[str]) -> bool:
    """Whether it was made by `compensate` or `finally`: those are walked anyway."""
    return ".compensate." in effect.path or effect.path.partition(".")[0].partition("[")[0] in ending
