"""A run as it stands this moment: its rows, and over them what its Temporal workflow says of itself.

Rows lag behind on purpose (records of pure steps come in batches); the timeline knows what is in flight. A row that has
reached its end is never overruled by a timeline.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError

from app.db.models import Run, Step
from app.services.launching import TEMPORAL_ERRORS, handle_of, has_ended
from app.services.platform import Platform
from app.store.run_state import ENDED
from app.temporal.messages import StepRecord, Timeline
from app.temporal.names import TIMELINE_QUERY

QUERY_SECONDS = 2.0
STEP_ENDED = ("completed", "failed", "skipped", "cancelled")


async def timeline_of(platform: Platform, run: Run) -> Timeline | None:
    """What the run's Temporal workflow says; None when it is not under way or does not answer within two seconds."""
    if has_ended(run) or run.status == "pending":
        return None
    try:
        async with asyncio.timeout(QUERY_SECONDS):
            handle = await handle_of(platform, run.id)
            found: Timeline = await handle.query(
                TIMELINE_QUERY, result_type=Timeline, rpc_timeout=timedelta(seconds=QUERY_SECONDS)
            )
            return found
    except (*TEMPORAL_ERRORS, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None


def with_timeline(run: Run, timeline: Timeline | None) -> Run:
    """The run's row brought up to what the timeline says."""
    if timeline is None or timeline.status in ENDED or has_ended(run):
        return run
    run.status = timeline.status
    run.current_step = timeline.current_step
    run.waiting_for = timeline.waiting_for
    run.steps_completed = max(run.steps_completed, timeline.steps_completed)
    run.variables = timeline.variables
    return run


def merged_steps(rows: Iterable[Step], records: Iterable[StepRecord], workspace_id: UUID, run_id: UUID) -> list[Step]:
    """Rows and the timeline's records as one list, in the order the steps began."""
    steps = {row.path: row for row in rows}
    for record in records:
        live = _step(record, workspace_id, run_id)
        row = steps.get(record.path)
        steps[record.path] = live if row is None else _later(row, live)
    return sorted(steps.values(), key=lambda step: (step.sequence, step.path))


def _later(row: Step, live: Step) -> Step:
    if live.generation != row.generation:
        return live if live.generation > row.generation else row
    if row.status in STEP_ENDED:
        return row
    if live.status not in STEP_ENDED and row.attempt >= live.attempt:
        # A failed attempt writes its own row before the walk hears of it.
        live.attempt, live.error = row.attempt, live.error or row.error
    return live


def _step(record: StepRecord, workspace_id: UUID, run_id: UUID) -> Step:
    return Step(
        workspace_id=workspace_id,
        run_id=run_id,
        path=record.path,
        sequence=record.order,
        step_id=record.step_id,
        name=record.name,
        type=record.type,
        action=record.action,
        status=record.status,
        effect_key=None,
        attempt=record.attempt,
        generation=record.generation,
        inputs=record.inputs,
        output=record.output,
        error=record.error,
        wait=record.wait,
        started_at=_moment(record.started_at),
        finished_at=_moment(record.finished_at),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
