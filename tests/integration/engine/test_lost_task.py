"""A run that is told to end while its task is lost, with effects that are done and kept but not in its history."""

import asyncio
from typing import Any

import pytest

from app.json import JsonObject
from tests.support.engine import Engine, Finished, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.lost_task import LAST, cancel_while_lost, happened, tasks_lost
from tests.support.steps import group, let, loop, parallel, put, wait


@pytest.fixture
def stub(http_stub: HttpStub) -> HttpStub:
    """Answers each request with the last letter of its path."""
    http_stub.otherwise(lambda asked: Answer(json={"n": asked.path[-1]}))
    return http_stub


def book(id: str, which: str = "", **more: Any) -> JsonObject:
    """An effect that is undone by another one, which is told what was booked."""
    undo = http(f"undo_{id}", f"{{{{ trigger.url }}}}/undo/{id}{{{{ steps.{id}.output.body.n }}}}")
    return http(id, f"{{{{ trigger.url }}}}/{id}/{which}", compensate=[undo], **more)


LAST_STEP = http(LAST, "{{ trigger.url }}/last")
EACH = loop("each", 3, book("c", "{{ loop.index }}"))
CASES: dict[str, tuple[list[JsonObject], list[str]]] = {
    "one after the other": (
        [book("a", "1"), let("keep", seen="{{ steps.a.output.body.n }}"), book("b", "{{ vars.seen }}2"), put("after")],
        ["/undo/b2", "/undo/a1"],
    ),
    "inside of others": (
        [group("around", book("a", "1"), EACH, book("b", "2"))],
        ["/undo/b2", "/undo/c2", "/undo/c1", "/undo/c0", "/undo/a1"],
    ),
    "behind an event that was there already": (
        [book("a", "1"), wait("wait", since="{{ '2020-01-01T00:00:00Z' }}"), book("b", "{{ steps.wait.output.n }}")],
        ["/undo/b7", "/undo/a1"],
    ),
    "nothing to undo": ([http("a", "{{ trigger.url }}/a")], []),
}


def paths(stub: HttpStub, done: Finished, beginning: str) -> list[str]:
    """What the run asked the provider for."""
    of_run = [asked for asked in stub.requests if asked.headers["Idempotency-Key"].startswith(f"{done.run.id}/")]
    return [asked.path for asked in of_run if asked.path.startswith(beginning)]


async def test_effects_of_a_lost_task_are_undone_when_the_run_is_cancelled_meanwhile(
    engine: Engine, stub: HttpStub
) -> None:
    """All cases at once: each waits ten seconds, until Temporal has its lost task made again."""
    await engine.send("go", {"n": "7"})
    async with tasks_lost():
        runs = {
            name: await engine.start(
                {"variables": {"seen": None}, "steps": [*steps, LAST_STEP]}, input={"url": stub.url}
            )
            for name, (steps, _) in CASES.items()
        }
        await asyncio.gather(*(cancel_while_lost(engine, run) for run in runs.values()))
    done = {name: await engine.end(run, within=60) for name, run in runs.items()}
    for name, (_, undone) in CASES.items():
        assert done[name].run.status == "cancelled", name
        assert paths(stub, done[name], "/undo/") == undone, name
        assert set(stub.effects(done[name].run.id).values()) == {1}, name
    assert stub.asked("/last") == []
    statuses = done["one after the other"].statuses()
    assert [statuses.get(id) for id in ("a", "keep", "b", "after", LAST)] == ["completed"] * 3 + [None, None]
    statuses = done["inside of others"].statuses()
    assert [statuses[path] for path in ("around", "around.each")] == ["completed"] * 2
    assert done["nothing to undo"].history["MARKER_RECORDED"] == 2, "the attempt that is cancelled, and the run's end"
    await replay(
        await engine.platform.temporal.client(), [one for finished in done.values() for one in finished.executions]
    )


async def test_effects_beside_others_have_not_begun(engine: Engine, stub: HttpStub) -> None:
    """Parts side by side make their effects by regular activities, which begin when their task is done."""
    sides = parallel("sides", [book("c", "1")], [LAST_STEP])
    async with tasks_lost():
        run = await engine.start({"steps": [book("a", "1"), sides]}, input={"url": stub.url})
        await cancel_while_lost(engine, run)
    done = await engine.end(run, within=60)
    assert done.run.status == "cancelled"
    assert [asked.path for asked in stub.requests] == ["/a/1", "/undo/a1"]
    assert done.steps["a"].status == "completed"


async def test_a_run_whose_time_is_over_undoes_them_too(engine: Engine, stub: HttpStub) -> None:
    """The first task is done, with the timer of the run's end; the second one is lost until that timer has fired."""
    steps = [wait("wait"), book("a", "1"), book("b", "2"), LAST_STEP]
    async with tasks_lost():
        run = await engine.start({"settings": {"timeout": "4s"}, "steps": steps}, input={"url": stub.url})
        await engine.at(run, "wait")
        await engine.send("go")
        await happened(engine, run, "WORKFLOW_TASK_FAILED")
        await happened(engine, run, "TIMER_FIRED")
    done = await engine.end(run, within=60)
    assert done.run.status == "timed_out"
    assert [asked.path for asked in stub.requests] == ["/a/1", "/b/2", "/undo/b2", "/undo/a1"]
