"""A process that is watched in every way: its own metrics, Temporal's, and traces. Other tests' platform is not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.worker import Worker

from activities.http_client import HttpClient
from api.main import create_app
from app.embedded.ports import free_port
from app.json import JsonObject
from app.observing.process import observed
from app.observing.traces import Traces
from app.services import backlog
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from app.temporal import names
from tests.conftest import TestWorkspace
from tests.integration.api.calls import an_active_workflow, is_, made
from tests.support.engine import Engine
from tests.support.http_stub import Answer, HttpStub, open_http_stub
from worker.main import build_worker

STRANGE = "/nothing/here/at-all"


@dataclass
class Watched:
    """A process with API and worker, and what one run through it left to see."""

    platform: Platform
    client: httpx.AsyncClient
    provider: HttpStub
    spans: InMemorySpanExporter
    port: int
    run: JsonObject

    def trace(self, trace_id: str) -> list[ReadableSpan]:
        """The spans of a trace that have ended."""
        return [
            span
            for span in self.spans.get_finished_spans()
            if span.context is not None and f"{span.context.trace_id:032x}" == trace_id
        ]

    async def scraped(self) -> str:
        """What Prometheus would be told now."""
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/metrics")).raise_for_status().text


TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@pytest.fixture(scope="session")
async def watched(settings: Settings) -> AsyncIterator[Watched]:
    """One run with two calls, of which the second one is answered on its second attempt; some refused requests."""
    port, spans = free_port(), InMemorySpanExporter()
    own = settings.model_copy(update={"worker_metrics_port": port})
    with observed(own, "worker") as observing:
        traces = Traces("holdfast-test", "1", exporter=spans)
        async with open_platform(own, replace(observing, traces=traces)) as platform, open_http_stub() as provider:
            row, key = await create_workspace(platform, "Watched")
            queue = f"holdfast-{row.workspace_id}"
            requests = HttpClient(own, traceparent=traces.traceparent)
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=create_app(platform)),
                base_url="http://holdfast.test",
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
            )
            temporal = await platform.temporal.client()
            async with client, build_worker(platform, temporal, task_queue=queue, http=requests):
                # For this one run: other tests of the session want theirs taken by their own workers.
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(names, "TASK_QUEUE", queue)
                    run = await _lived(client, provider)
                backlog.show(platform, await backlog.count(platform))
                yield Watched(platform, client, provider, spans, port, run)
            await requests.close()


async def _lived(client: httpx.AsyncClient, provider: HttpStub) -> JsonObject:
    provider.answer("/b", Answer(status=503), Answer(json={"ok": True}))
    retry = {"max_attempts": 3, "initial_interval": "10ms"}
    workflow_id = await an_active_workflow(
        client, _call("a", f"{provider.url}/a"), _call("b", f"{provider.url}/b", retry=retry)
    )
    started = await made(client, f"/v1/workflows/{workflow_id}/runs", {}, headers={"traceparent": PARENT})
    run = await is_(client, started["id"], "completed")
    await client.get(STRANGE)
    await client.get("/v1/runs", headers={"Authorization": "Bearer hf_wrong_wrong"})
    return run


def _call(id: str, url: str, **more: Any) -> JsonObject:
    return {"id": id, "type": "action", "action": "http.request", "inputs": {"url": url, "method": "POST"}, **more}


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace, worker: Worker) -> Engine:
    """A workspace served by the session's worker, which nobody watches."""
    return Engine(platform, workspace.id)
