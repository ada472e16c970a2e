"""Every kind under Temporal's sandbox, by a worker that forgets each run at once and replays it at every task."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.http_client import HttpClient
from app.temporal import names
from tests.replay.case import prepare
from tests.replay.cases import CASES
from tests.replay.record import limits
from tests.support.engine import Engine, http
from tests.support.executions import replay
from tests.support.http_stub import HttpStub
from tests.support.steps import delay, loop, parallel, put, repeat, wait
from worker.main import build_worker

if TYPE_CHECKING:
    from app.services.platform import Platform
    from tests.conftest import TestWorkspace

QUEUE = "holdfast-sandboxed"


@pytest.fixture(scope="module")
async def forgetful_worker(platform: "Platform") -> AsyncIterator[Worker]:
    """A worker on a queue of its own."""
    http = HttpClient(platform.settings)
    client = await platform.temporal.client()
    worker = build_worker(
        platform, client, task_queue=QUEUE, http=http, workflow_runner=SandboxedWorkflowRunner(), cached_workflows=0
    )
    try:
        async with worker:
            yield worker
    finally:
        await http.close()


@pytest.fixture
def sandboxed(
    platform: "Platform", workspace: "TestWorkspace", forgetful_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> Engine:
    """A workspace whose runs that worker takes."""
    monkeypatch.setattr(names, "TASK_QUEUE", forgetful_worker.task_queue)
    return Engine(platform, workspace.id)


@pytest.mark.parametrize("name", CASES)
async def test_a_run_ends_as_it_must(sandboxed: Engine, http_stub: HttpStub, name: str) -> None:
    prepare(http_stub)
    case = CASES[name]
    with limits(case):
        run = await sandboxed.start(case.definition, input={"url": http_stub.url})
        run = await case.drive(sandboxed, run) or run
        done = await sandboxed.end(run)
    assert done.run.status == case.status, done.run.error
    assert not any(execution.task_failures for execution in done.executions)
    keys = [request.headers["Idempotency-Key"] for request in http_stub.requests if request.path == "/ok"]
    assert len(keys) == len(set(keys)), "no effect twice"


async def test_much_that_happens_at_once_is_told_the_same_way_again(sandboxed: Engine, http_stub: HttpStub) -> None:
    """Events, effects and records of several walkers fall into the same tasks; each task is made from a replay."""
    wanted = {"n": "{{ item }}"}
    walkers = loop(
        "each", 16, wait("reply", match=wanted, timeout="1h"), http("told", f"{http_stub.url}/ok"), put("after"),
        concurrency=4, collect="{{ item }}",
    )  # fmt: skip
    busy = repeat("busy", delay("breath", "15ms"), put("round"), until="{{ vars.over }}")
    over = {"id": "enough", "type": "set_variable", "variables": {"over": True}}
    run = await sandboxed.start(
        {
            "variables": {"over": False},
            "steps": [parallel("both", [busy], [walkers, over])],
            "output": "{{ steps.each.output.results }}",
        }
    )
    for first in range(0, 16, 4):
        for number in range(first, first + 4):
            await sandboxed.at(run, f"both.each[{number}].reply")
        await asyncio.gather(*(sandboxed.send("go", {"n": number}) for number in range(first, first + 4)))
    done = await sandboxed.end(run)
    assert done.output == list(range(16))
    assert not any(execution.task_failures for execution in done.executions)
    assert http_stub.effects(run.id) == {f"both.each[{number}].told": 1 for number in range(16)}
    await replay(await sandboxed.platform.temporal.client(), done.executions)
