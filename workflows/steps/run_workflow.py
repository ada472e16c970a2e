"""`run_workflow`: start a run of another workflow and, unless it shall go on by itself, wait for its end.

The child is a run like any other, started by an activity under a key made of the step, and not Temporal's child of this
execution: so it outlives a continue-as-new. However it ends, whoever records that tells this run by a signal; what is
lost of that is made good by upkeep. A step that is cancelled or timed out cancels the child it waits for.
"""

import asyncio
from types import NoneType

from app.catalog.errors import ErrorType
from app.definition.steps import RunWorkflowStep
from app.definition.values import described
from app.json import Json, JsonObject, json_size
from app.temporal import names
from app.temporal.child_messages import CancelChild, ChildEnded, StartChild, StartedChild
from app.temporal.messages import StepRecord
from app.temporal.payloads import LARGEST_TASK
from workflows.ending import seen_through
from workflows.failures import StepFailed, Suspended, fail
from workflows.resting import until_true
from workflows.scope import Scope

LONGEST_TOLD = 2_000
"""Characters of a child's error that are told again: a parent's parent tells it once more."""
_HOW = {"failed": "failed", "timed_out": "timed out", "cancelled": "was cancelled"}


async def run(scope: Scope, step: RunWorkflowStep, record: StepRecord) -> Json:
    """The child's output, or `{run_id}` when it is not waited for. A child that ends other than completed is a failure
    of the step."""
    if record.wait is None:
        record.inputs = _inputs(scope, step)
        record.wait = {
            "kind": "run",
            "event": None,
            "until": record.deadline,
            "run_id": None,
            "key": _key(scope, record),
        }
    if not step.wait:
        await _start(scope, step, record)
        return {"run_id": record.wait["run_id"]}
    try:
        ended = await _end(scope, step, record)
    except asyncio.CancelledError:
        await seen_through(_cancel(scope, step, record))
        raise
    return _output(ended)


def _inputs(scope: Scope, step: RunWorkflowStep) -> JsonObject:
    workflow = scope.evaluate(step.workflow, "workflow")
    if not isinstance(workflow, str) or not workflow.strip():
        fail(ErrorType.INVALID_INPUT, f"workflow: expected a slug or an id, not {_shown(workflow)}")
    inputs = scope.evaluate(step.inputs, "inputs")
    if (size := json_size(inputs)) > LARGEST_TASK:
        fail(ErrorType.LIMIT_EXCEEDED, f"inputs: {size:,} bytes are more than the {LARGEST_TASK:,} a run may be given")
    return {"workflow": workflow.strip(), "inputs": inputs}


def _shown(value: Json) -> str:
    return "an empty text" if isinstance(value, str) else described(value)


async def _start(scope: Scope, step: RunWorkflowStep, record: StepRecord) -> None:
    """Have the child there; does nothing when it is."""
    wait, given, state = record.wait, record.inputs, scope.state
    assert wait is not None, "the step has begun"
    if wait["run_id"] is not None:
        return
    asked = StartChild(
        workspace_id=state.input.workspace_id,
        run_id=state.input.run_id,
        path=record.path,
        key=wait["key"],
        workflow=given["workflow"],
        inputs=given["inputs"],
        waits=step.wait,
        found_only=state.lost is not None,
    )
    summary = f"start a run of {given['workflow']}"[:200]
    started = await scope.recorder.call(names.START_CHILD_ACTIVITY, asked, StartedChild, summary)
    if started.refused is not None:
        raise StepFailed(ErrorType.CHILD_NOT_STARTED.value, started.refused, retryable=started.later)
    if started.run_id is None:
        # On the way to what a lost task did: that one had not come this far.
        raise Suspended
    wait["run_id"] = started.run_id


async def _end(scope: Scope, step: RunWorkflowStep, record: StepRecord) -> ChildEnded:
    """How the child ended, once it has. `Suspended` passes: the next execution goes on to wait for the same one."""
    state, wait = scope.state, record.wait
    assert wait is not None, "the step has begun"
    known = wait["run_id"] is not None
    if not known:
        await _start(scope, step, record)
    record.status = "waiting"
    state.waits[record.path] = {"kind": "run", "event": None, "until": record.deadline, "run_id": wait["run_id"]}
    try:
        if known:
            await scope.recorder.show_status()
        else:
            state.announce()
            await scope.recorder.flush()
        await until_true(state, lambda: wait["key"] in state.children, summary=step.title)
    finally:
        del state.waits[record.path]
    ended = state.children.pop(wait["key"])
    for stale in [one.key for one in state.children.values() if one.path == record.path]:
        del state.children[stale]
    return ended


def _output(ended: ChildEnded) -> Json:
    if ended.status == "completed":
        return ended.output
    why = str((ended.error or {}).get("message") or "no reason was given")
    if len(why) > LONGEST_TOLD:
        why = f"{why[: LONGEST_TOLD - 1]}…"
    how = _HOW.get(ended.status, ended.status)
    type_ = ErrorType.CHILD_CANCELLED if ended.status == "cancelled" else ErrorType.CHILD_FAILED
    raise StepFailed(type_.value, f"run {ended.run_id} of {ended.workflow_name!r} {how}: {why}")


async def _cancel(scope: Scope, step: RunWorkflowStep, record: StepRecord) -> None:
    run = scope.state.input
    assert record.wait is not None, "the step has begun"
    given_up = CancelChild(workspace_id=run.workspace_id, run_id=run.run_id, key=record.wait["key"])
    await scope.recorder.call(names.CANCEL_CHILD_ACTIVITY, given_up, NoneType, f"cancel the run of {step.title}")


def _key(scope: Scope, record: StepRecord) -> str:
    """The same in every execution of the run; another one for each attempt, which starts a run of its own."""
    again = f"#{record.generation}.{record.attempt}" if record.generation + record.attempt > 2 else ""
    return f"{names.CHILD_KEY}{scope.state.input.run_id}/{record.path}{again}"
