"""Workers that a test starts and stops itself, for runs that no other worker takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.worker import Worker

import worker.main
from activities.http_client import HttpClient
from app.services.platform import Platform
from app.temporal import names
from tests.support.engine import Engine


def engine_without_worker(platform: Platform, workspace_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A workspace whose runs only the workers of `running_worker` take, which stop soon."""
    monkeypatch.setattr(names, "TASK_QUEUE", f"holdfast-{workspace_id}")
    monkeypatch.setattr(worker.main, "GRACE", timedelta(milliseconds=300))
    return Engine(platform, workspace_id)


@asynccontextmanager
async def running_worker(engine: Engine) -> AsyncIterator[Worker]:
    """A worker for the engine's runs."""
    requests = HttpClient(engine.platform.settings)
    client = await engine.platform.temporal.client()
    try:
        async with worker.main.build_worker(
            engine.platform, client, task_queue=names.TASK_QUEUE, http=requests
        ) as running:
            yield running
    finally:
        await requests.close()
