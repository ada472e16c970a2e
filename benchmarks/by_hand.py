"""What one would write on Temporal oneself: a workflow of five HTTP calls, and one that does nothing. No records, no
definitions, no rows; the measure that Holdfast is held against, and no part of it.

Run as a program this is their worker, tuned as Holdfast's own. `by_hand_api` stands beside.
"""

import asyncio
import os
import signal
from datetime import timedelta
from typing import Any

import aiohttp
import uvloop
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

QUEUE = "by-hand"
ADDRESS = "BY_HAND_TEMPORAL_ADDRESS"
"""Environment: host:port of Temporal."""
CALLS = 5
_TIMEOUT = timedelta(seconds=30)


@workflow.defn
class RegularCalls:
    """Five calls in a row, each a regular activity."""

    @workflow.run
    async def run(self, url: str) -> int:
        """The last call's status."""
        status = 0
        for number in range(1, CALLS + 1):
            info = workflow.info()
            call = [f"{url}/{number}", f"{info.workflow_id}/{number}"]
            status = await workflow.execute_activity("call", args=call, start_to_close_timeout=_TIMEOUT)
        return status


@workflow.defn
class LocalCalls:
    """Five calls in a row, each a local activity."""

    @workflow.run
    async def run(self, url: str) -> int:
        """The last call's status."""
        status = 0
        for number in range(1, CALLS + 1):
            info = workflow.info()
            call = [f"{url}/{number}", f"{info.workflow_id}/{number}"]
            status = await workflow.execute_local_activity("call", args=call, start_to_close_timeout=_TIMEOUT)
        return status


@workflow.defn
class Nothing:
    """An empty workflow."""

    @workflow.run
    async def run(self, input: dict[str, Any]) -> dict[str, Any]:
        """What it was given."""
        return input


class Calls:
    """The one activity, over one HTTP session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @activity.defn
    async def call(self, url: str, key: str) -> int:
        """GET the URL with its key; the answer is read as JSON."""
        async with self._session.get(url, headers={"Idempotency-Key": key}) as answer:
            answer.raise_for_status()
            await answer.json()
            return answer.status


async def serve() -> None:
    """Work until SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    client = await Client.connect(os.environ[ADDRESS])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[RegularCalls, LocalCalls, Nothing],
            activities=[Calls(session).call],
            workflow_runner=UnsandboxedWorkflowRunner(),
            workflow_task_poller_behavior=PollerBehaviorAutoscaling(initial=4),
            activity_task_poller_behavior=PollerBehaviorAutoscaling(initial=4),
        )
        async with worker:
            await stopped.wait()


if __name__ == "__main__":
    uvloop.run(serve())
