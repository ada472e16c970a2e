"""Messages of a contact with whom a run is under way are for that run: none starts another, and none is lost."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from app.db.models import Event, Run
from app.json import Json, JsonObject
from app.services import connections, events
from app.services.events import Ingested
from tests.support.engine import Engine
from tests.support.providers import TWILIO
from tests.support.waiting import eventually

ADA, BOB = "+4366012345", "+4366054321"


def reply(id: str, **more: Json) -> JsonObject:
    match = "{{ subject == trigger.from }}"
    return {"id": id, "type": "wait_for_event", "event": "message.sms.received", "match": match, **more}


async def a_workflow(engine: Engine, *steps: JsonObject, **trigger: Json) -> UUID:
    texts = {step["id"]: f"{{{{ steps.{step['id']}.output.text | default(none) }}}}" for step in steps}
    trigger = {"type": "message", "channel": "sms", "conversation": True, **trigger}
    output = {"first": "{{ trigger.text }}", **texts}
    return await engine.publish({"triggers": [{"type": "manual"}, trigger], "steps": list(steps), "output": output})


async def message(engine: Engine, text: str, contact: str = ADA, source: str = "/sms", **more: Json) -> Ingested:
    event = {
        "specversion": "1.0", "id": str(uuid4()), "source": source, "type": "message.sms.received", "subject": contact,
        "data": {"from": contact, "text": text, **more},
    }  # fmt: skip
    [did] = await events.ingest(engine.platform, engine.workspace_id, [event])
    return did


async def sweep(engine: Engine) -> None:
    await events.dispatch_pending(engine.platform, engine.workspace_id, 100, older_than=timedelta(0))


async def runs_of(engine: Engine) -> list[Run]:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await session.scalars(select(Run).order_by(Run.id)))


async def held(engine: Engine) -> list[str]:
    """What the messages say whose dispatch is not over."""
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        query = select(Event).where(Event.dispatched_at.is_(None)).order_by(Event.received_at)
        return [event.data["text"] for event in await session.scalars(query) if event.data]


async def all_taken(engine: Engine) -> None:
    async def none_is_held() -> bool:
        await sweep(engine)
        return await held(engine) == []

    await eventually(none_is_held, what="every message has found its run")


async def test_a_reply_wakes_the_run_and_starts_no_other(engine: Engine) -> None:
    await a_workflow(engine, reply("answer"))
    first, other = await message(engine, "hello"), await message(engine, "hi", BOB)
    [ada, bob] = await runs_of(engine)
    assert (first.started, other.started) == ([str(ada.id)], [str(bob.id)])
    await engine.at(ada, "answer")
    second = await message(engine, "yes")
    assert (second.started, second.woke) == ([], [str(ada.id)])
    assert (await engine.end(ada)).output == {"first": "hello", "answer": "yes"}
    await all_taken(engine)
    assert len(await runs_of(engine)) == 2
    after = await message(engine, "again")
    assert len(after.started) == 1


async def test_a_message_that_comes_while_the_run_does_something_else_waits_for_it(engine: Engine) -> None:
    work = {"id": "work", "type": "delay", "duration": "1500ms"}
    await a_workflow(engine, work, reply("answer", since="run_start"), reply("more"))
    await message(engine, "hello")
    [run] = await runs_of(engine)
    early = await message(engine, "early")
    assert (early.started, early.woke, await held(engine)) == ([], [], ["early"])
    await sweep(engine)
    await engine.at(run, "more")
    await all_taken(engine)
    assert (await message(engine, "late")).woke == [str(run.id)]
    done = await engine.end(run)
    assert (done.output["answer"], done.output["more"]) == ("early", "late")
    await all_taken(engine)
    assert len(await runs_of(engine)) == 1


async def test_two_quick_replies_are_both_taken_though_one_wait_was_over_already(engine: Engine) -> None:
    await a_workflow(engine, reply("one"), reply("two", since="run_start"))
    await message(engine, "hello")
    [run] = await runs_of(engine)
    await engine.at(run, "one")
    await asyncio.gather(message(engine, "a"), message(engine, "b"))
    await all_taken(engine)
    done = await engine.end(run, within=10)
    assert {done.output["one"], done.output["two"]} == {"a", "b"}
    assert len(await runs_of(engine)) == 1


async def test_what_the_run_did_not_take_begins_the_next_one_in_order(engine: Engine) -> None:
    await a_workflow(engine, {"id": "work", "type": "delay", "duration": "1s"})
    await message(engine, "hello")
    for text in ("second", "third"):
        assert (await message(engine, text)).started == []
    for number, text in enumerate(("hello", "second", "third"), start=1):
        run = (await runs_of(engine))[-1]
        assert (await engine.end(run)).output["first"] == text
        await sweep(engine)
        assert len(await runs_of(engine)) == min(number + 1, 3)
    assert await held(engine) == []


async def test_one_run_begins_when_several_messages_come_at_the_same_moment(engine: Engine) -> None:
    await a_workflow(engine, reply("answer", timeout="1h"))
    every = await asyncio.gather(*(message(engine, str(number)) for number in range(8)))
    assert sum(len(did.started) for did in every) == 1
    [run] = await runs_of(engine)
    assert len(await held(engine)) >= 6
    await engine.cancel(run)


async def test_a_run_begun_by_hand_that_waits_for_the_contact_takes_the_message(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, reply("answer"), {"id": "work", "type": "delay", "duration": "1s"})
    run = await engine.start(workflow_id, input={"from": ADA, "text": "by hand"})
    await engine.at(run, "answer")
    did = await message(engine, "yes")
    assert (did.started, did.woke) == ([], [str(run.id)])
    await engine.at(run, "work")
    assert (await message(engine, "and?")).started == [], "it is in conversation with this contact by now"
    assert (await engine.end(run)).output["answer"] == "yes"
    await sweep(engine)
    assert [each.input["text"] for each in await runs_of(engine)] == ["by hand", "and?"]


async def test_without_conversation_each_message_starts_a_run(engine: Engine) -> None:
    await a_workflow(engine, reply("answer", timeout="1h"), conversation=False)
    await message(engine, "one")
    assert len((await message(engine, "two")).started) == 1
    assert len(await runs_of(engine)) == 2


async def test_only_messages_over_the_connection_start_it(engine: Engine) -> None:
    await connections.create(engine.platform, engine.workspace_id, **{**TWILIO, "name": "main"})
    await a_workflow(engine, {"id": "work", "type": "transform", "mapping": {"a": 1}}, connection="main")
    main = "/connections/main"
    assert (await message(engine, "one", source=main, connection="other")).started == []
    assert (await message(engine, "one", source="/connections/other", connection="main")).started == []
    assert len((await message(engine, "one", source=main, connection="main")).started) == 1
