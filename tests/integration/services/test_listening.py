"""An event finds by their keys the subscriptions it would find by looking at all of them."""

import random
import re
from datetime import timedelta
from itertools import product
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.db.engine import Statement
from app.db.models import Subscription, Workflow
from app.definition import conditions
from app.definition.model import Definition
from app.definition.parse import parse
from app.json import Json, JsonObject
from app.services import subscribing
from app.services.listening import Candidates, Look, look
from app.services.platform import Platform
from app.store import listening as store
from app.store import subscriptions
from app.store.events import envelope, patterns_of
from app.store.listening import Heard
from app.store.subscriptions import Listen
from tests.integration.services.building import a_run, an_event, now
from tests.integration.services.test_waiting import VALUES

FILTERS: list[Json] = [
    {"field": "data.id", "operator": "equals", "value": "{{ 'a' }}"},
    "{{ data.id == 1 }}",
    "{{ 'shop' == data.of and data.id == '1' }}",
    "{{ data.id == now }}",
    {"any": [{"id": 1}, {"of": "all"}]},
    {"id": {"$gt": 1}},
    {"source": "/shop"},
    None,
]
TYPES = ["order.paid", "order.*", "*", "order.lost"]
LONG = "/" + "s" * 300


async def listens(platform: Platform, workspace_id: UUID, *every: Listen) -> None:
    """Each by a workflow of its own, with the key that publishing gives it."""
    async with platform.database.transaction(workspace_id) as session:
        for number, listen in enumerate(every):
            workflow = Workflow(workspace_id=workspace_id, id=uuid7(), name="Test", slug=f"test-{number}", draft={})
            session.add(workflow)
            await session.flush()
            trigger = {"type": "event", "event": listen.event, "source": listen.source, "filter": listen.filter}
            given = subscribing.listens(workflow.id, a_definition(trigger))
            await subscriptions.replace(session, workspace_id, workflow.id, given)


def a_definition(trigger: JsonObject) -> Definition:
    steps = [{"id": "a", "type": "transform", "mapping": {}}]
    return parse({"trigger": {name: value for name, value in trigger.items() if value is not None}, "steps": steps})


async def looked_at(
    platform: Platform, workspace_id: UUID, type: str, envelopes: list[JsonObject]
) -> Candidates[Heard]:
    return (await look(platform, workspace_id, envelopes, now()))[type].subscriptions


def matching(found: list[Heard] | list[Subscription], sent: JsonObject) -> list[UUID]:
    return [
        each.workflow_id
        for each in found
        if each.event in patterns_of(sent["type"])
        and each.source in (None, sent["source"])
        and conditions.event_matches(each.filter, sent, {})
    ]


async def test_by_their_keys_an_event_finds_the_subscriptions_a_look_at_all_finds(platform, workspace):
    chosen = random.Random(4711)
    equal: list[Json] = [{"id": value} for value in VALUES if not isinstance(value, list | dict) and value != "a\x00"]
    every = [
        Listen(position=0, kind="event", event=chosen.choice(TYPES), filter=filter, source=source)
        for filter, source in product([*FILTERS, *equal], [None, "/test", "/shop", LONG])
    ]
    await listens(platform, workspace.id, *every)
    async with platform.database.transaction(workspace.id) as session:
        rows = list(await session.scalars(select(Subscription).order_by(Subscription.workflow_id)))
    assert sum(row.key_fields is not None for row in rows) > len(rows) / 3
    for type in ("order.paid", "order.lost", "order.paid.late", "mail"):
        sent = [
            envelope(await an_event(platform, workspace.id, type, {"id": value, "of": of}, source=source))
            for value, of, source in product([*VALUES[::3], "a"], ["shop", "all"], ["/test", "/shop", LONG, LONG + "x"])
        ]
        together = await looked_at(platform, workspace.id, type, sent)
        for one in sent:
            assert matching(together.of(one), one) == matching(rows, one)
        alone = await looked_at(platform, workspace.id, type, sent[:1])
        assert matching(alone.of(sent[0]), sent[0]) == matching(rows, sent[0])
        assert len(alone.of(sent[0])) < len(rows) / 3


async def test_fields_that_another_look_learned_meanwhile_are_asked_for_all_the_same(platform, workspace):
    """Events that are dispatched at the same moment share what is remembered."""
    await listens(platform, workspace.id, Listen(position=0, kind="event", event="order.paid", filter={"id": "x"}))
    sent = envelope(await an_event(platform, workspace.id, "order.paid", {"id": "x"}))
    one, other = (Look(platform, workspace.id, [sent]) for _ in range(2))
    first = await platform.database.run(workspace.id, *one.statements())
    second = await platform.database.run(workspace.id, *other.statements())
    for look_, rows in ((one, first), (other, second)):
        assert len((await look_.read(rows))["order.paid"].subscriptions.of(sent)) == 1


async def test_fields_that_come_into_use_later_are_asked_for_at_once(platform, workspace):
    for name in ("id", "of"):
        await listens(platform, workspace.id, *[Listen(position=0, kind="event", event="a.b", filter={name: "x"})])
        sent = envelope(await an_event(platform, workspace.id, "a.b", {"id": "x", "of": "x"}))
        found = (await looked_at(platform, workspace.id, "a.b", [sent])).of(sent)
        assert {next(iter(each.filter)) for each in found} == {"id", "of"} if name == "of" else {"id"}
        async with platform.database.transaction(workspace.id) as session:
            [workflow] = await session.scalars(select(Workflow).where(Workflow.slug == "test-0"))
            workflow.slug = name


@pytest.mark.parametrize(
    ("filter", "key"),
    [
        ({"id": "7"}, '["id"]'),
        ({"id": "{{ 3 + 4 }}"}, '["id"]'),
        ({"id": "{{ data.other }}"}, None),
        ("{{ run.id == data.id }}", None),
        ("{{ data.id == }}", None),
        (True, None),
    ],
)
def test_a_key_is_made_of_what_is_known_when_it_is_published(filter: Json, key: str | None) -> None:
    found = subscribing.key_of_filter(filter)
    assert (found and found.fields) == key


async def test_fields_of_waits_and_subscriptions_are_told_once_each(platform, workspace, a_workflow):
    of = [(event, {name: 1}) for event in ("a.b", "a.*") for name in "xyx"]
    await listens(
        platform, workspace.id, *(Listen(position=0, kind="event", event=event, filter=fits) for event, fits in of)
    )
    asked = store.subscriptions(workspace.id, "a.b", ["/test"], digests=[])
    (rows,) = await platform.database.run(workspace.id, asked)
    fields, found = store.read_subscriptions(rows)
    assert (sorted(fields), found) == (['["x"]', '["y"]'], [])


async def test_a_process_of_the_version_before_still_finds_who_listens_to_any_source(platform, workspace):
    """It may dispatch events while newer ones do, and knows those by the source that is null."""
    every = [Listen(position=0, kind="event", event="a.b", source=source) for source in (None, "/shop")]
    await listens(platform, workspace.id, *every)
    older = "SELECT source FROM subscriptions WHERE event = 'a.b' AND key_fields IS NULL AND source_start {}"
    asked = [Statement(older.format(how), {}) for how in ("IS NULL", "= '/shop'")]
    assert await platform.database.run(workspace.id, *asked) == [[(None,)], [("/shop",)]]


VERY_MANY = """
    INSERT INTO subscriptions (workspace_id, workflow_id, position, event, source, filter, key_fields, key_digest)
    SELECT %(workspace_id)s, %(workflow_id)s, number,
           CASE number %% 3 WHEN 2 THEN 'order.n' || number ELSE 'order.paid' END,
           CASE number %% 3 WHEN 1 THEN '/of/' || number END,
           CASE number %% 3 WHEN 0 THEN jsonb_build_object('id', number) END,
           CASE number %% 3 WHEN 0 THEN '["id"]' END, CASE number %% 3 WHEN 0 THEN number END
    FROM generate_series(0, 29999) AS number
"""


MANY_WAITS = """
    INSERT INTO waits (workspace_id, run_id, path, event, since, key_fields, key_digest)
    SELECT %(workspace_id)s, %(run_id)s, 'each[' || number || '].wait',
           CASE number %% 3 WHEN 2 THEN 'order.n' || number ELSE 'order.paid' END, now(),
           CASE WHEN number %% 3 < 2 THEN '["id"]' END, CASE WHEN number %% 3 < 2 THEN number END
    FROM generate_series(0, 29999) AS number
"""
COUNT = "ANALYZE subscriptions, waits, runs"


@pytest.mark.parametrize("counted", ["never", "before", "then"])
async def test_each_look_is_one_into_an_index_among_very_many(platform, workspace, a_workflow, database_urls, counted):
    """Whatever the database believes: it may have counted when there were a few rows of others, as autovacuum does."""
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        if counted == "before":
            owner.execute(COUNT)
        run_id = await a_run(platform, workspace.id, workflow_id=a_workflow)
        given = {"workspace_id": workspace.id, "workflow_id": a_workflow, "run_id": run_id}
        await platform.database.run(workspace.id, Statement(VERY_MANY, given), Statement(MANY_WAITS, given))
        if counted == "then":
            owner.execute(COUNT)
    subscriptions = store.subscriptions(workspace.id, "order.paid", ["/of/4"], digests=[300])
    fields, found = store.read_subscriptions((await platform.database.run(workspace.id, subscriptions))[0])
    assert (fields, [each.position for each in found]) == (['["id"]'], [4, 300])
    waits = store.waits(workspace.id, "order.paid", None, timedelta(seconds=45), fields=['["id"]'], digests=[301])
    fields, waiting = store.read_waits((await platform.database.run(workspace.id, waits))[0])
    assert (fields, [each.path for each in waiting]) == (['["id"]'], ["each[301].wait"])
    for asked in (subscriptions, waits):
        explained = Statement(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {asked.sql}", asked.parameters)
        for _ in range(8):  # a plan that is kept is of use as well
            (lines,) = await platform.database.run(workspace.id, explained)
        whole = "\n".join(line for (line,) in lines)
        pages = re.search(r"Buffers: shared hit=(\d+)", whole)
        assert int(pages[1] if pages else 0) in range(1, 150), whole
