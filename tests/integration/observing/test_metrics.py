"""What a process tells Prometheus of what went through it: its own numbers and those of Temporal's SDK in one place."""

from uuid import UUID

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete

from api.codec_cors import ui_origin
from app.db.engine import POOL_SIZE
from app.db.models import Event, Run
from app.observing.process import observed
from app.services import backlog
from app.settings import Settings
from app.store import sweeps
from tests.integration.api.calls import PROBLEM
from tests.integration.observing.conftest import STRANGE, Watched
from tests.integration.services.building import a_run, an_event


async def value(watched: Watched, name: str, **labels: str) -> float:
    """The sum of the samples of this name with these labels; 0 where there is none."""
    families = text_string_to_metric_families(await watched.scraped())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


async def test_requests_are_counted_by_template_and_never_by_address(watched: Watched) -> None:
    name = "holdfast_http_requests_total"
    start = {"method": "POST", "route": "/v1/workflows/{workflow_id}/runs"}

    assert await value(watched, name, **start, status="202") == 1
    assert await value(watched, "holdfast_http_request_duration_seconds_count", **start) == 1
    assert await value(watched, name, route="none", status="404") == 1
    assert STRANGE not in await watched.scraped()
    assert watched.run["id"] not in await watched.scraped()


async def test_a_method_nobody_knows_is_one_label(watched: Watched) -> None:
    for method in ("BREW", "PROPFIND"):
        await watched.client.request(method, "/v1/runs")

    assert await value(watched, "holdfast_http_requests_total", method="other") == 2
    assert "BREW" not in await watched.scraped()


async def test_what_is_under_way_goes_back_to_nothing(watched: Watched) -> None:
    assert await value(watched, "holdfast_http_requests_in_flight") == 0


async def test_a_stream_is_counted_while_it_is_open_and_is_no_request_in_flight(watched: Watched) -> None:
    async with watched.client.stream("GET", f"/v1/runs/{watched.run['id']}/stream") as answer:
        assert answer.status_code == 200
        await answer.aread()

    assert await value(watched, "holdfast_streams_open") == 0
    assert await value(watched, "holdfast_http_requests_in_flight") == 0
    assert await value(watched, "holdfast_http_requests_total", route="/v1/runs/{run_id}/stream") == 1


async def test_what_never_comes_to_a_route_is_counted_too(watched: Watched) -> None:
    origin = ui_origin(watched.platform.settings)
    preflight = await watched.client.options("/codec/decode", headers={"Origin": origin})
    long = await watched.client.get("/v1/runs", params={"q": "x" * 17_000}, headers={"Origin": origin})

    for answer, method in ((preflight, "OPTIONS"), (long, "GET")):
        named = {"method": method, "route": "none", "status": str(answer.status_code)}
        assert await value(watched, "holdfast_http_requests_total", **named) == 1
        assert {"x-request-id", "content-security-policy"} <= set(answer.headers)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, origin)
    assert long.status_code == 414


async def test_a_wrong_key_is_a_failed_sign_in(watched: Watched) -> None:
    before = await value(watched, "holdfast_signin_failures_total", code="missing_api_key")
    answer = await watched.client.get("/v1/runs", headers={"Authorization": ""})

    assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)
    assert await value(watched, "holdfast_signin_failures_total", code="missing_api_key") == before + 1
    assert await value(watched, "holdfast_signin_failures_total", code="invalid_api_key") == 1


async def test_runs_and_attempts_are_counted_by_what_came_of_them(watched: Watched) -> None:
    assert await value(watched, "holdfast_runs_started_total") == 1
    assert await value(watched, "holdfast_runs_finished_total", status="completed") == 1
    assert await value(watched, "holdfast_run_duration_seconds_count", status="completed") == 1
    assert 0 < await value(watched, "holdfast_run_duration_seconds_sum") < 60
    assert await value(watched, "holdfast_actions_total", action="http.request", outcome="completed") == 2
    assert await value(watched, "holdfast_actions_total", action="http.request", outcome="retrying") == 1
    assert await value(watched, "holdfast_action_retries_total", action="http.request") == 1
    assert await value(watched, "holdfast_action_duration_seconds_count", action="http.request") == 3


async def test_connections_to_the_database_are_seen(watched: Watched) -> None:
    assert await value(watched, "holdfast_database_connections", pool="lean", state="idle") > 0
    assert await value(watched, "holdfast_database_connections", pool="lean", state="in_use") == 0
    assert await value(watched, "holdfast_database_connections", pool="session", state="idle") > 0


async def test_how_many_connections_a_pool_may_have_is_as_it_was_opened(watched: Watched) -> None:
    for pool, size in (("lean", POOL_SIZE), ("session", POOL_SIZE), ("platform", sweeps._CONNECTIONS)):
        assert await value(watched, "holdfast_database_pool_size", pool=pool) == size


async def test_the_platforms_own_connections_are_seen(watched: Watched) -> None:
    await watched.platform.sweeps.states_after(None, 1)

    assert await value(watched, "holdfast_database_connections", pool="platform", state="idle") > 0


async def test_the_numbers_of_temporals_sdk_stand_beside_ours(watched: Watched) -> None:
    assert await value(watched, "temporal_workflow_completed_total", workflow_type="Automation") == 1
    assert await value(watched, "temporal_request_latency_seconds_count", operation="StartWorkflowExecution") == 1
    assert await value(watched, "temporal_num_pollers") > 0


async def test_what_waits_is_counted_over_all_workspaces(watched: Watched) -> None:
    before = await backlog.count(watched.platform)
    workspace_id = UUID((await watched.client.get("/v1/workspace")).json()["id"])
    run_id = await a_run(watched.platform, workspace_id, status="waiting")
    event = await an_event(watched.platform, workspace_id, "app.thing.happened")
    found = await backlog.count(watched.platform)

    assert found.waiting_runs == before.waiting_runs + 1
    assert found.undispatched_events == before.undispatched_events + 1
    assert found.oldest_undispatched_event > 0
    backlog.show(watched.platform, found)
    assert await value(watched, "holdfast_backlog", kind="waiting_runs") == found.waiting_runs
    # What would wait for ever is taken away again.
    async with watched.platform.database.transaction(workspace_id) as session:
        await session.execute(delete(Run).where(Run.id == run_id))
        await session.execute(delete(Event).where(Event.id == event.id))


async def test_a_port_in_use_is_said_with_the_setting_to_change(watched: Watched, settings: Settings) -> None:
    taken = settings.model_copy(update={"api_metrics_port": watched.port})

    with (
        pytest.raises(SystemExit, match=f"HOLDFAST_API_METRICS_PORT.*127.0.0.1:{watched.port}"),
        observed(taken, "api"),
    ):
        pass


async def test_without_a_port_nothing_is_served(settings: Settings) -> None:
    with observed(settings, "api") as observing:
        assert observing.traces is None
        observing.metrics.requests.labels("GET", "/healthz", 200).inc()


async def test_the_port_shows_numbers_and_nothing_of_the_api(watched: Watched) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{watched.port}") as client:
        for path in ("/v1/runs", "/docs", "/healthz"):
            assert "openapi" not in (await client.get(path)).text
        assert (await client.post("/metrics")).status_code in (200, 405)
