"""The runs of schedules: how the moment of one becomes a run, and what the end of a run means for its schedule.

A moment's run has a key made of schedule and moment, so that it is started once, however often that is tried. A run's
end is counted once, by whoever takes its mark in the run's row; until it is, upkeep goes on telling of it.
"""

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.service import RPCError

from app.db.models import Run, Schedule
from app.definition.durations import format_moment
from app.definition.timetable import Timetable, near_change
from app.json import JsonObject
from app.services import runs, scheduling
from app.services.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, TooMany
from app.services.launching import TEMPORAL_ERRORS, has_ended
from app.services.platform import Platform
from app.services.starting import BySchedule
from app.services.steering import is_unknown
from app.services.telling import tell_scheduled
from app.store import runs as run_store
from app.store import schedules as store
from app.temporal import names
from app.temporal.scheduled_messages import BeginScheduled, BegunScheduled

UNTOLD_FOR = timedelta(seconds=5)
"""How long a run's end is left to the one who recorded it."""
AGAIN_AFTER = timedelta(minutes=5)
LONGEST_ERROR = 500
FAILED = ("failed", "timed_out")

_log = logging.getLogger(__name__)


def key_of(schedule_id: UUID, moment: datetime) -> str:
    """The idempotency key of the run of a moment."""
    return f"{names.SCHEDULE_KEY}{schedule_id}:{format_moment(moment)}"


async def begin(platform: Platform, asked: BeginScheduled) -> BegunScheduled:
    """Start the run of a moment, or find it; or say why there is none. Raises `Unavailable`: it may be tried again."""
    workspace_id, schedule_id = UUID(asked.workspace_id), UUID(asked.schedule_id)
    moment = datetime.fromisoformat(asked.scheduled_for)
    async with platform.database.transaction(workspace_id) as session:
        row = await store.find(session, workspace_id, schedule_id)
    if row is None or row.deleted_at is not None:
        # Left over in Temporal by somebody who made it while it was being deleted.
        await scheduling.sync(platform, workspace_id, schedule_id)
        return BegunScheduled(skipped="the schedule is gone")
    try:
        table = scheduling.table_of(row)
    except scheduling.UNREADABLE as error:
        await _note_refusal(platform, row, moment, str(error))
        return BegunScheduled(skipped=str(error))
    if (why := _left_out(row, table, moment)) is not None:
        return BegunScheduled(skipped=why)
    return await _start(platform, row, table, moment, asked.waiting)


async def settle(platform: Platform, workspace_id: UUID, schedule_id: UUID, run_id: UUID) -> str | None:
    """Count the end of a run for its schedule, once; answers its status, or None while it has not ended. After too many
    failures in a row the schedule is paused. Raises `Unavailable` without a database."""
    async with platform.database.transaction(workspace_id) as session:
        run = await run_store.find(session, workspace_id, run_id)
        if run is None:
            return "deleted"
        if not has_ended(run):
            return None
        paused = False
        if await store.take_end(session, workspace_id, run_id):
            row = await store.find(session, workspace_id, schedule_id, lock=True)
            if row is not None and row.deleted_at is None:
                if row.last_run_id == run_id:
                    row.last_status = run.status
                message = (run.error or {}).get("message") or "no reason was given"
                paused = _count(row, run.status, f"the last one (run {run_id}) with: {message}")
    if paused:
        await scheduling.sync(platform, workspace_id, schedule_id)
    return run.status


async def tell_pending(platform: Platform, workspace_id: UUID, limit: int) -> int:
    """Tell of ends that a crash left untold; those whose Temporal workflow is gone are counted here. Answers how many
    were told or counted."""
    async with platform.database.transaction(workspace_id) as session:
        untold = await store.take_untold(
            session, workspace_id, ended_for=UNTOLD_FOR, again_after=AGAIN_AFTER, limit=limit
        )
    done = 0
    for run in untold:
        try:
            await tell_scheduled(platform, run.told_workflow or "")
        except TEMPORAL_ERRORS as error:
            if not (isinstance(error, RPCError) and is_unknown(error)):
                # The others would wait as long for no answer: they are told again in some minutes.
                left = len(untold) - done
                _log.warning("the ends of run %s and others (%d in all) are told later: %s", run.id, left, error)
                break
            if run.schedule_id is not None:
                await settle(platform, workspace_id, run.schedule_id, run.id)
        done += 1
    return done


async def _start(platform: Platform, row: Schedule, table: Timetable, moment: datetime, waiting: str) -> BegunScheduled:
    key = key_of(row.id, moment)
    try:
        started = await runs.start(
            platform,
            row.workspace_id,
            row.workflow_id,
            input=_input(row, table, moment),
            idempotency_key=key,
            trigger_type="schedule",
            schedule=BySchedule(row.id, waiting),
        )
    except (Conflict, Forbidden, NotFound) as refusal:
        return BegunScheduled(skipped=refusal.detail)
    except (Invalid, TooLarge, TooMany) as refusal:
        await _note_refusal(platform, row, moment, refusal.detail)
        return BegunScheduled(skipped=refusal.detail)
    run = started.run
    if run.idempotency_key != key:
        return BegunScheduled(skipped=f"it runs once per key (settings.run_once_per), which was run {run.id}")
    if run.status == "pending":
        run = await runs.launch(platform, run)
    await _note_begun(platform, row, moment, run)
    return BegunScheduled(run_id=str(run.id), ended=has_ended(run))


def _left_out(row: Schedule, table: Timetable, moment: datetime) -> str | None:
    """Why a moment that Temporal came with has no run."""
    if _is_none(table, moment):
        return "the clocks are moved: this is no moment of the schedule, or had its run"
    if _is_too_late(row, table, moment):
        return "the schedule is paused, which Temporal does not know yet"
    return None


def _is_none(table: Timetable, moment: datetime) -> bool:
    """Where clocks are moved Temporal starts more than it was told. A moment with seconds is a person's."""
    if table.every is not None or moment.second != 0 or not near_change(table.zone, moment):
        return False
    return not table.has(moment)


def _is_too_late(row: Schedule, table: Timetable, moment: datetime) -> bool:
    """Whether the schedule was paused before this moment of its timetable, and Temporal could not be told. A person
    sets off, and fills in, only what Temporal was told of."""
    if row.status != "paused" or row.synced == row.revision or row.paused_at is None:
        return False
    return moment > row.paused_at and table.has(moment)


def _input(row: Schedule, table: Timetable, moment: datetime) -> JsonObject:
    return {
        "scheduled_for": format_moment(moment),
        "schedule_id": str(row.id),
        "timezone": scheduling.trigger_of(row).timezone,
        "local_time": moment.astimezone(table.zone).isoformat(),
    }


async def _note_begun(platform: Platform, row: Schedule, moment: datetime, run: Run) -> None:
    async with platform.database.transaction(row.workspace_id) as session:
        now = await store.find(session, row.workspace_id, row.id, lock=True)
        if now is None or now.last_run_id == run.id or (now.last_run_id is not None and now.last_run_id > run.id):
            return
        now.last_run_id, now.last_run_at, now.last_status = run.id, run.created_at, run.status
        now.last_scheduled_for, now.last_error = moment, None


async def _note_refusal(platform: Platform, row: Schedule, moment: datetime, why: str) -> None:
    """A moment without a run counts as failed: somebody must mend something."""
    async with platform.database.transaction(row.workspace_id) as session:
        now = await store.find(session, row.workspace_id, row.id, lock=True)
        if now is None or now.deleted_at is not None or now.last_scheduled_for == moment:
            return
        now.last_run_id, now.last_run_at, now.last_status = None, datetime.now(UTC), "failed"
        now.last_scheduled_for, now.last_error = moment, why[:LONGEST_ERROR]
        paused = _count(now, "failed", f"the last one could not begin: {why}")
    if paused:
        await scheduling.sync(platform, row.workspace_id, row.id)


def _count(row: Schedule, status: str, last: str) -> bool:
    """Count an end; whether the schedule is paused for it."""
    if status == "completed":
        row.consecutive_failures = 0
    if status not in FAILED:
        return False
    row.consecutive_failures += 1
    most = scheduling.trigger_of(row).max_failures
    if most is None or row.consecutive_failures < most or row.status == "paused":
        return False
    in_a_row = "a run failed" if row.consecutive_failures == 1 else f"{row.consecutive_failures} runs in a row failed"
    row.status, row.paused_by, row.paused_at = "paused", None, datetime.now(UTC)
    row.paused_reason = f"{in_a_row}, {last}"[:LONGEST_ERROR]
    scheduling.touch(row)
    _log.warning("schedule %s of workflow %s is paused: %s", row.id, row.workflow_id, row.paused_reason)
    return True
