"""Schedules as people use them: list, look into, set off, fill in a period, pause, resume, and try a trigger out.

How rows are kept in step with workflows and Temporal is `scheduling`'s subject, what a run means `scheduled`'s.
"""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from app.db.models import Run, Schedule
from app.definition.checks.findings import Findings
from app.definition.checks.triggers.schedule import check_schedule
from app.definition.durations import format_moment
from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid
from app.definition.timetable import Timetable, timetable
from app.definition.triggers import ScheduleTrigger
from app.json import JsonObject
from app.services import audit, editing, scheduling
from app.services.audit_facts import of_schedule
from app.services.errors import Conflict, Invalid, NotFound, Unavailable
from app.services.launching import TEMPORAL_ERRORS
from app.services.paging import Page, decode_cursor, page_of
from app.services.platform import Platform
from app.services.scheduled import key_of
from app.store import runs as run_store
from app.store import schedules as store
from app.store import workflows
from app.temporal import run_schedules
from app.temporal.run_schedules import Told

NEXT_RUNS = 10
MOST_PREVIEWED = 100
MOST_BACKFILLED = 1_000
TEMPORAL_SECONDS = 5.0
BEGIN_SECONDS = 5.0
"""How long a trigger by hand waits for its run to be there."""
FIRST_SECONDS = 1.0
"""After once or twice as long without a run Temporal is asked once more."""
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule, how many of its runs have not ended, how its last one is, and what Temporal says of it where it was
    asked."""

    row: Schedule
    running: int
    last_status: str | None
    told: Told | None = None
    note: str | None = None
    """Why Temporal says nothing."""


@dataclass(frozen=True, slots=True)
class Triggered:
    """A moment made up for a trigger by hand, and its run as soon as there is one."""

    row: Schedule
    moment: datetime
    run: Run | None


async def list_(
    platform: Platform,
    workspace_id: UUID,
    *,
    workflow_id: UUID | None = None,
    status: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[ScheduleView]:
    """Schedules in the order they were made. Raises `Invalid` (`invalid_cursor`)."""
    after = decode_cursor(cursor, UUID)
    paused = None if status is None else status == "paused"
    async with platform.database.transaction(workspace_id) as session:
        found = await store.list_(
            session, workspace_id, workflow_id=workflow_id, paused=paused, after=after, limit=limit + 1
        )
        views = await _views(session, workspace_id, found)
    return page_of(views, limit, lambda view: str(view.row.id))


async def of_workflow(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> Sequence[ScheduleView]:
    """The workflow's schedules in the order of its triggers. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        editing.there(await workflows.find(session, workspace_id, workflow_id))
        return await _views(session, workspace_id, await store.of_workflow(session, workspace_id, workflow_id))


async def get(platform: Platform, workspace_id: UUID, schedule_id: UUID) -> ScheduleView:
    """The schedule with what Temporal says of it, if it can be asked. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.find(session, workspace_id, schedule_id), schedule_id)
        [view] = await _views(session, workspace_id, [row])
    told, note = None, None
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            there = await run_schedules.describe(await platform.temporal.client(), str(schedule_id))
    except TEMPORAL_ERRORS:
        note = "Temporal cannot be reached: when the next runs are is not known now"
    else:
        told = None if there is None else run_schedules.told(there)
        note = None if told is not None else "Temporal does not have the schedule yet: upkeep makes it"
    try:
        scheduling.table_of(row)
    except scheduling.UNREADABLE as error:
        note = f"when the next runs are cannot be told: {error}"
    if told is not None:
        # Somebody may have paused or resumed it there since upkeep looked.
        row.paused_in_temporal = _own_note(told)
    return replace(view, told=told, note=note)


def next_runs(view: ScheduleView) -> list[datetime] | None:
    """When the schedule starts runs next, in UTC; None where Temporal has not said. None are to come while it is
    paused."""
    if view.told is None:
        return None
    if view.told.paused:
        return []
    try:
        table = scheduling.table_of(view.row)
    except scheduling.UNREADABLE:
        return None
    exact = table.every is None and scheduling.trigger_of(view.row).jitter is None
    # Where clocks are moved Temporal comes more often than it was told: those starts are none.
    return [moment for moment in view.told.next_runs if not exact or table.has(moment)][:NEXT_RUNS]


async def trigger_now(
    platform: Platform, workspace_id: UUID, schedule_id: UUID, *, overlap: str | None = None
) -> Triggered:
    """Have the schedule start a run now, also one that is paused, with its own `overlap` unless another is named. The
    run is None when it is not there within seconds.

    Raises `NotFound`, `Conflict` (`workflow_not_active`, `schedule_unreadable`), `Unavailable`.
    """
    await _in_step(platform, workspace_id, schedule_id)
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.find(session, workspace_id, schedule_id, lock=True), schedule_id)
        _require_active(row)
        moment = row.last_triggered_for = _free_moment(row)
    policy = overlap or scheduling.trigger_of(row).overlap
    client = await _client(platform)

    run, left = None, BEGIN_SECONDS
    while run is None and left > 0:
        await _ask(run_schedules.trigger(client, str(schedule_id), moment, policy))
        # Of requests that reach a schedule at once Temporal forgets all but one. Those forgotten come again, not at
        # once again, where the same moment twice is one run.
        pause = left
        if policy == "allow_all":
            pause = min(left, random.uniform(1, 2) * FIRST_SECONDS)  # noqa: S311 - it hides nothing
        run, left = await _run_of(platform, row, moment, pause), left - pause
    after = {"moment": format_moment(moment), "overlap": policy, "run_id": None if run is None else str(run.id)}
    name = row.workflow_name
    await audit.note_done(platform.database, workspace_id, "schedule.trigger", schedule_id, name, after=after)
    return Triggered(row, moment, run)


async def backfill(
    platform: Platform, workspace_id: UUID, schedule_id: UUID, *, start: datetime, end: datetime, overlap: str
) -> int:
    """Have the runs of the moments from `start` to `end`, both included, started that have none; answers how many
    moments there are. Raises `NotFound`, `Conflict` (`workflow_not_active`, `schedule_unreadable`), `Invalid`
    (`invalid_backfill`), `Unavailable`."""
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.find(session, workspace_id, schedule_id), schedule_id)
    _require_active(row)
    table = _table(row)
    moments = _moments(table, start, end)
    if not moments:
        return 0
    await _in_step(platform, workspace_id, schedule_id)
    behind = next(table.after(moments[-1]), moments[-1] + timedelta(minutes=1))
    await _ask(run_schedules.backfill(await _client(platform), str(schedule_id), moments[0], behind, overlap))
    period = {"from": format_moment(moments[0]), "to": format_moment(moments[-1])}
    after = {**period, "moments": len(moments), "overlap": overlap}
    name = row.workflow_name
    await audit.note_done(platform.database, workspace_id, "schedule.backfill", schedule_id, name, after=after)
    return len(moments)


async def pause(
    platform: Platform, workspace_id: UUID, schedule_id: UUID, *, reason: str | None, by: str
) -> ScheduleView:
    """Start no more runs of this schedule; those under way go on. Pausing what is paused changes the reason. Raises
    `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.find(session, workspace_id, schedule_id, lock=True), schedule_id)
        before = of_schedule(row)
        if row.status != "paused" or row.paused_by is None:
            row.paused_at = datetime.now(UTC)
        row.status, row.paused_by, row.paused_reason = "paused", by, reason
        scheduling.touch(row)
        await audit.note(
            session, "schedule.pause", schedule_id, row.workflow_name, before=before, after=of_schedule(row)
        )
    await _sync(platform, workspace_id, schedule_id)
    return await get(platform, workspace_id, schedule_id)


async def resume(platform: Platform, workspace_id: UUID, schedule_id: UUID) -> ScheduleView:
    """Start runs again, whoever paused the schedule, in Temporal as well. Raises `NotFound`, `Conflict`
    (`workflow_not_active`): a schedule of a workflow that is paused rests with it."""
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.find(session, workspace_id, schedule_id, lock=True), schedule_id)
        _require_active(row)
        before = of_schedule(row)
        if row.status == "paused":
            row.status, row.paused_by, row.paused_reason, row.paused_at = "active", None, None, None
        row.consecutive_failures = 0
        scheduling.touch(row)
        await audit.note(
            session, "schedule.resume", schedule_id, row.workflow_name, before=before, after=of_schedule(row)
        )
    await _sync(platform, workspace_id, schedule_id, resume=True)
    return await get(platform, workspace_id, schedule_id)


def preview(trigger: JsonObject, count: int, now: datetime) -> tuple[ScheduleTrigger, list[datetime]]:
    """The trigger, and its next moments. Raises `Invalid` (`invalid_definition`) with all problems."""
    try:
        read = parse({"trigger": {**trigger, "type": "schedule"}, "steps": []}).trigger
    except DefinitionInvalid as error:
        raise editing.invalid_definition(error.problems) from None
    assert isinstance(read, ScheduleTrigger), "its type says so"
    findings = Findings()
    check_schedule(read, ("trigger",), findings)
    if problems := findings.problems:
        raise editing.invalid_definition(problems)
    return read, list(islice(timetable(read).after(now), count))


async def _views(session: AsyncSession, workspace_id: UUID, rows: Sequence[Schedule]) -> list[ScheduleView]:
    running = await store.running(session, workspace_id, [row.id for row in rows])
    last = [row.last_run_id for row in rows if row.last_run_id is not None]
    statuses = await store.statuses(session, workspace_id, last) if last else {}
    return [
        # The row says how its run began and how it ended; in between, it may be held or wait for months.
        ScheduleView(row, running.get(row.id, 0), statuses.get(row.last_run_id or row.id, row.last_status))
        for row in rows
    ]


def _moments(table: Timetable, start: datetime, end: datetime) -> list[datetime]:
    now = datetime.now(UTC)
    if end < start:
        raise Invalid("invalid_backfill", "The period ends before it begins: `from` is the earlier moment.")
    if end > now:
        raise Invalid("invalid_backfill", f"The period ends in the future: `to` is {format_moment(now)} at the latest.")
    moments = table.within(start, end, MOST_BACKFILLED + 1)
    if len(moments) > MOST_BACKFILLED:
        there = format_moment(moments[MOST_BACKFILLED - 1])
        raise Invalid(
            "invalid_backfill",
            f"The period has more than {MOST_BACKFILLED:,} moments of the schedule, the most that are taken at once: "
            f"begin with those up to {there}.",
        )
    return moments


def _free_moment(row: Schedule) -> datetime:
    """A second that no other start has: Temporal knows a schedule's starts by the second."""
    table = _table(row)
    second = timedelta(seconds=1)
    moment = datetime.now(UTC).replace(microsecond=0)
    if row.last_triggered_for is not None and moment <= row.last_triggered_for:
        moment = row.last_triggered_for + second
    while moment.second == 0 or table.has(moment):
        moment += second
    return moment


async def _run_of(platform: Platform, row: Schedule, moment: datetime, seconds: float) -> Run | None:
    """The run of the moment, once a worker has begun it; None when these seconds are over."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + seconds
    while True:
        with suppress(Unavailable):
            async with platform.database.transaction(row.workspace_id) as session:
                run = await run_store.with_key(session, row.workspace_id, row.workflow_id, key_of(row.id, moment))
            if run is not None:
                return run
        if clock.time() >= deadline:
            return None
        await asyncio.sleep(POLL_SECONDS)


async def _in_step(platform: Platform, workspace_id: UUID, schedule_id: UUID) -> None:
    """What is asked of Temporal now must find the schedule there, as it was published last."""
    async with platform.database.transaction(workspace_id) as session:
        row = _there(await store.find(session, workspace_id, schedule_id), schedule_id)
    _require_active(row)
    _table(row)
    if row.synced != row.revision and not await _sync(platform, workspace_id, schedule_id):
        async with platform.database.transaction(workspace_id) as session:
            row = _there(await store.find(session, workspace_id, schedule_id), schedule_id)
        why = row.sync_error or "it did not answer in time"
        detail = f"Temporal does not have the schedule as it was published, so that nothing was started: {why}"
        raise Unavailable("temporal_unavailable", detail)


async def _sync(platform: Platform, workspace_id: UUID, schedule_id: UUID, *, resume: bool = False) -> bool:
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            return await scheduling.sync(platform, workspace_id, schedule_id, resume=resume)
    except TimeoutError:
        return False


async def _client(platform: Platform) -> Client:
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            return await platform.temporal.client()
    except TEMPORAL_ERRORS as error:
        raise _away() from error


async def _ask(asked: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            await asked
    except TEMPORAL_ERRORS as error:
        detail = "Temporal did not answer; what was asked for may still take effect: look at the schedule's runs first."
        if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
            detail = "Temporal does not have the schedule at present; it is made again within minutes. Try again then."
        raise Unavailable("temporal_unavailable", detail) from error


def _away() -> Unavailable:
    return Unavailable(
        "temporal_unavailable", "Temporal cannot be reached; nothing was started. Try again in a moment."
    )


def _there(row: Schedule | None, schedule_id: UUID) -> Schedule:
    if row is None or row.deleted_at is not None:
        raise NotFound("schedule_not_found", f"There is no schedule {schedule_id}.")
    return row


def _table(row: Schedule) -> Timetable:
    try:
        return scheduling.table_of(row)
    except scheduling.UNREADABLE as error:
        raise Conflict(
            "schedule_unreadable",
            f"The schedule can start nothing as it is: {error}; publish its workflow anew.",
        ) from error


def _require_active(row: Schedule) -> None:
    if not row.live:
        raise Conflict(
            "workflow_not_active",
            f'The workflow "{row.workflow_name}" is paused, and its schedules with it: activate it first.',
        )


def _own_note(told: Told) -> str | None:
    note = told.note or ""
    return None if not told.paused or note.startswith(run_schedules.OUR_NOTE) else note or "no note"
