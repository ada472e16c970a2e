"""An event whose dispatch comes late, or again after a crash, ends no wait that its run began after taking it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from app.db.models import Event
from app.json import JsonObject
from app.services import events
from tests.support.engine import Engine

LIMIT = 10


def payment(id: str, **more: Any) -> JsonObject:
    return {"id": id, "type": "wait_for_event", "event": "order.paid", **more}


async def undo_dispatch(engine: Engine) -> None:
    """As a crash between the delivery of an event and the note of it leaves the row."""
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        await session.execute(update(Event).values(dispatched_at=None, woke=[], started=[]))


async def dispatch_again(engine: Engine) -> list[str]:
    """What the events woke when they were dispatched again."""
    await events.dispatch_pending(engine.platform, engine.workspace_id, LIMIT, older_than=timedelta(0))
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        rows = (await session.execute(Event.__table__.select())).all()
    assert all(row.dispatched_at is not None for row in rows)
    return [run_id for row in rows for run_id in row.woke]


async def test_the_next_wait_for_the_same_type_does_not_take_it_again(engine: Engine) -> None:
    steps = [payment("deposit"), payment("balance")]
    paid = ["{{ steps.deposit.output.n }}", "{{ steps.balance.output.n }}"]
    run = await engine.start({"steps": steps, "output": paid})
    await engine.at(run, "deposit")
    await engine.send("order.paid", {"n": 1})
    await engine.at(run, "balance")
    await undo_dispatch(engine)
    assert await dispatch_again(engine) == []
    await engine.send("order.paid", {"n": 2})
    assert (await engine.end(run)).output == [1, 2]


async def test_a_wait_that_began_before_it_came_still_takes_it(engine: Engine) -> None:
    branches = [{"name": "one", "steps": [payment("one")]}, {"name": "two", "steps": [payment("two")]}]
    run = await engine.start({"steps": [{"id": "both", "type": "parallel", "branches": branches}]})
    await engine.at(run, "both.one")
    await engine.at(run, "both.two")
    assert (await engine.send("order.paid", {"n": 1})).woke == [str(run.id)]
    done = await engine.end(run)
    assert {done.steps[path].output["n"] for path in ("both.one", "both.two")} == {1}


async def test_another_run_takes_it_although_it_began_to_wait_a_moment_later(engine: Engine) -> None:
    workflow: UUID = await engine.publish({"steps": [payment("deposit"), payment("balance")]})
    first = await engine.start(workflow)
    await engine.at(first, "deposit")
    await engine.send("order.paid", {"n": 1})
    await engine.at(first, "balance")
    second = await engine.start(workflow)
    await engine.at(second, "deposit")
    await undo_dispatch(engine)
    assert await dispatch_again(engine) == [str(second.id)]
