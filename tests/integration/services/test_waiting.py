"""An event finds by their keys the waits it would find by looking at all of them."""

import random
from collections.abc import Sequence
from itertools import product
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import select

from app.db.engine import Statement
from app.db.models import Wait
from app.definition import conditions
from app.json import Json, JsonObject
from app.services import records
from app.services.listening import Candidates, look
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from app.store.events import envelope, patterns_of
from app.store.listening import OpenWait
from app.temporal import record_messages
from tests.integration.services.building import a_batch, a_run, an_event, now

VALUES: list[Json] = [
    1,
    1.0,
    2,
    2.5,
    2**60,
    10.0**17,
    2**70,
    "1",
    "a",
    "",
    "a\x00",
    "a\ufffd",
    True,
    None,
    [1],
    {"b": 1},
]
FORMS: list[Json] = [
    {"id": "{{ trigger.value }}"},
    {"field": "data.id", "operator": "equals", "value": "{{ trigger.value }}"},
    "{{ data.id == trigger.value }}",
    "{{ trigger.value == event.data.id and data.of == 'shop' }}",
    {"all": [{"id": "{{ trigger.value }}"}, {"of": {"$in": ["shop", "mail"]}}]},
    {"any": [{"id": "{{ trigger.value }}"}, {"of": "all"}]},
    {"id": "{{ trigger.value }}", "of": "shop"},
    None,
]
TYPES = ["order.paid", "order.*", "*", "order.lost"]


async def open_wait(
    platform: Platform, workspace_id: UUID, run_id: UUID, form: Json, value: Json = 1, event: str = "order.paid"
) -> None:
    match, context = conditions.bind(form, {"trigger": {"value": value}})
    batch = a_batch(workspace_id, run_id, status="waiting")
    await records.open_wait(
        platform,
        record_messages.OpenWait(
            batch=batch, path="wait", event=event, match=match, context=context, since="wait_start"
        ),
    )


async def looked_at(
    platform: Platform, workspace_id: UUID, type: str, envelopes: list[JsonObject]
) -> Candidates[OpenWait]:
    return (await look(platform, workspace_id, envelopes, now()))[type].waits


async def all_waits(platform: Platform, workspace_id: UUID) -> list[Wait]:
    async with platform.database.transaction(workspace_id) as session:
        return list(await session.scalars(select(Wait).order_by(Wait.run_id, Wait.path)))


def of_type(waits: list[Wait], type: str) -> list[Wait]:
    return [wait for wait in waits if wait.event in patterns_of(type)]


def matching(waits: Sequence[Wait | OpenWait], sent: JsonObject) -> list[UUID]:
    return [wait.run_id for wait in waits if conditions.event_matches(wait.match, sent, wait.context)]


async def test_by_their_keys_an_event_finds_the_waits_a_look_at_all_of_them_finds(platform, workspace):
    chosen = random.Random(4711)
    for form, value in product(FORMS, VALUES):
        run_id = await a_run(platform, workspace.id, status="waiting")
        await open_wait(platform, workspace.id, run_id, form, value, chosen.choice(TYPES))
    waits = await all_waits(platform, workspace.id)
    assert sum(wait.key_fields is not None for wait in waits) > len(waits) / 3
    sent = {
        type: [
            envelope(await an_event(platform, workspace.id, type, {"id": value, "of": of}))
            for value, of in product([*VALUES, "other"], ["shop", "all"])
        ]
        for type in ("order.paid", "order.lost", "order.paid.late", "mail")
    }
    for type, envelopes in sent.items():
        together = await looked_at(platform, workspace.id, type, envelopes)
        for one in envelopes:
            assert matching(together.of(one), one) == matching(of_type(waits, type), one)
    first = sent["order.paid"][0]
    alone = await looked_at(platform, workspace.id, "order.paid", [first])
    assert matching(alone.of(first), first) == matching(of_type(waits, "order.paid"), first) != []
    assert len(alone.of(first)) < len(of_type(waits, "order.paid")) * 2 / 3


async def test_waits_of_another_workspace_and_closed_ones_are_not_looked_at(platform, workspace):
    stranger, _ = await create_workspace(platform, "Stranger")
    sent = envelope(await an_event(platform, workspace.id, "order.paid", {"id": 1}))
    for workspace_id in (workspace.id, stranger.workspace_id):
        run_id = await a_run(platform, workspace_id)
        await open_wait(platform, workspace_id, run_id, {"id": 1})
        if workspace_id == workspace.id:
            await records.record_batch(platform, a_batch(workspace_id, run_id, closed_waits=["wait"]))
    found = await looked_at(platform, workspace.id, "order.paid", [sent])
    assert (found.fields, found.of(sent)) == ((), [])


async def test_a_wait_that_begins_anew_has_the_key_of_what_it_says_then(platform, workspace):
    run_id = await a_run(platform, workspace.id)
    keys: list[Any] = []
    for form in ({"id": 1}, {"id": 2}, {"of": "shop"}, {"of": {"$gt": "a"}}, {"id": 1}):
        await open_wait(platform, workspace.id, run_id, form)
        [row] = await all_waits(platform, workspace.id)
        keys.append((row.key_fields, row.key_digest))
    assert [fields for fields, _ in keys] == ['["id"]', '["id"]', '["of"]', None, '["id"]']
    assert keys[0] == keys[4] != keys[1]


async def test_a_worker_that_knows_no_keys_leaves_none_that_is_wrong(platform, workspace):
    run_id = await a_run(platform, workspace.id)
    await open_wait(platform, workspace.id, run_id, {"id": 1})
    as_before = "UPDATE waits SET match = %(match)s, context = '{}' WHERE run_id = %(run)s"
    for value, kept in ((1, True), (2, False)):
        match = Jsonb({"field": "id", "operator": "equals", "value": value, "bound": True})
        await platform.database.run(workspace.id, Statement(as_before, {"match": match, "run": run_id}))
        [row] = await all_waits(platform, workspace.id)
        assert (row.key_fields is not None, row.key_digest is not None) == (kept, kept)
    sent = envelope(await an_event(platform, workspace.id, "order.paid", {"id": 2}))
    found = await looked_at(platform, workspace.id, "order.paid", [sent])
    assert matching(found.of(sent), sent) == [run_id]
