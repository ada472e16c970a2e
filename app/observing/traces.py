"""Traces by OpenTelemetry: from a request through the Temporal workflow to the provider's call. Spans say what was done
to which run and how long it took; they hold ids and no values, and of an error no more than its type.

Imported only where traces are switched on: a process without them loads nothing of OpenTelemetry.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from app.observing.context import Facts

CLOSE_SECONDS = 5.0
"""What the last spans have to be sent in."""
CLOSING = "last spans"

_W3C = TraceContextTextMapPropagator()
_TOLD_OF_ERRORS = "exception.type"


class Traces:
    """The spans of one process and where they go."""

    def __init__(self, service: str, version: str, *, exporter: SpanExporter | None = None) -> None:
        """Without an `exporter` they go by OTLP over HTTP to where the usual `OTEL_*` variables say. One that is given
        gets each span as it ends."""
        # What the variables say of the service counts more than what is known here.
        own = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version})
        self._provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(
            BatchSpanProcessor(_Bare(OTLPSpanExporter())) if exporter is None else SimpleSpanProcessor(_Bare(exporter))
        )
        self._tracer = self._provider.get_tracer("holdfast", version)
        self.interceptor = _Carried(self._provider.get_tracer("holdfast.temporal", version))
        """For Temporal's client; a worker over that client has it as well."""

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Span]:
        """A span around a request, in the caller's trace if `traceparent` is among its headers."""
        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        with self._tracer.start_as_current_span(
            method,
            context=_W3C.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
        ) as span:
            yield span

    @staticmethod
    def answered(span: Span, method: str, route: str, status: int, facts: Facts) -> None:
        """Say how the request was answered, and for whom."""
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status, **named(facts)})
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))

    @staticmethod
    def about(facts: Facts) -> None:
        """Name what the current span is about."""
        trace.get_current_span().set_attributes(named(facts))

    @staticmethod
    def traceparent() -> str | None:
        """The header that carries the current span on to a provider (W3C Trace Context)."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        """Send what is not yet sent, if the collector takes it soon: a process must end though it is away."""
        sending = threading.Thread(target=self._provider.shutdown, name=CLOSING, daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)


def trace_id() -> str | None:
    """The current trace, in 32 hexadecimal digits."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else None


def named(facts: Facts) -> dict[str, str | int]:
    """Ids as attributes of a span: `holdfast.run_id` and so on."""
    return {f"holdfast.{name}": value for name, value in facts.items()}


class _Carried(TracingInterceptor):
    """Temporal's own, for activities that belong to a trace: those of housekeeping, every few seconds, begin none."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _OnlyInATrace(super().intercept_activity(next), next, self.header_key)


class _OnlyInATrace(ActivityInboundInterceptor):
    def __init__(self, traced: ActivityInboundInterceptor, plain: ActivityInboundInterceptor, header: str) -> None:
        super().__init__(traced)
        self._plain = plain
        self._header = header

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return await (self.next if self._header in input.headers else self._plain).execute_activity(input)


class _Bare(SpanExporter):
    """Hands spans on without what errors say: their texts may repeat values."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_bare(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _bare(span: ReadableSpan) -> ReadableSpan:
    if not span.events and span.status.description is None:
        return span
    events = [
        Event(
            event.name,
            {name: value for name, value in (event.attributes or {}).items() if name == _TOLD_OF_ERRORS},
            event.timestamp,
        )
        for event in span.events
    ]
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
