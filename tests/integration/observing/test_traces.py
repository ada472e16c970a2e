"""One trace from the request through the Temporal workflow to the provider's call, and none where traces are off."""

import asyncio
import gzip
import socket
import threading

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from activities.http_client import HttpClient
from app.observing import logs
from app.observing import traces as traces_module
from app.observing.process import observed
from app.observing.traces import Traces, trace_id
from app.settings import Settings
from tests.integration.observing.conftest import PARENT, TRACE_ID, Watched
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub


def test_from_the_request_to_the_provider_it_is_one_trace(watched: Watched) -> None:
    spans = watched.trace(TRACE_ID)
    by_id = {span.context.span_id: span for span in spans if span.context}
    called = [asked.headers["traceparent"].split("-") for asked in watched.provider.requests]

    assert [trace for _, trace, _, _ in called] == [TRACE_ID] * 3
    for _, _, parent, _ in called:
        chain = []
        span = by_id.get(int(parent, 16))
        while span is not None:
            chain.append(span.name)
            root = span
            span = by_id.get(span.parent.span_id) if span.parent else None
        assert chain == [
            "RunActivity:http.request",
            "StartActivity:http.request",
            "StartWorkflow:Automation",
            "POST /v1/workflows/{workflow_id}/runs",
        ]
        assert root.parent is not None
        assert f"{root.parent.span_id:016x}" == PARENT.split("-")[2]


def test_spans_say_which_run_and_step_and_nothing_of_its_values(watched: Watched) -> None:
    spans = watched.trace(TRACE_ID)
    [request] = [span for span in spans if span.name.startswith("POST")]
    attempts = [span.attributes or {} for span in spans if span.name == "RunActivity:http.request"]
    steps = [(each["holdfast.run_id"], each["holdfast.step"], each["holdfast.attempt"]) for each in attempts]

    assert (request.attributes or {})["http.response.status_code"] == 202
    assert (request.attributes or {})["holdfast.run_id"] == watched.run["id"]
    assert steps == [(watched.run["id"], "a", 1), (watched.run["id"], "b", 1), (watched.run["id"], "b", 2)]
    assert all("holdfast.workspace_id" in each and "holdfast.workflow" in each for each in attempts)
    assert watched.provider.url not in "".join(span.to_json() for span in spans)


async def test_a_redirect_to_another_origin_does_not_take_the_trace_along(
    watched: Watched, http_stub: HttpStub, settings: Settings
) -> None:
    watched.provider.answer("/away", Answer(status=307, headers={"Location": f"{http_stub.url}/there"}))
    client = HttpClient(settings, traceparent=lambda: PARENT)
    await client.request("GET", f"{watched.provider.url}/away")
    await client.close()

    assert watched.provider.requests[-1].headers["traceparent"] == PARENT
    assert "traceparent" not in http_stub.requests[-1].headers


async def test_without_traces_nothing_is_sent_along(engine: Engine, http_stub: HttpStub) -> None:
    done = await engine.run({"steps": [http("fetch", f"{http_stub.url}/")]})

    assert done.run.status == "completed"
    assert "traceparent" not in http_stub.requests[0].headers


def test_of_an_error_a_span_has_the_type_alone() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces("test", "1", exporter=exporter)
    with pytest.raises(ValueError, match="planted"), traces.request("GET", {}):
        raise ValueError("planted secret")

    [span] = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert "planted" not in span.to_json()
    assert [dict(event.attributes or {}) for event in span.events] == [{"exception.type": "ValueError"}]


async def test_they_go_by_otlp_to_where_the_usual_variables_say(
    settings: Settings, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", http_stub.url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")

    def traced() -> str | None:
        with observed(settings.model_copy(update={"traces": "otlp"}), "api") as observing:
            assert observing.traces is not None
            with observing.traces.request("GET", {}) as span:
                seen = logs.trace_of()
                observing.traces.answered(span, "GET", "/v1/runs", 200, {"workspace_id": "w"})
        return seen

    seen = await asyncio.to_thread(traced)

    [sent] = [asked for asked in http_stub.requests if asked.path == "/v1/traces"]
    [resource] = ExportTraceServiceRequest.FromString(_plain(sent.body)).resource_spans
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    [span] = resource.scope_spans[0].spans
    assert (about["service.name"], about["deployment.environment"]) == ("holdfast-api", "test")
    assert (span.name, span.trace_id.hex()) == ("GET /v1/runs", seen)
    assert logs.trace_of() is None
    assert trace_id() is None


def test_a_collector_that_says_nothing_does_not_keep_a_process_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces_module, "CLOSE_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and answers none
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        traces = Traces("test", "1")
        with traces.request("GET", {}):
            pass
        traces.close()
        [sending] = [thread for thread in threading.enumerate() if thread.name == traces_module.CLOSING]
        assert sending.daemon


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
