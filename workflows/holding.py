"""A held step: the run stands still where it failed until an operator decides. Asking, and what the answer does."""

from app.definition.steps import Step
from app.temporal.messages import StepRecord
from workflows.failures import StepFailed, Suspended, recorded_failure
from workflows.resting import until_true
from workflows.scope import Scope
from workflows.state import now_text


def must_ask(scope: Scope, step: Step, record: StepRecord, failed: StepFailed) -> bool:
    """Whether this failure waits for an operator: by the step's own policy, or because it would fail the run."""
    if record.status == "failed" or (record.decision or {}).get("decision") == "fail":
        return False
    if step.on_error == "hold":
        return True
    asks = step.on_error == "fail" and scope.asks_operator and not failed.decided
    return asks and scope.state.definition.settings.on_failure == "hold"


def hold(scope: Scope, step: Step, record: StepRecord, failed: StepFailed) -> None:
    """The step is held with its error; what is open inside it was given up."""
    failed.at(step.id, record.path)
    record.status, record.error, record.failed_path = "held", failed.as_step_error(), failed.path
    record.again_at, record.deadline = None, None
    if record.type != "approval":  # what was answered stays to be seen
        record.wait = None
    scope.state.decisions.pop(record.path, None)
    scope.journal.abandon(record.path, now_text())


async def decided(scope: Scope, step: Step, record: StepRecord) -> StepRecord:
    """Wait for the decision; answers the record to go on with, skipped or of a new generation.

    Raises `StepFailed` when it is to fail.
    """
    state = scope.state
    state.held[record.path], state.current_step = record, record.path
    try:
        await scope.recorder.show_status()
        # A decision while the run is paused is carried out when it is resumed.
        await until_true(state, lambda: record.path in state.decisions and not state.paused)
    except Suspended:
        raise
    except BaseException:
        # What was decided about this failure must not decide about another one.
        state.decisions.pop(record.path, None)
        raise
    finally:
        del state.held[record.path]
    decision = state.decisions.pop(record.path)
    note = {"decision": decision.decision, "by": decision.by, "at": now_text()}
    if decision.decision == "retry":
        scope.journal.renew(record.path)
        fresh = scope.journal.again(record)
        fresh.decision, fresh.started_at = note, now_text()
        if decision.inputs is not None:
            scope.journal.begun[record.path] = {"inputs": decision.inputs, "given": True}
        return fresh
    record.decision = note
    if decision.decision == "fail":
        raise recorded_failure(record)
    record.status, record.output, record.finished_at = "skipped", decision.output, None
    return record
