"""The Temporal Schedules that start runs: made, brought up to date, looked at, set off. One for each schedule there is.

What a schedule shall be like comes from its row; who decides that, and when, is not known here. Somebody's own pause in
Temporal is told from ours by its note.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import ScheduleOverlapPolicy as RawOverlap
from temporalio.api.schedule.v1 import SchedulePatch, TriggerImmediatelyRequest
from temporalio.api.workflowservice.v1 import PatchScheduleRequest, UpdateScheduleRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from app.definition import durations
from app.definition.timetable import timetable
from app.definition.triggers.schedule import ScheduleTrigger
from app.temporal import calendars, names
from app.temporal.scheduled_messages import ScheduledInput

RPC_TIMEOUT = timedelta(seconds=5)
OUR_NOTE = "holdfast: "
"""How the notes begin that we write: a pause with another note is somebody's own."""
MOST_NOTE = 500

_OVERLAP = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "buffer_one": ScheduleOverlapPolicy.BUFFER_ONE,
    "buffer_all": ScheduleOverlapPolicy.BUFFER_ALL,
    "allow_all": ScheduleOverlapPolicy.ALLOW_ALL,
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a schedule shall be like. `note` says why it is paused, or that it runs."""

    workspace_id: str
    schedule_id: str
    workflow_id: str
    workflow_name: str
    trigger: ScheduleTrigger
    paused: bool
    note: str


@dataclass(frozen=True)
class Told:
    """What Temporal says of a schedule."""

    next_runs: list[datetime] = field(default_factory=list)
    missed: int = 0
    """Moments that were too old to be caught up with."""
    skipped: int = 0
    """Moments that the overlap policy left out."""
    paused: bool = False
    note: str | None = None
    running: list[str] = field(default_factory=list)


async def create(client: Client, wanted: Wanted, now: datetime) -> bool:
    """Make the schedule; False when there is one. Raises `RPCError` (INVALID_ARGUMENT: it is refused)."""
    try:
        await client.create_schedule(
            names.schedule_id(wanted.schedule_id),
            _schedule(wanted, now),
            search_attributes=_attributes(wanted),
            rpc_timeout=RPC_TIMEOUT,
        )
    except ScheduleAlreadyRunningError:
        return False
    return True


async def describe(client: Client, schedule_id: str) -> ScheduleDescription | None:
    """The schedule as Temporal has it; None when it has none. Raises `RPCError`."""
    handle = client.get_schedule_handle(names.schedule_id(schedule_id))
    try:
        return await handle.describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return None


async def update(
    client: Client, wanted: Wanted, there: ScheduleDescription | None, now: datetime, *, resume: bool
) -> bool:
    """Bring the schedule to what is wanted; False when it is gone. Raises `RPCError`.

    With what is `there` somebody's own pause stays, under ours as well, unless it is to `resume`; and Temporal takes
    nothing if somebody changed it since.
    """
    schedule = _schedule(wanted, now)
    if there is not None and not resume and (note := own_pause(there)) is not None:
        schedule.state = ScheduleState(paused=True, note=note)
    request = UpdateScheduleRequest(
        namespace=client.namespace,
        schedule_id=names.schedule_id(wanted.schedule_id),
        # The client's own `update` tells the server nothing about what it has seen.
        schedule=await schedule._to_proto(client),
        conflict_token=b"" if there is None else there.raw_description.conflict_token,
        identity=client.identity,
        request_id=str(uuid4()),
    )
    try:
        await client.workflow_service.update_schedule(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status in (RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.NOT_FOUND):
            return False
        raise
    return True


async def delete(client: Client, schedule_id: str) -> None:
    """Have the schedule gone; what it started goes on. Raises `RPCError`."""
    try:
        await client.get_schedule_handle(names.schedule_id(schedule_id)).delete(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def trigger(client: Client, schedule_id: str, moment: datetime, overlap: str) -> None:
    """Have the action done now, for this moment. Raises `RPCError`."""
    at = Timestamp()
    at.FromDatetime(moment)
    policy: Any = RawOverlap.ValueType(_OVERLAP[overlap])
    asked = TriggerImmediatelyRequest(overlap_policy=policy, scheduled_time=at)
    request = PatchScheduleRequest(
        namespace=client.namespace,
        schedule_id=names.schedule_id(schedule_id),
        patch=SchedulePatch(trigger_immediately=asked),
        identity=client.identity,
        request_id=str(uuid4()),
    )
    await client.workflow_service.patch_schedule(request, timeout=RPC_TIMEOUT)


async def backfill(client: Client, schedule_id: str, start: datetime, end: datetime, overlap: str) -> None:
    """Have the action done for every moment from `start`, itself one, to before `end`, itself one. Raises `RPCError`.

    Temporal looks at when a moment's jitter lets it begin, which is before the next moment: so both are moments.
    """
    handle = client.get_schedule_handle(names.schedule_id(schedule_id))
    before = timedelta(microseconds=1)
    period = ScheduleBackfill(start_at=start - before, end_at=end - before, overlap=_OVERLAP[overlap])
    await handle.backfill(period, rpc_timeout=RPC_TIMEOUT)


def is_as_wanted(there: ScheduleDescription, wanted: Wanted, now: datetime) -> bool:
    """Whether it does what is wanted, when it is wanted. Summaries come back encoded and are not compared."""
    if wanted.paused and not there.schedule.state.paused:
        return False
    if not wanted.paused and there.schedule.state.paused and own_pause(there) is None:
        return False
    return _essence(there.schedule) == _essence(_schedule(wanted, now))


def own_pause(there: ScheduleDescription) -> str | None:
    """The note of somebody's own pause; None when there is no such."""
    state = there.schedule.state
    if not state.paused or (state.note or "").startswith(OUR_NOTE):
        return None
    return state.note or "no note"


def told(there: ScheduleDescription) -> Told:
    """What the description says, moments in UTC."""
    info, state = there.info, there.schedule.state
    return Told(
        next_runs=[moment.astimezone(UTC) for moment in info.next_action_times],
        missed=info.num_actions_missed_catchup_window,
        skipped=info.num_actions_skipped_overlap,
        paused=state.paused,
        note=state.note,
        running=[
            action.workflow_id
            for action in info.running_actions
            if isinstance(action, ScheduleActionExecutionStartWorkflow)
        ],
    )


def _schedule(wanted: Wanted, now: datetime) -> Schedule:
    trigger = wanted.trigger
    jitter = None if trigger.jitter is None else durations.parse(trigger.jitter)
    given = ScheduledInput(workspace_id=wanted.workspace_id, schedule_id=wanted.schedule_id)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.SCHEDULED_WORKFLOW,
            given,
            id=names.schedule_id(wanted.schedule_id),
            task_queue=names.TASK_QUEUE,
            typed_search_attributes=_attributes(wanted),
            static_summary=_summary(wanted.workflow_name),
            static_details=f"Starts runs of workflow `{wanted.workflow_id}`",
            priority=Priority(fairness_key=wanted.workspace_id),
        ),
        spec=calendars.spec(timetable(trigger), jitter, now),
        policy=SchedulePolicy(overlap=_OVERLAP[trigger.overlap], catchup_window=durations.parse(trigger.catch_up)),
        state=ScheduleState(paused=wanted.paused, note=f"{OUR_NOTE}{wanted.note}"[:MOST_NOTE]),
    )


def _attributes(wanted: Wanted) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(names.WORKSPACE, wanted.workspace_id),
            SearchAttributePair(names.WORKFLOW, wanted.workflow_id),
            SearchAttributePair(names.TRIGGER, "schedule"),
        ]
    )


def _summary(name: str) -> str:
    return " ".join(name.split()).encode()[:200].decode(errors="ignore")


def _essence(schedule: Schedule) -> tuple[object, ...]:
    action, policy = schedule.action, schedule.policy
    if not isinstance(action, ScheduleActionStartWorkflow):
        return ()
    does = (action.workflow, action.id, action.task_queue)
    return (*does, *_times(schedule.spec), policy.overlap, policy.catchup_window, schedule.state.limited_actions)


def _times(spec: ScheduleSpec) -> tuple[object, ...]:
    each = [
        tuple(_numbers(part) for part in (day.minute, day.hour, day.day_of_month, day.month, day.day_of_week, day.year))
        for day in spec.calendars
    ]
    intervals = sorted((interval.every, interval.offset or timedelta()) for interval in spec.intervals)
    left = (bool(spec.skip), spec.start_at, spec.end_at, bool(spec.cron_expressions))
    return (sorted(map(str, each)), intervals, spec.jitter or timedelta(), spec.time_zone_name or "UTC", left)


def _numbers(ranges: Sequence[ScheduleRange]) -> list[int]:
    return sorted({n for one in ranges for n in range(one.start, max(one.start, one.end) + 1, one.step or 1)})
