"""What runs and effects write as they go: outcomes, failed attempts, batches of step records, waits, kept variables.

Called by activities, which may be repeated at any point: writing anything here twice changes nothing. A run that has
ended is never moved again.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.definition import conditions
from app.json import JsonObject
from app.services.platform import Platform
from app.store import events, run_state, steps, waits, workflow_variables
from app.temporal.messages import (
    ActionCall,
    ActionOutcome,
    OpenedWait,
    OpenWait,
    RecordBatch,
    StepRecord,
    WorkflowVariables,
)

_log = logging.getLogger(__name__)


async def stored_outcome(platform: Platform, call: ActionCall) -> ActionOutcome | None:
    """What the effect with this key gave, if it was done and its outcome kept."""
    workspace_id, run_id = UUID(call.workspace_id), UUID(call.run_id)
    async with platform.database.transaction(workspace_id) as session:
        row = await steps.outcome(session, workspace_id, run_id, call.path, call.key)
    if row is None:
        return None
    assert row.started_at is not None
    assert row.finished_at is not None
    return ActionOutcome(
        output=row.output,
        inputs=row.inputs or {},
        attempt=row.attempt,
        started_at=_text(row.started_at),
        finished_at=_text(row.finished_at),
    )


async def commit_outcome(platform: Platform, call: ActionCall, outcome: ActionOutcome) -> None:
    """Keep what an effect gave, as its step's record. The first outcome under a key stays."""
    row = _row_of(call) | {
        "status": "completed",
        "effect_key": call.key,
        "attempt": outcome.attempt,
        "inputs": outcome.inputs,
        "output": outcome.output,
        "started_at": outcome.started_at,
        "finished_at": outcome.finished_at,
    }
    await _write_steps(platform, call, [row])


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
    workspace_id, run_id = UUID(call.workspace_id), UUID(call.run_id)
    try:
        async with platform.database.transaction(workspace_id) as session:
            await steps.add_attempt(
                session,
                workspace_id,
                run_id,
                call.path,
                generation=call.generation,
                attempt=attempt,
                error=error,
                started_at=started_at,
                finished_at=finished_at,
                next_attempt_at=next_attempt_at,
            )
            await steps.write(session, workspace_id, run_id, [row])
    except IntegrityError as error_:
        _without_owner(error_, "run", call.run_id)


async def record_batch(platform: Platform, batch: RecordBatch) -> None:
    """Write finished steps and the run's state, and close the waits that are over, in one transaction."""
    async with platform.database.transaction(UUID(batch.workspace_id)) as session:
        await _record(session, batch)


async def open_wait(platform: Platform, wait: OpenWait) -> OpenedWait:
    """Register a wait with the records before it, then look for an event that is there already.

    The registration is committed before the look: an event is committed before it looks for waits, so whichever comes
    second sees the other.
    """
    workspace_id, run_id = UUID(wait.batch.workspace_id), UUID(wait.batch.run_id)
    until = _moment(wait.until)
    async with platform.database.transaction(workspace_id) as session:
        if not await _record(session, wait.batch):
            return OpenedWait(since=_text(datetime.now(UTC)))
        since = await waits.open_(
            session,
            workspace_id,
            run_id,
            wait.path,
            event=wait.event,
            match=wait.match,
            context=wait.context,
            since=await _since(session, workspace_id, run_id, wait.since),
            until=until,
        )
    async with platform.database.transaction(workspace_id) as session:
        async for event in events.received(session, workspace_id, wait.event, since=since, until=until):
            envelope = events.envelope(event)
            if conditions.event_matches(wait.match, envelope, wait.context):
                return OpenedWait(since=_text(since), found=envelope)
    return OpenedWait(since=_text(since))


async def set_workflow_variables(platform: Platform, values: WorkflowVariables) -> None:
    """Keep values for the workflow's later runs; those of a workflow deleted meanwhile are let go."""
    workspace_id, workflow_id = UUID(values.workspace_id), UUID(values.workflow_id)
    try:
        async with platform.database.transaction(workspace_id) as session:
            await workflow_variables.keep(session, workspace_id, workflow_id, values.values)
    except IntegrityError as error:
        _without_owner(error, "workflow", values.workflow_id)


async def _record(session: AsyncSession, batch: RecordBatch) -> bool:
    """Whether there is such a run."""
    workspace_id, run_id, run = UUID(batch.workspace_id), UUID(batch.run_id), batch.run
    known = await run_state.report(
        session,
        workspace_id,
        run_id,
        status=run.status,
        steps_completed=run.steps_completed,
        current_step=run.current_step,
        waiting_for=run.waiting_for,
        output=run.output,
        error=run.error,
        variables=run.variables,
        earliest_step=_earliest(batch.steps),
        finished_at=_moment(run.finished_at),
    )
    if not known:
        _log.warning("records of run %s are let go: there is no such run", batch.run_id)
        return False
    # A step walked again may stand in a batch twice, as it ended and as it is now: the later one counts.
    latest = {step.path: step for step in sorted(batch.steps, key=lambda step: step.generation)}
    await steps.write(session, workspace_id, run_id, [_row(step) for step in latest.values()])
    if run.status in run_state.ENDED:
        await waits.close(session, workspace_id, run_id, None)
    elif batch.closed_waits:
        await waits.close(session, workspace_id, run_id, batch.closed_waits)
    return True


async def _write_steps(platform: Platform, call: ActionCall, rows: Sequence[JsonObject]) -> None:
    workspace_id, run_id = UUID(call.workspace_id), UUID(call.run_id)
    try:
        async with platform.database.transaction(workspace_id) as session:
            await steps.write(session, workspace_id, run_id, rows)
    except IntegrityError as error:
        _without_owner(error, "run", call.run_id)


def _without_owner(error: IntegrityError, what: str, id_: str) -> None:
    """Records of what is no longer there are let go: an effect must not be repeated for ever because of them."""
    if not isinstance(error.orig, psycopg.errors.ForeignKeyViolation):
        raise error
    _log.warning("records of %s %s are let go: there is no such %s", what, id_, what)


async def _since(session: AsyncSession, workspace_id: UUID, run_id: UUID, since: str) -> datetime | None:
    if since == "wait_start":
        return None
    if since == "run_start":
        return await run_state.created_at(session, workspace_id, run_id)
    return _moment(since)


def _row_of(call: ActionCall) -> JsonObject:
    return {
        "path": call.path,
        "sequence": call.order,
        "step_id": call.step_id,
        "name": call.name,
        "type": "action",
        "action": call.action,
        "generation": call.generation,
    }


def _row(step: StepRecord) -> JsonObject:
    row = asdict(step)
    row["sequence"] = row.pop("order")
    return row


def _earliest(records: Sequence[StepRecord]) -> datetime | None:
    return min((datetime.fromisoformat(step.started_at) for step in records if step.started_at), default=None)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
