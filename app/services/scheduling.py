"""Schedules in step: rows with what is published, in its transaction, and then Temporal's schedules with the rows.

A row is written before Temporal hears of it, so that nothing is lost when it is away: what could not be told is left
for upkeep, which also asks now and then whether all is as it should be. Of two who bring a schedule up to date at once
the later row wins: whoever told Temporal of a row that has changed meanwhile does so again.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client, ScheduleDescription
from temporalio.service import RPCError, RPCStatusCode
from uuid_utils.compat import uuid7

from app.db.models import Schedule, Workflow
from app.definition.errors import DurationError
from app.definition.model import Definition
from app.definition.timetable import Timetable, timetable
from app.definition.triggers import ScheduleTrigger
from app.json import JsonObject
from app.services.errors import Unavailable
from app.services.launching import TEMPORAL_ERRORS
from app.services.platform import Platform
from app.store import schedules as store
from app.temporal import run_schedules
from app.temporal.run_schedules import Wanted

SYNC_SECONDS = 5.0
"""What a request waits for Temporal to take its schedules; the rest is upkeep's."""
AT_ONCE = 4
TRIES = 4
BEHIND_FOR = timedelta(seconds=10)
"""How long a schedule is left to the one who changed it."""
CHECK_AFTER = timedelta(minutes=10)
UNREADABLE = (DurationError,)
"""What is raised for a trigger that has no timetable here any more."""

_log = logging.getLogger(__name__)


async def follow(session: AsyncSession, workflow: Workflow, definition: Definition) -> None:
    """The workflow is active with this definition: its schedules are those of the definition, and live.

    A schedule that says the same as before stays the same one; else the one in the same order does, with its id. What
    was paused after failures runs again; what a person paused stays so.
    """
    there = list(await store.of_workflow(session, workflow.workspace_id, workflow.id, lock=True))
    triggers = [
        (position, trigger.model_dump(mode="json"))
        for position, trigger in enumerate(definition.all_triggers)
        if isinstance(trigger, ScheduleTrigger)
    ]
    kept: dict[int, Schedule] = {}
    for position, trigger in triggers:
        if same := next((row for row in there if row.trigger == trigger), None):
            there.remove(same)
            kept[position] = same
    for position, trigger in triggers:
        row = kept.get(position) or (there.pop(0) if there else None)
        if row is None:
            session.add(_new(workflow, position, trigger))
        else:
            _bring(row, workflow, position, trigger)
    for row in there:
        row.deleted_at = row.updated_at = datetime.now(UTC)


async def rest(session: AsyncSession, workflow: Workflow) -> None:
    """The workflow is paused: its schedules stay, and start nothing."""
    for row in await store.of_workflow(session, workflow.workspace_id, workflow.id, lock=True):
        if row.live:
            row.live = False
            touch(row)


async def retire(session: AsyncSession, workflow: Workflow) -> None:
    """The workflow is archived or deleted: its schedules are to go."""
    await store.retire(session, workflow.workspace_id, workflow.id)


def touch(row: Schedule) -> None:
    """The schedule was changed, and Temporal is to hear of it."""
    row.revision += 1
    row.updated_at = datetime.now(UTC)


def revive(row: Schedule) -> bool:
    """End a pause after failures; whether there was one."""
    row.consecutive_failures = 0
    if row.status != "paused" or row.paused_by is not None:
        return False
    row.status, row.paused_reason, row.paused_at = "active", None, None
    return True


async def sync_workflow(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> None:
    """Bring Temporal in step with the workflow's schedules. Never raises: what fails is left for upkeep."""
    try:
        async with platform.database.transaction(workspace_id) as session:
            behind = await store.behind(session, workspace_id, workflow_id)
        async with asyncio.timeout(SYNC_SECONDS):
            await sync_all(platform, workspace_id, behind)
    except (Unavailable, TimeoutError) as error:
        _log.warning("the schedules of workflow %s are left for upkeep: %s", workflow_id, error or "no answer in time")


async def sync_all(platform: Platform, workspace_id: UUID, schedule_ids: Sequence[UUID]) -> int:
    """As `sync` for several; answers how many are in step. Raises `Unavailable` without a database."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(schedule_id: UUID) -> bool:
        async with gate:
            return await sync(platform, workspace_id, schedule_id)

    results = await asyncio.gather(*map(one, schedule_ids), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return sum(map(bool, results))


async def sync(platform: Platform, workspace_id: UUID, schedule_id: UUID, *, resume: bool = False) -> bool:
    """Have Temporal's schedule be as its row says; whether it is. `resume` ends somebody's own pause in Temporal.

    Raises `Unavailable` without a database.
    """
    try:
        client = await platform.temporal.client()
        return await _sync(platform, client, workspace_id, schedule_id, resume)
    except (*TEMPORAL_ERRORS, *UNREADABLE) as error:
        refused = not isinstance(error, TEMPORAL_ERRORS)
        refused |= isinstance(error, RPCError) and error.status is RPCStatusCode.INVALID_ARGUMENT
        level, what = (logging.ERROR, "cannot be made in") if refused else (logging.WARNING, "is not told to")
        _log.log(level, "schedule %s %s Temporal, upkeep tries again: %s", schedule_id, what, error)
        why = str(error) or type(error).__name__
        async with platform.database.transaction(workspace_id) as session:
            await store.note_sync_error(session, workspace_id, schedule_id, why[:500])
        return False


async def tend(platform: Platform, workspace_id: UUID, limit: int) -> tuple[int, int]:
    """Bring in step what is behind, and make sure of what nobody looked at lately: how many that were, and how many of
    them are in step now."""
    async with platform.database.transaction(workspace_id) as session:
        due = await store.take_due(session, workspace_id, behind_for=BEHIND_FOR, check_after=CHECK_AFTER, limit=limit)
    return len(due), await sync_all(platform, workspace_id, due)


def table_of(row: Schedule) -> Timetable:
    """The moments of the row's trigger. Raises one of `UNREADABLE`: what was published can lose its meaning, such as a
    time zone that this machine's data no longer has."""
    return timetable(trigger_of(row))


def trigger_of(row: Schedule) -> ScheduleTrigger:
    """The trigger the row was made of."""
    return ScheduleTrigger.model_validate(row.trigger)


def state_of(row: Schedule) -> tuple[bool, str | None]:
    """Whether the schedule starts nothing at present, and why."""
    if not row.live:
        return True, "its workflow is paused"
    if row.status == "paused":
        return True, row.paused_reason or f"paused by {row.paused_by}"
    if row.paused_in_temporal is not None:
        return True, f"paused in Temporal: {row.paused_in_temporal}"
    return False, None


async def _sync(platform: Platform, client: Client, workspace_id: UUID, schedule_id: UUID, resume: bool) -> bool:
    # Of one that is new it is known that Temporal has none. Any other may have been paused by somebody there.
    look = resume
    for _ in range(TRIES):
        there = await run_schedules.describe(client, str(schedule_id)) if look else None
        async with platform.database.transaction(workspace_id) as session:
            row = await store.find(session, workspace_id, schedule_id)
        if row is None or row.deleted_at is not None:
            await run_schedules.delete(client, str(schedule_id))
            async with platform.database.transaction(workspace_id) as session:
                await store.remove(session, workspace_id, schedule_id)
            return True
        wanted, now = wanted_of(row), datetime.now(UTC)
        behind = row.synced != row.revision
        if row.synced is not None and not look:
            look = True
            continue
        if there is None and (look or row.synced is None):
            done = await run_schedules.create(client, wanted, now)
        elif there is None or behind or resume:
            done = await run_schedules.update(client, wanted, there, now, resume=resume)
        else:
            done = await _as_it_was(client, wanted, there, now)
        look = True
        if not done:
            continue
        pause = None if there is None or resume else run_schedules.own_pause(there)
        async with platform.database.transaction(workspace_id) as session:
            if await store.note_synced(session, workspace_id, schedule_id, row.revision, paused_in_temporal=pause):
                return True
    return False


async def _as_it_was(client: Client, wanted: Wanted, there: ScheduleDescription, now: datetime) -> bool:
    """Put right what somebody else changed, and name the moments around the next changes of clocks."""
    if run_schedules.is_as_wanted(there, wanted, now):
        return True
    _log.info("schedule %s is not as it should be in Temporal, and made so again", wanted.schedule_id)
    return await run_schedules.update(client, wanted, there, now, resume=False)


def wanted_of(row: Schedule) -> Wanted:
    """The schedule as Temporal shall have it."""
    paused = not row.live or row.status == "paused"
    why = state_of(row)[1] if paused else None
    return Wanted(
        workspace_id=str(row.workspace_id),
        schedule_id=str(row.id),
        workflow_id=str(row.workflow_id),
        workflow_name=row.workflow_name,
        trigger=trigger_of(row),
        paused=paused,
        note=why or "as published",
    )


def _new(workflow: Workflow, position: int, trigger: JsonObject) -> Schedule:
    return Schedule(
        workspace_id=workflow.workspace_id,
        id=uuid7(),
        workflow_id=workflow.id,
        workflow_name=workflow.name,
        position=position,
        trigger=trigger,
        live=True,
    )


def _bring(row: Schedule, workflow: Workflow, position: int, trigger: JsonObject) -> None:
    before = (row.trigger, row.live, row.workflow_name)
    row.position, row.trigger, row.live, row.workflow_name = position, trigger, True, workflow.name
    if revive(row) or before != (trigger, True, workflow.name):
        touch(row)
