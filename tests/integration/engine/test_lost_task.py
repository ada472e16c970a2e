"""A run that is told to end while its task is lost, with effects that are done and kept but not in its history."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.db.models import Run
from app.json import JsonObject
from tests.support.engine import Engine, Finished, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import group, let, loop, parallel, put, wait
from tests.support.waiting import eventually
from workflows.steps import action

LAST = "last"


@pytest.fixture
def stub(http_stub: HttpStub) -> HttpStub:
    """Answers each request with the last letter of its path."""
    http_stub.otherwise(lambda asked: Answer(json={"n": asked.path[-1]}))
    return http_stub


@contextmanager
def lost_at_the_last_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each task that comes to the last step fails there, as if its worker had died: nothing of it gets into the
    history."""
    perform = action._perform

    async def dies(scope: Any, step: Any, entry: Any, record: Any) -> Any:
        if step.id == LAST:
            raise RuntimeError("this task is lost")
        return await perform(scope, step, entry, record)

    with monkeypatch.context() as patched:
        patched.setattr(action, "_perform", dies)
        yield


async def happened(engine: Engine, run: Run, event: str) -> None:
    """Wait until an event of this type is in the run's history."""

    async def there() -> bool:
        return event in (await engine.executions(run))[-1].types

    await eventually(there, what=f"{event} is in the history", within=30)


def book(stub: HttpStub, id: str, which: str = "", **more: Any) -> JsonObject:
    """An effect that is undone by another one, which is told what was booked."""
    undo = http(f"undo_{id}", f"{stub.url}/undo/{id}{{{{ steps.{id}.output.body.n }}}}")
    return http(id, f"{stub.url}/{id}/{which}", compensate=[undo], **more)


def last(stub: HttpStub) -> JsonObject:
    return http(LAST, f"{stub.url}/last")


def undone(stub: HttpStub) -> list[str]:
    return [request.path.removeprefix("/undo/") for request in stub.requests if request.path.startswith("/undo/")]


async def cancelled_while_lost(
    engine: Engine, stub: HttpStub, monkeypatch: pytest.MonkeyPatch, *steps: JsonObject, **head: Any
) -> Finished:
    """A run of these steps, cancelled while its first task is lost at the last one, which stands at the end."""
    with lost_at_the_last_step(monkeypatch):
        run = await engine.start({"steps": list(steps), **head})
        await happened(engine, run, "WORKFLOW_TASK_FAILED")
        await (await engine.handle(run)).cancel()
        await happened(engine, run, "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    done = await engine.end(run, within=60)
    assert done.run.status == "cancelled"
    assert set(stub.effects(run.id).values()) == {1}
    assert stub.asked("/last") == []
    await replay(await engine.platform.temporal.client(), done.executions)
    return done


async def test_effects_of_a_lost_task_are_undone_when_the_run_is_cancelled_meanwhile(
    engine: Engine, stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await cancelled_while_lost(
        engine,
        stub,
        monkeypatch,
        book(stub, "a", "1"),
        let("keep", seen="{{ steps.a.output.body.n }}"),
        book(stub, "b", "{{ vars.seen }}2"),
        put("after", 1),
        last(stub),
        variables={"seen": None},
    )
    assert undone(stub) == ["b2", "a1"]
    assert {path: status for path, status in done.statuses().items() if "." not in path} == {
        "a": "completed",
        "keep": "completed",
        "b": "completed",
    }, "what came after the last effect that is kept is not begun"


async def test_they_are_found_inside_of_other_steps(
    engine: Engine, stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = loop("each", 3, book(stub, "c", "{{ loop.index }}"))
    done = await cancelled_while_lost(
        engine, stub, monkeypatch, group("around", book(stub, "a", "1"), each, book(stub, "b", "2")), last(stub)
    )
    assert undone(stub) == ["b2", "c2", "c1", "c0", "a1"]
    assert done.steps["around.each"].status == "completed"
    assert done.steps["around"].status == "completed", "all that is in it was done"


async def test_an_event_that_was_there_already_is_taken_again(
    engine: Engine, stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.send("go", {"n": "7"})
    await cancelled_while_lost(
        engine,
        stub,
        monkeypatch,
        book(stub, "a", "1"),
        wait("wait", since="{{ '2020-01-01T00:00:00Z' }}"),
        book(stub, "b", "{{ steps.wait.output.n }}"),
        last(stub),
    )
    assert undone(stub) == ["b7", "a1"]


async def test_nothing_is_looked_for_where_nothing_can_be_undone(
    engine: Engine, stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await cancelled_while_lost(engine, stub, monkeypatch, http("a", f"{stub.url}/a"), last(stub))
    assert done.history["MARKER_RECORDED"] == 2, "the attempt that is cancelled, and the run's end"


async def test_a_run_whose_time_is_over_undoes_them_too(
    engine: Engine, stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first task is done, with the timer of the run's end; the second one is lost until that timer has fired."""
    with lost_at_the_last_step(monkeypatch):
        run = await engine.start(
            {
                "settings": {"timeout": "4s"},
                "steps": [wait("wait"), book(stub, "a", "1"), book(stub, "b", "2"), last(stub)],
            }
        )
        await engine.at(run, "wait")
        await engine.send("go")
        await happened(engine, run, "WORKFLOW_TASK_FAILED")
        await happened(engine, run, "TIMER_FIRED")
    done = await engine.end(run, within=60)
    assert done.run.status == "timed_out"
    assert undone(stub) == ["b2", "a1"]
    assert set(stub.effects(run.id).values()) == {1}


async def test_effects_beside_others_have_not_begun(
    engine: Engine, stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts side by side make their effects by regular activities, which begin when their task is done."""
    sides = parallel("sides", [book(stub, "c", "1")], [last(stub)])
    done = await cancelled_while_lost(engine, stub, monkeypatch, book(stub, "a", "1"), sides)
    assert undone(stub) == ["a1"]
    assert stub.asked("/c/1") == []
    assert done.steps["a"].status == "completed"
