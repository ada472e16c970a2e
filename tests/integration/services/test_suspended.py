"""A suspended workspace: what would start something waits and starts when it is resumed; runs under way go on."""

from typing import Any, Literal

import pytest

from app.db.models import Event
from app.services import administering, dispatching, events, upkeep
from app.temporal.upkeep import Duty
from tests.integration.services.building import a_run, an_event
from tests.integration.services.limited import ended, rows, swept
from tests.integration.services.test_dispatching import all_events, sweep
from tests.integration.services.test_upkeep import needs
from tests.integration.services.test_waiting import open_wait
from tests.support.engine import Engine

TYPE = "shop.order.placed"
WAIT = {"id": "wait", "type": "wait_for_event", "event": "shop.never"}


async def set_(engine: Engine, state: Literal["active", "suspended"]) -> None:
    await administering.change(engine.platform, engine.workspace_id, state=state)


async def a_listener(engine: Engine, **trigger: Any) -> None:
    on = trigger or {"type": "event", "event": TYPE}
    await engine.publish({"triggers": [{"type": "manual"}, on], "steps": [WAIT]})


async def emit(engine: Engine, type: str = TYPE) -> None:
    """A run under way emits an event, which is dispatched at once."""
    emitter = await a_run(engine.platform, engine.workspace_id, workflow_name="Emitter")
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        [emitted] = await events.emit(
            session, engine.workspace_id, emitter, "tell",
            [{"id": "told", "type": type, "subject": "bob", "data": {}}], max_event_bytes=1000,
        )  # fmt: skip
    await events.dispatch_emitted(engine.platform, engine.workspace_id, [emitted])


async def begun_by(engine: Engine) -> set[str]:
    """The events of which runs were started."""
    return {run.trigger_event_id for run in await rows(engine) if run.trigger_event_id is not None}


def done(found: list[Event]) -> dict[str, bool]:
    return {event.id: event.dispatched_at is not None for event in found}


@pytest.mark.parametrize(
    ("type", "trigger"),
    [
        (TYPE, {"type": "event", "event": TYPE}),
        (TYPE, {"type": "event", "event": TYPE, "ordered_by": "{{ subject }}"}),
        ("message.sms.received", {"type": "message", "channel": "sms", "conversation": True}),
    ],
    ids=["event", "ordered", "conversation"],
)
async def test_events_wait_for_their_starts_until_it_is_resumed(
    engine: Engine, type: str, trigger: dict[str, Any]
) -> None:
    await a_listener(engine, **trigger)
    await an_event(engine.platform, engine.workspace_id, type, {}, id="before", subject="ada")
    await set_(engine, "suspended")
    await emit(engine, type)
    assert await sweep(engine) == 0
    assert await begun_by(engine) == set()
    assert done(await all_events(engine)) == {"before": False, "told": False}

    await set_(engine, "active")
    assert await sweep(engine) == 2
    assert await begun_by(engine) == {"before", "told"}
    assert done(await all_events(engine)) == {"before": True, "told": True}
    assert await sweep(engine) == 0


async def test_upkeep_lets_events_rest_and_finds_them_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "UNDISPATCHED_FOR", dispatching.UNDISPATCHED_FOR * 0)
    await a_listener(engine)
    await set_(engine, "suspended")
    await emit(engine)
    assert Duty.EVENTS not in await needs(engine.platform, engine.workspace_id)
    # Suspended since upkeep looked: it comes back later, and not at once.
    report = await upkeep.tend(engine.platform, Duty.EVENTS, [str(engine.workspace_id)])
    assert (report.events_dispatched, report.left_over, report.trouble) == (0, [], [])
    await set_(engine, "active")
    assert Duty.EVENTS in await needs(engine.platform, engine.workspace_id)


async def test_runs_under_way_are_woken_at_once_and_only_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[Any] = []

    async def wake(platform: Any, one: Any, run_id: Any) -> None:
        woken.append(run_id)
        one.woke.add(str(run_id))

    monkeypatch.setattr(dispatching, "_wake", wake)
    await a_listener(engine)
    waits = await a_run(engine.platform, engine.workspace_id, status="waiting")
    await open_wait(engine.platform, engine.workspace_id, waits, None, event=TYPE)
    await set_(engine, "suspended")
    await emit(engine)
    assert woken == [waits]
    await set_(engine, "active")
    await sweep(engine)
    assert (woken, await begun_by(engine)) == ([waits], {"told"})


async def test_the_next_run_in_line_is_let_in_when_it_is_resumed(engine: Engine) -> None:
    one_at_a_time = {"concurrency": {"limit": 1}}
    workflow_id = await engine.publish({"triggers": [{"type": "manual"}], "settings": one_at_a_time, "steps": [WAIT]})
    first, second = await engine.start(workflow_id), await engine.start(workflow_id)
    await set_(engine, "suspended")
    await ended(engine, first)
    assert [run.status for run in await rows(engine)] == ["completed", "pending"]
    await swept(engine)
    assert [run.status for run in await rows(engine)] == ["completed", "pending"]
    assert Duty.STARTS not in await needs(engine.platform, engine.workspace_id)

    await set_(engine, "active")
    assert Duty.STARTS in await needs(engine.platform, engine.workspace_id)
    await swept(engine)
    assert {run.id: run.status for run in await rows(engine)} == {first.id: "completed", second.id: "running"}
