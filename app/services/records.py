"""What runs and effects write as they go: outcomes, failed attempts, batches of step records, waits, kept variables.

Called by activities, which may be repeated at any point: writing anything here twice changes nothing. A run that has
ended is never moved again.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.exc import IntegrityError

from app.db.engine import Statement, execute
from app.db.values import as_kept
from app.definition import conditions
from app.definition.event_keys import EventKey, key_of
from app.json import JsonObject
from app.services import approval_links, queues
from app.services.platform import Platform
from app.services.telling import tell_schedule
from app.store import approvals, children, events, recording, waits, workflow_variables
from app.store.recording import RunRecords
from app.store.run_state import ENDED
from app.temporal.messages import ActionCall, ActionOutcome, StepRecord
from app.temporal.plain import as_plain
from app.temporal.record_messages import (
    LostEffect,
    LostEffects,
    OpenApproval,
    OpenedApproval,
    OpenedWait,
    OpenWait,
    RecordBatch,
    WorkflowVariables,
)

MOST_LOST = 10_000
"""Effects that one task may have made: it lasts some seconds, and an effect takes at least a millisecond."""

_log = logging.getLogger(__name__)


class RunEnded(Exception):
    """The run's row has ended, and nothing must be done in its name any more."""


async def stored_outcome(platform: Platform, call: ActionCall) -> ActionOutcome | None:
    """What the effect with this key gave, if it was done and its outcome kept.

    Raises `RunEnded` where it was not and the run has ended: a worker hears late that a run was terminated, and another
    run may go on in its place by then.
    """
    (found,) = await platform.database.run(UUID(call.workspace_id), outcome_of(call))
    return read_outcome(found)


def outcome_of(call: ActionCall) -> Statement:
    """The statement that looks for it, to be read with `read_outcome`."""
    return _records(call).outcome(call.path, call.key)


def read_outcome(found: Sequence[Sequence[Any]]) -> ActionOutcome | None:
    """As `stored_outcome`, of what the statement gave."""
    if not found:
        return None
    ended, committed, inputs, output, attempt, started_at, finished_at = found[0]
    if not committed:
        if ended:
            raise RunEnded
        return None
    return ActionOutcome(
        output=output,
        inputs=inputs or {},
        attempt=attempt,
        started_at=_text(started_at),
        finished_at=_text(finished_at),
    )


async def lost_effects(platform: Platform, asked: LostEffects) -> list[LostEffect]:
    """The run's effects that are over and began after those it knows of, in that order; at most `MOST_LOST`.

    There are some that it does not know of where a worker died before it could tell what it had done in its task.
    """
    statement = RunRecords(UUID(asked.workspace_id), UUID(asked.run_id)).effects(asked.after, MOST_LOST)
    (found,) = await platform.database.run(UUID(asked.workspace_id), statement)
    return [LostEffect(path=path, key=key, error=error) for path, key, error in found]


async def commit_outcome(platform: Platform, call: ActionCall, outcome: ActionOutcome) -> bool:
    """Keep what an effect gave, as its step's record. The first outcome under a key stays. True when the run has ended
    or is gone, so that nothing more must be done in its name."""
    try:
        return await platform.commits.keep(UUID(call.workspace_id), UUID(call.run_id), _completed(call, outcome))
    except psycopg.errors.ForeignKeyViolation:
        _let_go(call)
        return True


def commit_of(call: ActionCall, outcome: ActionOutcome) -> Statement:
    """The statement that keeps an outcome, for the transaction of what it is the outcome of."""
    return recording.commit(UUID(call.workspace_id), [(UUID(call.run_id), _completed(call, outcome))])


async def tell_more(platform: Platform, call: ActionCall, output: JsonObject) -> None:
    """Have a kept outcome say what became of it afterwards."""
    await platform.database.run(UUID(call.workspace_id), _records(call).tell_more(call.path, call.key, output))


async def record_running(platform: Platform, call: ActionCall, *, attempt: int, inputs: JsonObject) -> None:
    """Show an attempt that is under way."""
    row = _row_of(call) | {"status": "running", "attempt": attempt, "inputs": inputs, "started_at": call.started_at}
    await _write(platform, call, _records(call).write_steps([row], always=True))


async def record_failed_attempt(
    platform: Platform,
    call: ActionCall,
    *,
    attempt: int,
    error: JsonObject,
    started_at: datetime,
    finished_at: datetime,
    next_attempt_at: datetime | None,
) -> None:
    """Keep a failed attempt, and show its step as running with that attempt's error."""
    row = _row_of(call) | {
        "status": "running",
        "attempt": attempt,
        "error": error,
        "started_at": call.started_at or started_at.isoformat(),
    }
    records = _records(call)
    failed = records.add_attempt(
        call.path,
        generation=call.generation,
        attempt=attempt,
        error=error,
        started_at=started_at,
        finished_at=finished_at,
        next_attempt_at=next_attempt_at,
    )
    await _write(platform, call, failed, records.write_steps([row], always=True))


async def record_batch(platform: Platform, batch: RecordBatch) -> None:
    """Write what the batch holds (steps, failed attempts, the run's state, its journal), let go the rows it drops and
    close the waits that are over, in one transaction. What waits for the place of a run that ended begins then."""
    statements, report = _batch(batch)
    if batch.run.status not in ENDED:
        await _write(platform, batch, *statements)
        return
    written = await _write(platform, batch, *statements, _records(batch).over())
    for (seconds,) in written[report] if written is not None else ():
        platform.observing.metrics.run_ended(batch.run.status, seconds)
    platform.news.tell(UUID(batch.run_id))
    for workflow_id, key, waiting in written[-1] if written is not None else ():
        await queues.release(platform, UUID(batch.workspace_id), workflow_id, key)
        if waiting is not None:
            await tell_schedule(platform, UUID(batch.run_id), waiting)


async def open_wait(platform: Platform, wait: OpenWait) -> OpenedWait:
    """Register a wait with the records before it, then look for an event that is there already.

    The registration is committed before the look: an event is committed before it looks for waits, so whichever comes
    second sees the other.
    """
    until = _moment(wait.until)
    registration = _records(wait.batch).open_wait(
        wait.path,
        generation=max((step.generation for step in wait.batch.steps if step.path == wait.path), default=1),
        event=wait.event,
        match=wait.match,
        context=wait.context,
        key=_key(wait),
        since=wait.since,
        age=wait.age,
        moment=None if wait.since in ("wait_start", "run_start") else _moment(wait.since),
        until=until,
    )
    # Its own earlier generation may have just ended; nothing else may close what is opened here.
    before = replace(wait.batch, closed_waits=[path for path in wait.batch.closed_waits if path != wait.path])
    written = await _write(platform, wait.batch, registration, *_batch(before)[0])
    if written is None:
        return OpenedWait(since=_text(datetime.now(UTC)))
    ((since,),) = written[0]
    workspace_id = UUID(wait.batch.workspace_id)
    async with platform.database.transaction(workspace_id) as session:
        async for event in events.received(session, workspace_id, wait.event, since=since, until=until):
            envelope = events.envelope(event)
            if conditions.event_matches(wait.match, envelope, wait.context):
                if await waits.is_told(session, event, UUID(wait.batch.run_id), wait.path):
                    continue  # a conversation goes on with what is said next
                await execute(session, events.taken(workspace_id, UUID(wait.batch.run_id), event))
                return OpenedWait(since=_text(since), found=envelope)
    return OpenedWait(since=_text(since))


async def open_approval(platform: Platform, asked: OpenApproval) -> OpenedApproval:
    """Register an approval with the records before it; answers with what links to it."""
    workspace_id, run_id = UUID(asked.batch.workspace_id), UUID(asked.batch.run_id)
    id = approval_links.id_of(run_id, asked.path)
    registration = approvals.open_(
        workspace_id,
        run_id,
        id=id,
        path=asked.path,
        generation=asked.generation,
        attempt=asked.attempt,
        title=asked.title,
        message=asked.message,
        approvers=asked.approvers,
        form=asked.form,
        until=_moment(asked.until),
    )
    await _write(platform, asked.batch, *_batch(asked.batch)[0], registration)
    return OpenedApproval(id=str(id), links=approval_links.marks(platform.settings, workspace_id, id, asked.approvers))


async def set_workflow_variables(platform: Platform, values: WorkflowVariables) -> None:
    """Keep values for the workflow's later runs; those of a workflow deleted meanwhile are let go."""
    workspace_id, workflow_id = UUID(values.workspace_id), UUID(values.workflow_id)
    try:
        async with platform.database.transaction(workspace_id) as session:
            await workflow_variables.keep(session, workspace_id, workflow_id, values.values)
    except IntegrityError as error:
        if not isinstance(error.orig, psycopg.errors.ForeignKeyViolation):
            raise
        _log.warning("variables of workflow %s are let go: there is no such workflow", workflow_id)


def _records(source: ActionCall | RecordBatch) -> RunRecords:
    return RunRecords(UUID(source.workspace_id), UUID(source.run_id))


async def _write(
    platform: Platform, source: ActionCall | RecordBatch, *statements: Statement
) -> list[list[tuple[Any, ...]]] | None:
    """The rows the statements gave. None for a run that is gone: its records are let go, for an effect must not be
    repeated for ever because they cannot be kept."""
    try:
        return await platform.database.run(UUID(source.workspace_id), *statements)
    except psycopg.errors.ForeignKeyViolation:
        _let_go(source)
        return None


def _let_go(source: ActionCall | RecordBatch) -> None:
    _log.warning("records of run %s are let go: there is no such run", source.run_id)


def _batch(batch: RecordBatch) -> tuple[list[Statement], int]:
    """The statements, and which of them is the run's report."""
    records, run = _records(batch), batch.run
    statements: list[Statement] = []
    if batch.steps:
        # A step walked again may stand in a batch twice, as it ended and as it is now: the later one counts.
        latest = {step.path: step for step in sorted(batch.steps, key=lambda step: step.generation)}
        statements.append(records.write_steps([_row(step) for step in latest.values()], always=False))
    if batch.attempts:
        statements.append(records.add_attempts([asdict(attempt) for attempt in batch.attempts]))
    statements += [records.drop_steps(beginning) for beginning in batch.dropped]
    if batch.journal is not None:
        statements.append(records.keep_journal(as_plain(batch.journal)))
    # Last, since nothing else is taken from a run that has ended.
    report = len(statements)
    statements.append(
        records.report(
            status=run.status,
            steps_completed=run.steps_completed,
            current_step=run.current_step,
            waiting_for=run.waiting_for,
            output=run.output,
            error=run.error,
            variables=run.variables,
            earliest_step=_earliest(batch.steps),
            finished_at=_moment(run.finished_at),
            temporal_run_id=run.temporal_run_id,
            number=run.number,
        )
    )
    if over := [_closed(step) for step in batch.steps if step.type == "approval" and not _is_asked(step)]:
        statements.append(approvals.close(UUID(batch.workspace_id), UUID(batch.run_id), over))
    if run.status in ENDED:
        if batch.has_children:
            statements.append(children.orphan(UUID(batch.workspace_id), UUID(batch.run_id)))
    elif batch.closed_waits:
        statements.append(records.close_waits(batch.closed_waits))
    return statements, report


def _key(wait: OpenWait) -> EventKey | None:
    """By what an event finds the wait: made of the match as it will be read again."""
    match, context = as_kept([wait.match, wait.context])
    return key_of(match, context)


def _completed(call: ActionCall, outcome: ActionOutcome) -> JsonObject:
    return _row_of(call) | {
        "status": "completed",
        "effect_key": call.key,
        "attempt": outcome.attempt,
        "inputs": outcome.inputs,
        "output": outcome.output,
        "started_at": call.started_at or outcome.started_at,
        "finished_at": outcome.finished_at,
    }


def _row_of(call: ActionCall) -> JsonObject:
    return {
        "path": call.path,
        "sequence": call.order,
        "step_id": call.step_id,
        "name": call.name,
        "type": "action",
        "action": call.action,
        "generation": call.generation,
        "decision": call.decision,
    }


def _row(step: StepRecord) -> JsonObject:
    row: JsonObject = as_plain(step)
    row["sequence"] = row.pop("order")
    if row["wait"] is None and step.again_at is not None and step.status in ("running", "waiting"):
        row["wait"] = {"kind": "retry", "event": None, "until": step.again_at}
    return row


def _is_asked(step: StepRecord) -> bool:
    """Whether an approval can be answered, or has still to be asked."""
    wait = step.wait or {}
    return step.status in ("pending", "running") or (step.status == "waiting" and wait.get("kind") == "approval")


def _closed(step: StepRecord) -> JsonObject:
    """How an approval ended."""
    wait = step.wait or {}
    answer = wait.get("answer")
    status = answer["decision"] if answer else "timed_out" if wait.get("timed_out") else "cancelled"
    place = {"path": step.path, "generation": step.generation, "attempt": step.attempt}
    return {**place, "status": status, "answer": answer}


def _earliest(records: Sequence[StepRecord]) -> datetime | None:
    return min((datetime.fromisoformat(step.started_at) for step in records if step.started_at), default=None)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
