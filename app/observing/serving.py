"""Where a process shows its metrics: `GET /metrics` on a port of its own, without sign-in and so on loopback unless
told otherwise. Temporal's SDK keeps its own numbers outside Python and shows them on a port nobody is told of; they are
read from there when somebody looks, so that a process has one place.
"""

import http.client
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

LOOK_SECONDS = 5.0

_log = logging.getLogger(__name__)


class SdkMetrics(Collector):
    """The metrics of Temporal's SDK, read from its own address on loopback."""

    def __init__(self, port: int) -> None:
        self._port = port

    def describe(self) -> list[Metric]:
        """Their names are not known before there are values."""
        return []

    def collect(self) -> Iterator[Metric]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LOOK_SECONDS)
        try:
            connection.request("GET", "/metrics")
            families = list(text_string_to_metric_families(connection.getresponse().read().decode()))
        except (OSError, http.client.HTTPException, ValueError) as error:
            _log.warning("the metrics of Temporal's SDK cannot be read: %s", error or type(error).__name__)
            return
        finally:
            connection.close()
        yield from families


@contextmanager
def served(registry: CollectorRegistry, host: str, port: int, setting: str) -> Iterator[int]:
    """Answer whoever asks, from a thread; gives the port. Raises `SystemExit` with the `setting` to change."""
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise SystemExit(
            f"{setting}: metrics cannot be served on {host}:{port}: {error.strerror or error}. "
            "Each process of a machine needs a port of its own."
        ) from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def unused_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
