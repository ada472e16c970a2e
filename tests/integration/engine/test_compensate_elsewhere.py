"""A worker that dies in the middle of undoing, and a second cancellation: the rest is undone, nothing of it twice."""

from typing import TYPE_CHECKING

import pytest

from app.json import JsonObject
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.own_worker import engine_without_worker, running_worker
from tests.support.steps import BAD, loop, wait
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from app.services.platform import Platform
    from tests.conftest import TestWorkspace


@pytest.fixture
def engine(platform: "Platform", workspace: "TestWorkspace", monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A workspace whose runs only the workers of this module take."""
    return engine_without_worker(platform, workspace.id, monkeypatch)


def booking(dispatch: str, last: JsonObject) -> JsonObject:
    """Five bookings, each undone by an effect; then `last`."""
    undo = http("undo", "{{ trigger.url }}/undo/{{ item }}", timeout="3s")
    book = http("book", "{{ trigger.url }}/book/{{ item }}", compensate=[undo])
    return {
        "settings": {"dispatch": dispatch},
        "steps": [loop("each", 5, book), last],
        "finally": [http("tell", "{{ trigger.url }}/tell/{{ status }}")],
    }


def undone(stub: HttpStub) -> list[str]:
    return [request.path.removeprefix("/undo/") for request in stub.requests if request.path.startswith("/undo/")]


@pytest.mark.parametrize("dispatch", ["local_first", "scheduled"])
@pytest.mark.parametrize("ending", ["failed", "cancelled"])
async def test_the_next_worker_goes_on_undoing_where_the_last_one_stood(
    engine: Engine, http_stub: HttpStub, dispatch: str, ending: str
) -> None:
    http_stub.answer("/undo/2", Answer(hang=True), Answer(json="undone"))
    last = BAD if ending == "failed" else wait("wait")
    async with running_worker(engine):
        run = await engine.start(booking(dispatch, last), input={"url": http_stub.url})
        if ending == "cancelled":
            await engine.at(run, "wait")
            await (await engine.handle(run)).cancel()
        await eventually(lambda: http_stub.asked("/undo/2"), what="undoing is in its middle")
    assert undone(http_stub) == ["4", "3", "2"]
    async with running_worker(engine):
        done = await engine.end(run, within=60)
    assert done.run.status == ending
    assert undone(http_stub) == ["4", "3", "2", "2", "1", "0"]
    effects = http_stub.effects(run.id)
    assert effects.pop("each[2].book.compensate.undo") == 2, "the same key: the provider knows it"
    assert set(effects.values()) == {1}
    assert http_stub.requests[-1].path == f"/tell/{ending}"
    assert done.steps["each[2].book.compensate.undo"].status == "completed"


async def test_a_second_cancellation_does_not_keep_the_rest_from_being_undone(
    engine: Engine, http_stub: HttpStub
) -> None:
    http_stub.answer("/undo/2", Answer(delay=1.0))
    async with running_worker(engine):
        run = await engine.start(booking("scheduled", wait("wait")), input={"url": http_stub.url})
        await engine.at(run, "wait")
        handle = await engine.handle(run)
        await handle.cancel()
        await eventually(lambda: http_stub.asked("/undo/2"))
        await handle.cancel()
        done = await engine.end(run)
    assert done.run.status == "cancelled"
    assert undone(http_stub) == ["4", "3", "2", "1", "0"]
