"""The worker process: connects, registers the generic workflow and all activities, runs until told to stop.

Wiring and tuning only. What a run does is `workflows/`, what an effect does is `activities/`.
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import uvloop
from temporalio.client import Client
from temporalio.worker import (
    FixedSizeSlotSupplier,
    PollerBehaviorAutoscaling,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerTuner,
    WorkflowRunner,
)

from activities.children import ChildActivities
from activities.first_tasks import FirstTasks
from activities.http_client import HttpClient
from activities.messages import MessageDuty
from activities.record import RecordActivities
from activities.runner import ActionRunner
from activities.scheduled import ScheduledActivities
from activities.upkeep import UpkeepActivities
from app.observing import logs
from app.observing.process import observed
from app.services import backlog
from app.services.platform import Platform, open_platform
from app.services.unreadable import UnreadableRuns
from app.settings import Settings
from app.temporal.names import TASK_QUEUE
from worker.deployment import deployment, routing
from worker.registry import WORKFLOWS
from worker.slots import Slots
from worker.tasks import Watched
from worker.upkeep import schedule_upkeep
from worker.visits import shorten

AT_ONCE = 100
"""Activities of each kind: they mostly wait for others."""
GRACE = timedelta(seconds=20)
"""How long effects under way may take to end after the worker is told to stop."""

_log = logging.getLogger("holdfast.worker")


def build_worker(
    platform: Platform,
    client: Client,
    *,
    task_queue: str = TASK_QUEUE,
    http: HttpClient | None = None,
    workflow_runner: WorkflowRunner | None = None,
    cached_workflows: int = 1000,
) -> Worker:
    """A worker over open resources; the caller runs it and closes what it gave.

    A run that is not among `cached_workflows` is replayed from its history when something happens to it.
    """
    shorten()
    platform.payload_keys.on_deleted = UnreadableRuns(platform).end
    first_tasks, slots = FirstTasks(), Slots()
    http = http or HttpClient(platform.settings)
    return Worker(
        client,
        task_queue=task_queue,
        workflows=list(WORKFLOWS.values()),
        deployment_config=deployment(platform.settings),
        activities=_activities(platform, http, first_tasks),
        # Our workflow code is checked for determinism by rule and by replay; the sandbox costs each run an import.
        workflow_runner=Watched(
            workflow_runner or UnsandboxedWorkflowRunner(),
            first_tasks,
            slots,
            platform.observing.metrics.runs_started.inc,
        ),
        max_cached_workflows=cached_workflows,
        tuner=_tuner(slots),
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(initial=4),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(initial=4),
        graceful_shutdown_timeout=GRACE,
        # Cancelling an effect reaches the worker with its heartbeats; seconds, not the default minute.
        max_heartbeat_throttle_interval=timedelta(seconds=2),
        default_heartbeat_throttle_interval=timedelta(seconds=2),
    )


def _activities(platform: Platform, http: HttpClient, first_tasks: FirstTasks) -> list[Callable[..., Any]]:
    return [
        *ActionRunner(platform, http, first_tasks).activities(),
        *RecordActivities(platform).activities(),
        *ChildActivities(platform).activities(),
        *UpkeepActivities(platform, MessageDuty(platform, http)).activities(),
        *ScheduledActivities(platform).activities(),
    ]


def _tuner(slots: Slots) -> WorkerTuner:
    return WorkerTuner.create_composite(
        workflow_supplier=slots,
        activity_supplier=FixedSizeSlotSupplier(AT_ONCE),
        local_activity_supplier=FixedSizeSlotSupplier(AT_ONCE),
        nexus_supplier=FixedSizeSlotSupplier(AT_ONCE),
    )


async def serve(settings: Settings) -> None:
    """Run a worker until SIGINT or SIGTERM. Waits for Temporal while it is not there."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as opened:
        observing = opened.enter_context(observed(settings, "worker"))
        platform = await opened.enter_async_context(open_platform(settings, observing))
        client = await _connected(platform, stopped)
        if client is None:
            return
        http = HttpClient(settings, traceparent=observing.traces.traceparent if observing.traces else None)
        try:
            async with build_worker(platform, client, http=http):
                _log.info("worker polls %s on %s", TASK_QUEUE, settings.resolved_temporal_address)
                _log.info("%s", routing(settings))
                beside = [asyncio.create_task(schedule_upkeep(client, settings))]
                if settings.worker_metrics_port is not None:
                    beside.append(asyncio.create_task(backlog.watch(platform)))
                await stopped.wait()
                for task in beside:
                    task.cancel()
        finally:
            await http.close()


async def _connected(platform: Platform, stopped: asyncio.Event) -> Client | None:
    """The client as soon as Temporal answers; None when the worker was told to stop before."""
    pause = 0.2
    while not stopped.is_set():
        try:
            return await platform.temporal.client()
        except Exception as error:
            _log.warning("Temporal at %s is away: %s", platform.settings.resolved_temporal_address, error)
            try:
                await asyncio.wait_for(stopped.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, 5.0)
    return None


def _collect_less() -> None:
    """Have Python look for cycles less often, and never among the modules, which stay: that took a fortieth of the
    time, and held everything up for long at once."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def main() -> None:
    """Entry of `holdfast worker`."""
    settings = Settings()
    logs.configure(settings)
    _collect_less()
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
