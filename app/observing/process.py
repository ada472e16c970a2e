"""What is opened once a process, before anything else of it: its metrics with the port they are shown on, its traces,
and Temporal's SDK set up to take part in both. Logs are set up earlier, by `logs.configure`.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from temporalio.runtime import LogForwardingConfig, LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig

from app.observing import logs
from app.observing.metrics import Metrics
from app.observing.serving import SdkMetrics, served, unused_port
from app.settings import Settings

if TYPE_CHECKING:
    from app.observing.traces import Traces

PORTS_TRIED = 3

_log = logging.getLogger("holdfast")


@dataclass(frozen=True, eq=False)
class Observing:
    """What a process is watched by. Without anything given it counts, and nobody sees it."""

    metrics: Metrics = field(default_factory=Metrics)
    traces: "Traces | None" = None
    runtime: Runtime | None = None
    """What Temporal's client is to run on; None = the SDK's own."""


@contextmanager
def observed(settings: Settings, process: Literal["api", "worker"]) -> Iterator[Observing]:
    """Watch this process as the settings say. Raises `SystemExit` where the port for its metrics is in use."""
    port = settings.api_metrics_port if process == "api" else settings.worker_metrics_port
    metrics = Metrics()
    with ExitStack() as opened:
        sdk_port = None
        if port is not None:
            setting = f"HOLDFAST_{process.upper()}_METRICS_PORT"
            opened.enter_context(served(metrics.registry, settings.metrics_host, port, setting))
            _log.info("metrics at http://%s:%d/metrics", settings.metrics_host, port)
        runtime, sdk_port = _runtime(with_metrics=port is not None)
        if sdk_port is not None:
            metrics.registry.register(SdkMetrics(sdk_port))
        traces = None
        if settings.traces == "otlp":
            traces = opened.enter_context(_traced(process))
        yield Observing(metrics, traces, runtime)


@contextmanager
def _traced(process: str) -> Iterator["Traces"]:
    from app.observing.traces import Traces, trace_id  # noqa: PLC0415 - nothing of it is loaded where traces are off

    traces, before = Traces(f"holdfast-{process}", version("holdfast")), logs.trace_of
    logs.trace_of = trace_id
    try:
        yield traces
    finally:
        logs.trace_of = before
        traces.close()


def _runtime(*, with_metrics: bool) -> tuple[Runtime, int | None]:
    """The SDK's runtime, its log lines among ours, and the port of loopback it shows its metrics on."""
    if not with_metrics:
        return _started(None), None
    for _ in range(PORTS_TRIED - 1):
        port = unused_port()
        try:
            return _started(port), port
        except (RuntimeError, ValueError) as error:  # somebody took it meanwhile
            _log.warning("the metrics of Temporal's SDK cannot be had at port %d: %s", port, error)
    port = unused_port()
    return _started(port), port


def _started(port: int | None) -> Runtime:
    return Runtime(
        telemetry=TelemetryConfig(
            logging=LoggingConfig(
                filter=LoggingConfig.default.filter,
                forwarding=LogForwardingConfig(
                    logging.getLogger("temporalio.core"), append_target_to_name=False, append_log_fields_to_message=True
                ),
            ),
            metrics=None
            if port is None
            else PrometheusConfig(
                bind_address=f"127.0.0.1:{port}",
                counters_total_suffix=True,
                unit_suffix=True,
                durations_as_seconds=True,
            ),
        )
    )
