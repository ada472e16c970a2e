"""What the processes count, for Prometheus: one `Metrics` a process, with a registry of its own. Every label has few
values whatever users do: templates of routes, ids of actions, statuses; never a workspace, a run or an address as it
was sent. Where something is counted stands where it happens; how it is served is `serving`'s.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

# When a series began is of no use to anybody here, and would double their number.
disable_created_metrics()  # type: ignore[no-untyped-call]

UNKNOWN_ROUTE = "none"
OTHER = "other"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ACTION_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_RUN_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 90 * 86400)


class Metrics:
    """The metrics of a process. Counting is cheap enough to be done whether or not anybody looks."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._build = Gauge("holdfast_build_info", "Always 1; the version is a label.", ["version"], registry=registry)
        self._build.labels(version("holdfast")).set(1)
        self._count_requests(registry)
        self._count_runs(registry)
        self._count_actions(registry)
        self._count_upkeep(registry)
        self._connections = Gauge(
            "holdfast_database_connections",
            "Connections to the database, by pool and whether in use.",
            ["pool", "state"],
            registry=registry,
        )
        self._pool_sizes = Gauge(
            "holdfast_database_pool_size", "Connections that a pool may have at most.", ["pool"], registry=registry
        )

    def _count_requests(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "holdfast_http_requests_total", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "holdfast_http_request_duration_seconds",
            "Seconds from a request to the end of its answer.",
            ["method", "route"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self.requests_in_flight = Gauge(
            "holdfast_http_requests_in_flight", "Requests that are being answered, streams aside.", registry=registry
        )
        self.streams = Gauge("holdfast_streams_open", "Streams of runs that somebody watches.", registry=registry)
        self.signin_failures = Counter(
            "holdfast_signin_failures_total", "Requests refused for want of a right key.", ["code"], registry=registry
        )
        self.rate_limited = Counter(
            "holdfast_rate_limited_total", "Requests refused as too many.", ["code"], registry=registry
        )

    def _count_runs(self, registry: CollectorRegistry) -> None:
        self.runs_started = Counter("holdfast_runs_started_total", "Runs that began.", registry=registry)
        self.runs_finished = Counter(
            "holdfast_runs_finished_total", "Runs that ended, by how.", ["status"], registry=registry
        )
        self.run_seconds = Histogram(
            "holdfast_run_duration_seconds",
            "Seconds from the beginning of a run to its end, waits included.",
            ["status"],
            buckets=_RUN_SECONDS,
            registry=registry,
        )

    def _count_actions(self, registry: CollectorRegistry) -> None:
        self.actions = Counter(
            "holdfast_actions_total",
            "Attempts of actions by what came of them: completed, repeated (answered by an earlier outcome), "
            "retrying, failed, broken (a fault of Holdfast's or of what it stands on).",
            ["action", "outcome"],
            registry=registry,
        )
        self.action_seconds = Histogram(
            "holdfast_action_duration_seconds",
            "Seconds of an attempt, its outcome's commit included.",
            ["action"],
            buckets=_ACTION_SECONDS,
            registry=registry,
        )
        self.action_retries = Counter(
            "holdfast_action_retries_total", "Attempts that were not the first.", ["action"], registry=registry
        )
        self.commit_retries = Counter(
            "holdfast_outcome_commit_retries_total",
            "Outcomes that could not be kept at once, counted each time.",
            registry=registry,
        )

    def _count_upkeep(self, registry: CollectorRegistry) -> None:
        self.upkeep_passes = Counter("holdfast_upkeep_passes_total", "Passes of upkeep.", registry=registry)
        self.upkeep_found = Counter(
            "holdfast_upkeep_found_total", "What upkeep had to do, by kind.", ["kind"], registry=registry
        )
        self.upkeep_troubles = Counter(
            "holdfast_upkeep_troubles_total",
            "Duties of upkeep that failed somewhere.",
            ["duty"],
            registry=registry,
        )
        self.backlog = Gauge(
            "holdfast_backlog",
            "What waits: pending_runs and undispatched_events for Holdfast, waiting_runs and held_runs for others.",
            ["kind"],
            registry=registry,
        )
        self.backlog_age = Gauge(
            "holdfast_backlog_oldest_seconds",
            "Age of the oldest pending_runs (those a limit holds back aside) and undispatched_events.",
            ["kind"],
            registry=registry,
        )
        self.backlog_looked = Gauge(
            "holdfast_backlog_looked_timestamp_seconds", "When the backlog was counted last.", registry=registry
        )

    def watch_pools(self, usage: Callable[[], Mapping[str, tuple[int, int, int]]]) -> None:
        """Ask for the connections when somebody looks: `usage` gives `(in use, idle, at most)` by pool."""
        for pool, (_, _, most) in usage().items():
            self._pool_sizes.labels(pool).set(most)
            for place, state in enumerate(("in_use", "idle")):
                gauge = self._connections.labels(pool, state)
                gauge.set_function(lambda pool=pool, place=place: usage()[pool][place])  # type: ignore[misc]

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. `method` is one of `METHODS` or `OTHER`, `route` a template."""
        self.requests.labels(method, route, status).inc()
        self.request_seconds.labels(method, route).observe(seconds)

    def run_ended(self, status: str, seconds: float | None) -> None:
        """Count the end of a run that took so long."""
        self.runs_finished.labels(status).inc()
        if seconds is not None:
            self.run_seconds.labels(status).observe(max(seconds, 0.0))

    def tended(self, found: Mapping[str, int], troubles: Sequence[str]) -> None:
        """Count what a part of upkeep had to do, by kind, and the duties that failed."""
        for kind, count in found.items():
            if count:
                self.upkeep_found.labels(kind).inc(count)
        for duty in troubles:
            self.upkeep_troubles.labels(duty).inc()

    def attempted(self, action: str, outcome: str, number: int, seconds: float) -> None:
        """Count an attempt, the `number`th at its effect."""
        self.actions.labels(action, outcome).inc()
        self.action_seconds.labels(action).observe(seconds)
        if number > 1:
            self.action_retries.labels(action).inc()
