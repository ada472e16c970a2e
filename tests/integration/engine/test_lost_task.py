"""A run that is told to end while its task is lost, with effects that are done and kept but not in its history."""

import asyncio
from typing import Any

import pytest

from activities import attempts
from app.json import JsonObject
from app.services import records
from app.services.platform import Platform
from app.temporal.messages import ActionCall, ActionOutcome
from tests.support.engine import Engine, Finished, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.lost_task import LAST, cancel_while_lost, happened, tasks_lost
from tests.support.steps import delay, group, let, loop, parallel, put, stop, wait


@pytest.fixture
def stub(http_stub: HttpStub) -> HttpStub:
    """Answers each request with the last letter of its path, but for /bad, which it refuses."""
    http_stub.otherwise(
        lambda asked: Answer(status=400) if asked.path == "/bad" else Answer(json={"n": asked.path[-1]})
    )
    return http_stub


def book(id: str, which: str = "", **more: Any) -> JsonObject:
    """An effect that is undone by another one, which is told what was booked."""
    undo = http(f"undo_{id}", f"{{{{ trigger.url }}}}/undo/{id}{{{{ steps.{id}.output.body.n }}}}")
    return http(id, f"{{{{ trigger.url }}}}/{id}/{which}", compensate=[undo], **more)


LAST_STEP = http(LAST, "{{ trigger.url }}/last")
EACH = loop("each", 3, book("c", "{{ loop.index }}"))
BAD = http("bad", "{{ trigger.url }}/bad")
FLIPS: JsonObject = {
    "id": "choice",
    "type": "condition",
    "branches": [{"when": "{{ vars.flag }}", "steps": [let("flip", flag=False), wait("w", "begin"), book("a", "1")]}],
    "else": [put("other")],
}
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
    "behind a delay that was over": ([delay("d", "1s"), book("a", "1")], ["/undo/a1"]),
    "behind a wait that timed out": ([wait("w", "never", timeout="4s"), book("a", "1")], ["/undo/a1"]),
    "in the branch that was chosen": ([FLIPS], ["/undo/a1"]),
    "behind one that failed": (
        [book("a", "1"), {**BAD, "on_error": "continue"}, book("c", "3")],
        ["/undo/c3", "/undo/a1"],
    ),
    "in place of one that failed": (
        [{**BAD, "on_error": "branch", "error_steps": [book("a", "1")]}, book("c", "3")],
        ["/undo/c3", "/undo/a1"],
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
                {"variables": {"seen": None, "flag": True}, "steps": [*steps, LAST_STEP]}, input={"url": stub.url}
            )
            for name, (steps, _) in CASES.items()
        }
        await engine.at(runs["in the branch that was chosen"], "choice.w")
        await engine.send("begin")
        await asyncio.gather(*(cancel_while_lost(engine, run) for run in runs.values()))
    done = {name: await engine.end(run, within=60) for name, run in runs.items()}
    for name, (_, undone) in CASES.items():
        assert done[name].run.status == "cancelled", name
        assert paths(stub, done[name], "/undo/") == undone, name
        # What failed is not kept: each time the lost task is made again, it is tried again.
        effects = {path: times for path, times in stub.effects(done[name].run.id).items() if path != "bad"}
        assert set(effects.values()) == {1}, name
        assert {step.generation for step in done[name].steps.values()} == {1}, name
    assert stub.asked("/last") == []
    statuses = done["one after the other"].statuses()
    assert [statuses.get(id) for id in ("a", "keep", "b", "after", LAST)] == ["completed"] * 3 + [None, None]
    statuses = done["inside of others"].statuses()
    assert [statuses[path] for path in ("around", "around.each")] == ["completed"] * 2
    statuses = done["in the branch that was chosen"].statuses()
    assert (statuses["choice.a"], "choice.other" in statuses) == ("completed", False)
    assert statuses["choice"] == "completed", "nothing else was in it"
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


async def test_an_effect_that_was_kept_stays_so_though_its_end_was_not_heard(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its activity is cancelled after the commit, and what goes on beside it is not begun anew."""
    release, kept, commit = asyncio.Event(), asyncio.Event(), records.commit_outcome

    async def commits(platform: Platform, call: ActionCall, outcome: ActionOutcome) -> None:
        await commit(platform, call, outcome)
        if call.path == "sides.a":
            kept.set()
            await release.wait()

    async def answer(asked: Asked) -> Answer:
        if asked.path == "/c":
            await release.wait()
        return Answer(json={"n": asked.path[-1]})

    http_stub.otherwise(answer)
    monkeypatch.setattr(records, "commit_outcome", commits)
    monkeypatch.setattr(attempts, "LAST_COMMIT_SECONDS", 0.1)
    sides = parallel("sides", [book("a", "1")], [http("c", "{{ trigger.url }}/c")])
    run = await engine.start({"steps": [sides]}, input={"url": http_stub.url})
    await asyncio.wait_for(kept.wait(), 20)
    monkeypatch.setattr(records, "commit_outcome", commit)
    await (await engine.handle(run)).cancel()
    done = await engine.end(run, within=60)
    release.set()
    assert done.run.status == "cancelled"
    assert [asked.path for asked in http_stub.requests if asked.path != "/c"] == ["/a/1", "/undo/a1"]
    assert (done.steps["sides.a"].status, done.steps["sides.a"].effect_key) == ("completed", f"{run.id}/sides.a")


async def test_a_run_that_ends_itself_as_cancelled_has_lost_nothing(engine: Engine, stub: HttpStub) -> None:
    steps = [book("a", "1"), group("maybe", stop("enough", "cancelled")), book("b", "2")]
    done = await engine.run({"steps": steps}, input={"url": stub.url})
    assert done.run.status == "cancelled"
    assert [asked.path for asked in stub.requests] == ["/a/1", "/undo/a1"]
    assert done.statuses() == dict.fromkeys(("a", "maybe", "maybe.enough", "a.compensate.undo_a"), "completed")
    assert done.history["MARKER_RECORDED"] == 3, "two effects and the end: nothing is looked for"
