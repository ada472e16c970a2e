"""Every kind under Temporal's sandbox, by a worker that forgets each run at once and replays it at every task."""

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
from tests.support.engine import Engine
from tests.support.http_stub import HttpStub
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


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.slow])
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
