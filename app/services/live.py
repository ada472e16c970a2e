"""A run as it stands this moment: its rows, and over them what its Temporal workflow says of itself.

Rows lag behind on purpose (records of pure steps come in batches); the timeline knows what is in flight. A row that has
reached its end is never overruled by a timeline.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError

from app.catalog.errors import ErrorType
from app.db.models import Run, Step, StepAttempt
from app.json import JsonObject
from app.services.launching import TEMPORAL_ERRORS, handle_of, has_ended
from app.services.payload_keyring import PayloadKeyDeleted
from app.services.platform import Platform
from app.store import steps as step_store
from app.store.run_state import ENDED
from app.temporal.messages import StepRecord, Timeline
from app.temporal.names import TIMELINE_QUERY

QUERY_SECONDS = 2.0
STEP_ENDED = ("completed", "failed", "skipped", "cancelled")


@dataclass(frozen=True, slots=True)
class StepView:
    """A step record with its failed attempts; None where they were not asked for."""

    step: Step
    attempts: Sequence[StepAttempt] | None


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
    except (*TEMPORAL_ERRORS, PayloadKeyDeleted, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None


def with_timeline(run: Run, timeline: Timeline | None) -> Run:
    """The run's row brought up to what the timeline says. While a step is held, its error is the run's."""
    if timeline is None or timeline.status in ENDED or has_ended(run):
        return run
    held = next((record for record in timeline.steps if record.status == "held"), None)
    run.error = None if held is None else _run_error(held)
    run.status = timeline.status
    run.current_step = timeline.current_step
    run.waiting_for = timeline.waiting_for
    run.steps_completed = max(run.steps_completed, timeline.steps_completed)
    recorded = {name: run.variables[name] for name in timeline.left_out if name in (run.variables or {})}
    run.variables = {**recorded, **timeline.variables}
    return run


async def steps(
    platform: Platform, run: Run, *, after: tuple[int, str], limit: int, with_attempts: bool
) -> list[StepView]:
    """At least `limit` of the run's steps behind the place `(sequence, path)`, if there are so many, in the order they
    began."""
    timeline = await timeline_of(platform, run)
    async with platform.database.transaction(run.workspace_id) as session:
        rows = await step_store.list_(session, run.workspace_id, run.id, after=after, limit=limit)
    records = [record for record in (timeline.steps if timeline else []) if (record.order, record.path) > after]
    found = merged_steps(rows, records, run.workspace_id, run.id)
    return await views_of(platform, run, found[:limit], shown=with_attempts)


async def step_at(platform: Platform, run: Run, path: str) -> Step | None:
    """The run's step at this path; None when there is none so far."""
    timeline = await timeline_of(platform, run)
    async with platform.database.transaction(run.workspace_id) as session:
        rows = await step_store.at(session, run.workspace_id, run.id, [path])
    records = [record for record in (timeline.steps if timeline else []) if record.path == path]
    return next(iter(merged_steps(rows, records, run.workspace_id, run.id)), None)


async def views_of(platform: Platform, run: Run, found: Sequence[Step], *, shown: bool) -> list[StepView]:
    """The steps with their failed attempts if `shown`, and those that pause between two with when the next is due.

    Attempts are read after the steps: one that failed in between is the step's as well.
    """
    paths = [step.path for step in found if shown or _is_failing(step)]
    attempts: Sequence[StepAttempt] = []
    if paths:
        async with platform.database.transaction(run.workspace_id) as session:
            attempts = await step_store.attempts(session, run.workspace_id, run.id, paths)
    of_path: dict[str, list[StepAttempt]] = {}
    for attempt in attempts:
        of_path.setdefault(attempt.path, []).append(attempt)
    for step in found:
        if step.path in of_path:
            _bring_up_to(step, of_path[step.path][-1])
        if _is_failing(step) and step.path in of_path:
            due = of_path[step.path][-1].next_attempt_at
            if due is not None and due > datetime.now(UTC):
                step.wait = {"kind": "retry", "event": None, "until": due.isoformat()}
    return [StepView(step, of_path.get(step.path, []) if shown else None) for step in found]


def _bring_up_to(step: Step, failed: StepAttempt) -> None:
    if step.status == "running" and (failed.generation, failed.attempt) > (step.generation, step.attempt):
        step.generation, step.attempt, step.error = failed.generation, failed.attempt, failed.error


def _is_failing(step: Step) -> bool:
    """Whether an attempt of the step failed and it may be pausing: an effect that is retried says so in its rows."""
    return step.status == "running" and step.error is not None and step.wait is None


def merged_steps(rows: Iterable[Step], records: Iterable[StepRecord], workspace_id: UUID, run_id: UUID) -> list[Step]:
    """Rows and the timeline's records as one list, in the order the steps began."""
    steps = {row.path: row for row in rows}
    for record in records:
        live = _step(record, workspace_id, run_id)
        row = steps.get(record.path)
        steps[record.path] = live if row is None else _later(row, live)
    return sorted(steps.values(), key=lambda step: (step.sequence, step.path))


def _later(row: Step, live: Step) -> Step:
    # A timeline leaves out what is in the row of a step that is over: only rows have that whole.
    live.decision = live.decision or row.decision
    if live.generation != row.generation:
        return live if live.generation > row.generation else row
    if row.status in STEP_ENDED:
        return row
    if live.status not in STEP_ENDED and row.attempt >= live.attempt:
        # A failed attempt writes its own row before the walk hears of it.
        live.attempt, live.error = row.attempt, row.error or live.error
    live.inputs = row.inputs if live.inputs is None else live.inputs
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
        decision=record.decision,
        started_at=_moment(record.started_at),
        finished_at=_moment(record.finished_at),
    )


def _run_error(held: StepRecord) -> JsonObject:
    error, path = held.error or {}, held.failed_path or held.path
    return {
        "type": error.get("type", ErrorType.INTERNAL.value),
        "message": error.get("message", ""),
        "step_id": path.rpartition(".")[2],
        "path": path,
    }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
