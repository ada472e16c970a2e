"""The Temporal Schedule that runs upkeep: that it is there, as it should be. What a pass does is not known here."""

from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from app.temporal import names

PASS_TIMEOUT = timedelta(minutes=15)
"""A pass that takes longer is ended, so that it does not stand in the way of the next one for ever."""
CATCH_UP = timedelta(seconds=10)
"""The least Temporal takes. Of the passes a server that was away has missed, none has to be made up for."""
RPC_TIMEOUT = timedelta(seconds=10)


async def ensure_upkeep(client: Client, every: timedelta) -> bool:
    """Make the schedule, or bring it to how it should be, and answer whether it was missing.

    Safe to do by many at once. Somebody's pause stays. Raises `RPCError` when the server refuses or is away.
    """
    wanted = _schedule(every)
    try:
        await client.create_schedule(names.UPKEEP_SCHEDULE, wanted, rpc_timeout=RPC_TIMEOUT)
    except ScheduleAlreadyRunningError:
        pass
    else:
        return True

    def brought(there: ScheduleUpdateInput) -> ScheduleUpdate | None:
        schedule = there.description.schedule
        return None if _alike(schedule, wanted) else ScheduleUpdate(replace(wanted, state=schedule.state))

    await client.get_schedule_handle(names.UPKEEP_SCHEDULE).update(brought, rpc_timeout=RPC_TIMEOUT)
    return False


async def run_upkeep_now(client: Client) -> None:
    """Begin a pass unless one is under way or somebody paused the schedule. Raises `RPCError`."""
    handle = client.get_schedule_handle(names.UPKEEP_SCHEDULE)
    if not (await handle.describe(rpc_timeout=RPC_TIMEOUT)).schedule.state.paused:
        await handle.trigger(overlap=ScheduleOverlapPolicy.SKIP, rpc_timeout=RPC_TIMEOUT)


def _schedule(every: timedelta) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.UPKEEP_WORKFLOW,
            id=names.UPKEEP_SCHEDULE,
            task_queue=names.TASK_QUEUE,
            execution_timeout=PASS_TIMEOUT,
            static_summary="Upkeep",
            static_details="Starts runs whose start was lost, dispatches events, reconciles rows, deletes what is old.",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


def _alike(there: Schedule, wanted: Schedule) -> bool:
    """Whether they do the same at the same times. Summaries come back encoded and are not compared."""
    return _essence(there) == _essence(wanted)


def _essence(schedule: Schedule) -> tuple[object, ...]:
    action = schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    spec = [(interval.every, interval.offset or timedelta()) for interval in schedule.spec.intervals]
    policy = schedule.policy
    return (action.workflow, action.task_queue, action.execution_timeout, spec, policy.overlap, policy.catchup_window)
