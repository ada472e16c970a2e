"""Runs of events with the same value of `ordered_by` begin in the order their events were received in."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.db.models import Event
from app.json import Json, JsonObject
from app.services import events, launching, runs
from app.services.platform import Platform
from app.services.retrying import retry
from app.services.starting import id_since
from tests.integration.services.building import an_event
from tests.integration.services.limited import ended, rows, swept
from tests.support.engine import Engine

TYPE = "shop.order.changed"
MORE = 500


def order(contact: str, number: int) -> JsonObject:
    return {
        "specversion": "1.0", "id": f"{contact}-{number}", "source": "/shop", "type": TYPE, "subject": contact,
        "data": {"contact": contact, "n": number},
    }  # fmt: skip


async def a_workflow(engine: Engine, ordered_by: str = "{{ data.contact }}", **head: Json) -> UUID:
    trigger = {"type": "event", "event": "shop.*", "ordered_by": ordered_by}
    wait = {"id": "wait", "type": "wait_for_event", "event": "shop.never"}
    return await engine.publish({"triggers": [{"type": "manual"}, trigger], "steps": [wait], **head})


async def send(engine: Engine, *sent: JsonObject, platform: Platform | None = None) -> list[events.Ingested]:
    return await events.ingest(platform or engine.platform, engine.workspace_id, sent)


async def pending(engine: Engine, platform: Platform | None = None) -> int:
    return await events.dispatch_pending(
        platform or engine.platform, engine.workspace_id, MORE, older_than=timedelta(0)
    )


async def begun_one_by_one(engine: Engine) -> list[str]:
    """The events in the order in which their runs begin; never two of a contact at once."""
    order: list[str] = []
    while under_way := [run for run in await rows(engine) if run.status == "running"]:
        contacts = [run.input["contact"] for run in under_way]
        assert len(set(contacts)) == len(contacts), contacts
        for run in under_way:
            order.append(str(run.trigger_event_id))
            await ended(engine, run)
    assert not [run for run in await rows(engine) if run.status == "pending"]
    return order


async def test_the_next_one_of_a_value_begins_when_the_one_before_has_ended(engine: Engine) -> None:
    await a_workflow(engine)
    for number in range(3):
        await send(engine, order("ada", number))
    await send(engine, order("bob", 0))
    states = {str(run.trigger_event_id): (run.status, run.queue) for run in await rows(engine)}
    assert states == {
        "ada-0": ("running", None),
        "ada-1": ("pending", "concurrency"),
        "ada-2": ("pending", "concurrency"),
        "bob-0": ("running", None),
    }
    assert await begun_one_by_one(engine) == ["ada-0", "bob-0", "ada-1", "ada-2"]


async def test_those_without_a_value_and_those_started_by_hand_wait_for_nobody(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, "{{ data.contact | default('') }}")
    for number in range(2):
        await send(engine, order("", number))
        await engine.start(workflow_id)
    assert {run.status for run in await rows(engine)} == {"running"}


async def test_an_earlier_event_whose_dispatch_was_cut_short_is_started_first(engine: Engine) -> None:
    await a_workflow(engine)
    for number in range(2):
        lost = order("ada", number)
        await an_event(
            engine.platform, engine.workspace_id, TYPE, lost["data"], id=lost["id"], source="/shop", subject="ada"
        )
    [did] = await send(engine, order("ada", 2))
    found = await rows(engine)
    assert [(run.trigger_event_id, run.status) for run in found] == [
        ("ada-0", "running"),
        ("ada-1", "pending"),
        ("ada-2", "pending"),
    ]
    assert did.started == [str(found[2].id)]
    assert await pending(engine) == 2
    assert await begun_one_by_one(engine) == ["ada-0", "ada-1", "ada-2"]


async def test_an_earlier_event_that_another_kind_of_trigger_takes_is_started_by_that_one(engine: Engine) -> None:
    wait = {"id": "wait", "type": "wait_for_event", "event": "shop.never"}
    message = {"type": "message", "channel": "sms", "filter": {"n": 0}}
    ordered = {"type": "event", "event": "message.*", "ordered_by": "{{ data.contact }}"}
    await engine.publish({"triggers": [message, ordered], "steps": [wait]})
    lost, late = [order("ada", number) | {"type": "message.sms.received"} for number in range(2)]
    await an_event(engine.platform, engine.workspace_id, lost["type"], lost["data"], id=lost["id"], source="/shop")
    await send(engine, late)
    await pending(engine)
    kinds = {run.trigger_event_id: (run.trigger_type, run.status) for run in await rows(engine)}
    assert kinds == {"ada-0": ("message", "running"), "ada-1": ("event", "running")}


async def test_dispatches_at_the_same_time_in_several_processes_keep_the_order_in_which_events_were_received(
    engine: Engine, three: Sequence[Platform]
) -> None:
    await a_workflow(engine)
    sent = [order(contact, number) for number in range(12) for contact in ("ada", "bob")]
    sending = [send(engine, one, platform=three[place % 3]) for place, one in enumerate(sent)]
    sweeps = [pending(engine, platform) for platform in three]
    await asyncio.gather(*sending, *sweeps)
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        received = list(await session.scalars(select(Event.id).order_by(Event.received_at)))
    begun = await begun_one_by_one(engine)
    for contact in ("ada", "bob"):
        assert [id for id in begun if id.startswith(contact)] == [id for id in received if id.startswith(contact)]
    assert len(begun) == len(sent)


async def test_a_batch_keeps_its_own_order(engine: Engine) -> None:
    await a_workflow(engine)
    await send(engine, *[order("ada", number) for number in reversed(range(5))], order("ada", 9))
    assert await begun_one_by_one(engine) == ["ada-4", "ada-3", "ada-2", "ada-1", "ada-0", "ada-9"]


async def test_order_is_kept_while_temporal_is_away(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> None:
        raise OSError("away")

    await a_workflow(engine)
    with monkeypatch.context() as outage:
        outage.setattr(launching, "_start", away)
        for number in range(3):
            await send(engine, order("ada", number))
    assert [run.status for run in await rows(engine)] == ["pending"] * 3
    await runs.start_pending(engine.platform, engine.workspace_id, 10, older_than=timedelta(0))
    await send(engine, order("ada", 3))
    await swept(engine)
    assert await begun_one_by_one(engine) == [f"ada-{number}" for number in range(4)]


async def test_an_event_that_comes_again_changes_nothing(engine: Engine) -> None:
    await a_workflow(engine)
    first = [await send(engine, order("ada", number)) for number in range(2)]
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(update(Event).values(dispatched_at=None, started=[]))
    again = [await send(engine, order("ada", number)) for number in (1, 0)]
    assert [one[0].started for one in reversed(again)] == [one[0].started for one in first]
    assert await begun_one_by_one(engine) == ["ada-0", "ada-1"]


async def test_a_retry_takes_its_place_behind_those_that_wait(engine: Engine) -> None:
    await a_workflow(engine)
    for number in range(2):
        await send(engine, order("ada", number))
    [first, second] = await rows(engine)
    await ended(engine, first, "failed")
    repeated = await retry(engine.platform, engine.workspace_id, first.id)
    assert (repeated.status, repeated.queue) == ("pending", "concurrency")
    await ended(engine, second)
    assert (await engine.row(repeated)).status == "running"


@pytest.mark.parametrize("ordered_by", ["{{ data.who.name }}", "{{ data }}"])
async def test_an_order_that_cannot_be_told_leaves_a_run_that_never_began(
    engine: Engine, caplog: pytest.LogCaptureFixture, ordered_by: str
) -> None:
    workflow_id = await a_workflow(engine, ordered_by)
    with caplog.at_level(logging.WARNING):
        [did] = await send(engine, order("ada", 0))
    [run] = await rows(engine)
    assert (did.started, run.status, run.started_at) == ([], "failed", None)
    assert run.error is not None
    assert run.error["message"].startswith("ordered_by: ")
    assert f"event 'ada-0' of '/shop' began no run of workflow {workflow_id}" in caplog.text
    assert await pending(engine) == 0


async def test_what_one_workflow_cannot_take_keeps_nothing_from_the_next_event(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await a_workflow(engine)
    start = runs.start

    async def poisoned(platform: Platform, *given: Any, **more: Any) -> runs.Started:
        if more["event"]["id"] == "ada-0":
            raise ValueError("poison")
        return await start(platform, *given, **more)

    monkeypatch.setattr(runs, "start", poisoned)
    await send(engine, order("ada", 0))
    await send(engine, order("ada", 1))
    assert [run.trigger_event_id for run in await rows(engine)] == ["ada-1"]
    assert "event 'ada-0' of '/shop' could start no run of workflow" in caplog.text


async def test_ids_of_runs_in_order_rise_with_their_moments(engine: Engine) -> None:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        now = await runs.store.clock(session)
    moments = [now + timedelta(microseconds=step) for step in (0, 1, 999, 1000, 1001, 5_000_000)]
    ids = [id_since(moment) for moment in moments]
    assert ids == sorted(ids)
    assert {(id.version, id.variant) for id in ids} == {(7, "specified in RFC 4122")}
