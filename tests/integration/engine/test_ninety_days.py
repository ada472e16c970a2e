"""Months of waiting in moments: a Temporal whose clock jumps, real rows in PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities.http_client import HttpClient
from app.db.models import Run
from app.services.platform import Platform
from app.temporal.connect import TemporalConnection
from app.temporal.names import SEARCH_ATTRIBUTES
from app.temporal.payloads import DATA_CONVERTER
from tests.support.engine import Engine, Finished, http
from tests.support.http_stub import Answer, HttpStub
from worker.main import build_worker

if TYPE_CHECKING:
    from tests.conftest import TestWorkspace


@pytest.fixture(scope="module")
async def skipping_platform(platform: Platform, time_skipping: WorkflowEnvironment) -> AsyncIterator[Platform]:
    """The session's database with a Temporal that skips time, and a worker on it."""
    config = time_skipping.client.config()
    config["data_converter"] = DATA_CONVERTER
    client = Client(**config)
    attributes = {key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in SEARCH_ATTRIBUTES}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=attributes)
    )
    skipping = replace(platform, temporal=TemporalConnection(platform.settings, client))
    requests = HttpClient(platform.settings)
    try:
        async with build_worker(skipping, client, http=requests):
            yield skipping
    finally:
        await requests.close()


@dataclass(frozen=True)
class SkippingEngine(Engine):
    """Lets the clock jump while a run is waited for, and only then."""

    async def end(self, run: Run, *, within: float = 30.0) -> Finished:
        client = await self.platform.temporal.client()
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        try:
            while True:
                try:
                    return await super().end(run, within=within)
                except RPCError as error:
                    # The server that skips time now and then breaks off a connection over which it was long silent.
                    if error.status is not RPCStatusCode.INTERNAL:
                        raise
        finally:
            await client.test_service.lock_time_skipping(LockTimeSkippingRequest())


@pytest.fixture
def engine(skipping_platform: Platform, workspace: "TestWorkspace") -> Engine:
    """A workspace whose runs live by the jumping clock."""
    return SkippingEngine(skipping_platform, workspace.id)


WAIT = {"id": "reply", "type": "wait_for_event", "event": "contact.replied", "timeout": "90d"}


async def test_a_poll_of_a_year_ends_with_histories_of_bounded_length(
    engine: Engine, time_skipping: WorkflowEnvironment, http_stub: HttpStub
) -> None:
    """Every twelve hours for a year, beside a wait that lasts as long: 730 iterations, each with an effect."""
    before = await time_skipping.get_current_time()
    poll = {
        "id": "poll",
        "type": "repeat",
        "interval": "12h",
        "until": "{{ steps.check.output.body.ok and loop.number == 730 }}",
        "max_iterations": 2000,
        "steps": [http("check", f"{http_stub.url}/check")],
    }
    branches = [
        {"name": "poll", "steps": [poll]},
        {"name": "wait", "steps": [WAIT | {"timeout": "365d"}]},
    ]
    done = await engine.run(
        {
            "steps": [{"id": "both", "type": "parallel", "branches": branches}],
            "output": ["{{ steps.poll.output.iterations }}", "{{ steps.reply.timed_out }}"],
        },
        within=110,
    )
    assert done.output == [730, True]
    assert await time_skipping.get_current_time() - before >= timedelta(days=364)
    assert http_stub.effects(done.run.id) == {f"both.poll[{number}].check": 1 for number in range(730)}
    assert len(done.executions) > 1
    assert max(execution.events for execution in done.executions) < 10_000
    assert max(execution.size for execution in done.executions) < 10 * 1024 * 1024
    # Old rows go with the pause that follows; after the last iteration there is none.
    kept = [path for path in done.steps if "[" in path]
    assert kept[-100:] == [f"both.poll[{number}].check" for number in range(630, 730)]
    assert len(kept) <= 101
    wait = done.steps["both.reply"]
    assert wait.started_at is not None
    assert wait.finished_at is not None
    assert timedelta(days=365) <= wait.finished_at - wait.started_at < timedelta(days=365, hours=1)


async def test_a_wait_of_ninety_days_times_out_after_ninety_days(
    engine: Engine, time_skipping: WorkflowEnvironment, http_stub: HttpStub
) -> None:
    before = await time_skipping.get_current_time()
    done = await engine.run(
        {
            "steps": [http("ask", f"{http_stub.url}/ask"), WAIT, http("nudge", f"{http_stub.url}/nudge")],
            "output": "{{ steps.reply.timed_out }}",
        }
    )
    assert done.output is True
    assert await time_skipping.get_current_time() - before >= timedelta(days=90)
    assert [request.path for request in http_stub.requests] == ["/ask", "/nudge"]
    assert done.steps["reply"].started_at is not None
    assert done.steps["reply"].finished_at is not None
    assert done.steps["reply"].finished_at - done.steps["reply"].started_at >= timedelta(days=90)
    assert done.history["TIMER_STARTED"] == 1
    assert done.events < 40, "a long wait costs no history"


async def test_an_event_on_day_sixty_ends_the_wait(engine: Engine, time_skipping: WorkflowEnvironment) -> None:
    run = await engine.start({"steps": [WAIT], "output": "{{ steps.reply.output.text }}"})
    await engine.at(run, "reply")
    await time_skipping.sleep(timedelta(days=60))
    assert (await engine.timeline(run)).status == "waiting"
    assert (await engine.send("contact.replied", {"text": "yes"})).woke == [str(run.id)]
    assert (await engine.end(run)).output == "yes"


async def test_months_of_delays_in_a_row_keep_their_moments(engine: Engine) -> None:
    loop = {
        "id": "monthly",
        "type": "loop",
        "items": [1, 2, 3],
        "steps": [{"id": "month", "type": "delay", "duration": "30d"}],
        "collect": "{{ steps.month.output.until }}",
    }
    done = await engine.run({"steps": [loop], "output": "{{ steps.monthly.output.results }}"})
    moments = [datetime.fromisoformat(text) for text in done.output]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(timedelta(days=30) <= gap < timedelta(days=30, minutes=1) for gap in gaps)


async def test_a_run_with_a_limit_of_thirty_days_ends_then(engine: Engine) -> None:
    last = {"id": "last", "type": "transform", "mapping": {"status": "{{ status }}"}}
    done = await engine.run({"settings": {"timeout": "30d"}, "steps": [WAIT], "finally": [last]})
    assert done.run.status == "timed_out"
    assert done.steps["last"].output == {"status": "timed_out"}
    assert done.steps["reply"].status == "cancelled"


async def test_a_provider_that_is_down_for_a_day_is_asked_until_it_is_back(
    engine: Engine, time_skipping: WorkflowEnvironment, http_stub: HttpStub
) -> None:
    http_stub.answer("/", *([Answer(status=503)] * 30), Answer(json="back"))
    before = await time_skipping.get_current_time()
    retry = {"max_attempts": 100, "initial_interval": "1m", "backoff": 2, "max_interval": "1h", "jitter": 0}
    done = await engine.run(
        {"steps": [http("ask", f"{http_stub.url}/", retry=retry)], "output": "{{ steps.ask.output.body }}"}
    )
    assert done.output == "back"
    assert done.steps["ask"].attempt == 31
    assert await time_skipping.get_current_time() - before >= timedelta(hours=24)
    assert len({request.headers["Idempotency-Key"] for request in http_stub.requests}) == 1
    assert done.history["ACTIVITY_TASK_SCHEDULED"] == 1


async def test_a_time_of_day_is_met_on_the_dot(engine: Engine) -> None:
    at = {"time": "09:00", "timezone": "Europe/Berlin", "days": ["mon"]}
    done = await engine.run({"steps": [{"id": "a", "type": "delay", "at": at}], "output": "{{ now }}"})
    moment = datetime.fromisoformat(done.output)
    assert moment.tzinfo == UTC
    assert (moment.weekday(), moment.minute) == (0, 0)
    assert moment.hour in (7, 8)
