"""Dispatch: in few statements, nothing of one event at another's cost, and nothing done twice."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.db.engine import Database
from app.db.models import Event, Run
from app.json import Json, JsonObject
from app.services import dispatching, events
from app.services.dispatches import Dispatches
from app.services.errors import Unavailable
from tests.integration.services.building import a_run, an_event
from tests.integration.services.test_waiting import open_wait
from tests.support.engine import Engine

STEPS: list[JsonObject] = [{"id": "wait", "type": "wait_for_event", "event": "shop.never"}]


def event(number: int, type: str = "shop.paid", data: Json = None) -> JsonObject:
    return {"specversion": "1.0", "id": f"e-{number}", "source": "/shop", "type": type, "data": data}


async def listening(engine: Engine, **trigger: Json) -> None:
    await engine.publish({"trigger": {"type": "event", "event": "shop.paid", **trigger}, "steps": STEPS})


async def send(engine: Engine, *sent: JsonObject) -> list[events.Ingested]:
    return await events.ingest(engine.platform, engine.workspace_id, sent)


async def sweep(engine: Engine, limit: int = 100) -> int:
    return await events.dispatch_pending(engine.platform, engine.workspace_id, limit, older_than=timedelta(0))


async def all_events(engine: Engine) -> list[Event]:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await session.scalars(select(Event).order_by(Event.received_at, Event.id)))


async def all_runs(engine: Engine) -> list[Run]:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await session.scalars(select(Run).order_by(Run.id)))


class Counted:
    """How often the database was asked for something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trips = 0
        for name in ("run", "run_in_turn", "transaction"):
            monkeypatch.setattr(Database, name, self._counting(getattr(Database, name)))

    def _counting(self, real: Any) -> Any:
        def counted(*given: Any) -> Any:
            self.trips += 1
            return real(*given)

        return counted


async def test_an_event_takes_two_round_trips_and_a_thousand_not_many_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(engine, event(0))
    asked = Counted(monkeypatch)
    await send(engine, event(1))
    assert asked.trips == 2
    done = await send(engine, *(event(number) for number in range(2, 1002)))
    assert asked.trips < 12
    assert [one.id for one in done] == [f"e-{number}" for number in range(2, 1002)]
    found = await all_events(engine)
    assert all(one.dispatched_at is not None for one in found)
    assert [one.id for one in found] == [f"e-{number}" for number in range(1002)]


async def test_a_batch_starts_what_each_of_its_events_starts(engine: Engine) -> None:
    await listening(engine, filter={"n": 7})
    await listening(engine)
    done = await send(engine, *(event(number, data={"n": number % 10}) for number in range(60)))
    assert [len(one.started) for one in done] == [2 if number % 10 == 7 else 1 for number in range(60)]
    by_event = {str(run.id): run.trigger_event_id for run in await all_runs(engine)}
    assert len(by_event) == 66
    assert all(by_event[run_id] == one.id for one in done for run_id in one.started)


@pytest.mark.parametrize("filter", [None, {"n": 1}], ids=["without a key", "with a key"])
async def test_events_of_several_sources_in_a_batch_start_only_what_listens_to_their_own(
    engine: Engine, filter: Json
) -> None:
    for source in ("/shop", "/depot"):
        await listening(engine, source=source, filter=filter)
    sent = [event(number, data={"n": 1}) | {"source": ("/shop", "/depot", "/else")[number % 3]} for number in range(9)]
    done = await send(engine, *sent)
    assert [len(one.started) for one in done] == [1, 1, 0] * 3
    await an_event(engine.platform, engine.workspace_id, "shop.paid", {"n": 1}, id="late", source="/shop")
    await an_event(engine.platform, engine.workspace_id, "shop.paid", {"n": 1}, id="late", source="/else")
    assert await sweep(engine) == 2
    started = {(one.source, one.id): len(one.started) for one in await all_events(engine) if one.id == "late"}
    assert started == {("/shop", "late"): 1, ("/else", "late"): 0}


async def test_one_that_cannot_be_dispatched_is_tried_again_after_all_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await listening(engine)
    match = dispatching._match

    async def poisoned(one: Any, *given: Any) -> None:
        if one.event.id in ("e-0", "e-1"):
            raise ValueError("poison")
        await match(one, *given)

    monkeypatch.setattr(dispatching, "_match", poisoned)
    with caplog.at_level(logging.ERROR):
        done = await send(engine, *(event(number) for number in range(4)))
    assert [len(one.started) for one in done] == [0, 0, 1, 1]
    assert "event 'e-0' of '/shop' could not be dispatched" in caplog.text
    await an_event(engine.platform, engine.workspace_id, "shop.paid", id="late", source="/shop")
    first, second = [one.tried_at for one in (await all_events(engine))[:2]]
    assert await sweep(engine, limit=2) == 0, "they were tried before the late one came"
    assert await sweep(engine, limit=2) == 1, "the late one is before them now"
    third, fourth = [one.tried_at for one in (await all_events(engine))[:2]]
    assert None not in (first, second, third, fourth)
    monkeypatch.setattr(dispatching, "_match", match)
    assert await sweep(engine) == 2
    assert len(await all_runs(engine)) == 5


async def test_an_event_that_is_kept_is_not_refused_because_its_trouble_cannot_be_noted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def poisoned(*_: Any) -> None:
        raise ValueError("poison")

    async def away(*_: Any) -> None:
        raise Unavailable("database_unavailable", "The database cannot be reached.")

    with monkeypatch.context() as trouble:
        trouble.setattr(dispatching, "_match", poisoned)
        trouble.setattr(Dispatches, "note", away)
        await send(engine, event(0))
        await send(engine, event(1), event(2))
    assert await sweep(engine) == 3


async def test_the_same_event_at_the_same_moment_starts_one_run(engine: Engine) -> None:
    await listening(engine)
    done = await asyncio.gather(*(send(engine, event(0)) for _ in range(6)))
    [run] = await all_runs(engine)
    assert [one.started for [one] in done] == [[str(run.id)]] * 6
    assert sorted(one.duplicate for [one] in done) == [False, True, True, True, True, True]


async def test_what_was_delivered_is_not_delivered_again_because_something_else_was_not(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = [await a_run(engine.platform, engine.workspace_id, status="waiting") for _ in range(2)]
    for run_id in (first, second):
        await open_wait(engine.platform, engine.workspace_id, run_id, None)
    told: list[Any] = []

    async def wake(platform: Any, one: Any, run_id: Any) -> None:
        told.append(run_id)
        if run_id == second and told.count(second) < 2:
            one.done = False
        else:
            one.woke.add(str(run_id))

    monkeypatch.setattr(dispatching, "_wake", wake)
    [did] = await send(engine, event(0, "order.paid"))
    assert did.woke == [str(first)]
    assert await sweep(engine) == 1
    assert (told.count(first), told.count(second)) == (1, 2)
