"""A run that begins with another run's journal: what that one finished is taken, what it did not is done."""

from dataclasses import asdict
from typing import Any

import pytest

from app.db.models import Run
from app.services import redriving
from tests.support.engine import Engine, Finished, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import ONCE, delay, group, let, loop, parallel, put, repeat, wait
from workflows import history


async def failed(engine: Engine, *steps: dict[str, Any], url: str = "", **head: Any) -> Finished:
    done = await engine.run({"steps": list(steps), **head}, input={"url": url})
    assert done.run.status == "failed", done.run.output
    return done


async def again(engine: Engine, done: Finished, **options: Any) -> Finished:
    """A new run that goes on where one that ended has stopped."""
    return await engine.end(await redriving.redrive(engine.platform, engine.workspace_id, done.run.id, **options))


async def test_what_was_done_is_not_done_again_and_what_failed_is(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/b", Answer(status=404), Answer(json="well"))
    steps = [http("a", f"{http_stub.url}/a"), http("b", f"{http_stub.url}/b"), put("c", "{{ steps.a.status }}")]
    first = await failed(engine, *steps, output=["{{ steps.b.output.body }}", "{{ steps.c.output.value }}"])
    second = await again(engine, first)
    assert second.output == ["well", "completed"]
    assert http_stub.effects(first.run.id) == {"a": 1, "b": 1}
    assert list(http_stub.effects(second.run.id)) in (["b"], ["b#2"])
    assert second.statuses() == {"a": "completed", "b": "completed", "c": "completed"}
    assert second.steps["a"].output["status_code"] == 200


async def test_a_loop_goes_on_with_its_items_and_results(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/3", Answer(status=404), Answer(json="well"))
    each = loop("each", 6, http("fetch", f"{http_stub.url}/{{{{ item }}}}"), collect="{{ item * 10 }}")
    first = await failed(engine, each, output="{{ steps.each.output.results }}")
    second = await again(engine, first)
    assert second.output == [0, 10, 20, 30, 40, 50]
    assert [request.path for request in http_stub.requests] == ["/0", "/1", "/2", "/3", "/3", "/4", "/5"]


async def test_a_repeat_goes_on_with_its_iteration(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/2", Answer(status=404), Answer(json="well"))
    check = http("check", f"{http_stub.url}/{{{{ loop.index }}}}")
    poll = repeat("poll", put("first"), check, until="{{ loop.number == 4 }}")
    second = await again(engine, await failed(engine, poll, output="{{ steps.poll.output.iterations }}"))
    assert second.output == 4
    assert [request.path for request in http_stub.requests] == ["/0", "/1", "/2", "/2", "/3"]


async def test_a_condition_keeps_the_branch_it_took(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404), Answer(json="well"))
    choice = {
        "id": "choice",
        "type": "condition",
        "branches": [{"when": "{{ vars.n == 1 }}", "steps": [let("up", n=2), http("fetch", f"{http_stub.url}/")]}],
        "else": [put("other")],
    }
    second = await again(engine, await failed(engine, choice, variables={"n": 1}, output="{{ vars.n }}"))
    assert second.output == 2
    assert "choice.other" not in second.steps
    assert second.steps["choice.fetch"].status == "completed"


async def test_variables_stand_as_they_did(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404), Answer())
    steps = [
        let("one", total="{{ vars.total + 5 }}"),
        loop("each", 3, let("add", total="{{ vars.total + item }}")),
        http("fetch", f"{http_stub.url}/"),
        let("last", total="{{ vars.total * 2 }}"),
    ]
    second = await again(engine, await failed(engine, *steps, variables={"total": 100}, output="{{ vars.total }}"))
    assert second.output == 216


async def test_a_branch_that_was_cancelled_goes_on_and_one_that_ended_does_not(
    engine: Engine, http_stub: HttpStub
) -> None:
    http_stub.answer("/b", Answer(status=404), Answer(json="well"))
    branches = parallel(
        "both",
        [http("a", f"{http_stub.url}/a"), wait("wait", timeout="1h")],
        [wait("begin", "begin"), http("b", f"{http_stub.url}/b")],
    )
    run = await engine.start({"steps": [branches], "output": "{{ steps.wait.output }}"})
    await engine.at(run, "both.wait")
    await engine.at(run, "both.begin")
    await engine.send("begin")
    first = await engine.end(run)
    assert first.statuses()["both.wait"] == "cancelled"
    second = await redriving.redrive(engine.platform, engine.workspace_id, first.run.id)
    await engine.at(second, "both.wait")
    await engine.at(second, "both.b", "completed")
    await engine.send("go", 5)
    assert (await engine.end(second)).output == 5
    assert len(http_stub.asked("/a")) == 1
    assert len(http_stub.asked("/b")) == 2


async def test_a_handled_failure_stays_handled(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/gone", Answer(status=404))
    http_stub.answer("/b", Answer(status=404), Answer())
    steps = [
        http("gone", f"{http_stub.url}/gone", on_error="continue"),
        http(
            "branched", f"{http_stub.url}/gone", on_error="branch", error_steps=[http("repair", f"{http_stub.url}/r")]
        ),
        http("b", f"{http_stub.url}/b"),
    ]
    second = await again(engine, await failed(engine, *steps, output="{{ steps.gone.error.type }}"))
    assert second.output == "provider_rejected"
    assert len(http_stub.asked("/gone")) == 2
    assert len(http_stub.asked("/r")) == 1


async def test_what_was_undone_is_done_anew_and_undone_anew(engine: Engine, http_stub: HttpStub) -> None:
    """A redrive goes on before what the first run has undone; the second fails, too, and undoes its own."""
    undo = http("undo", f"{http_stub.url}/undo/{{{{ steps.a.output.body.id }}}}")
    http_stub.answer("/a", Answer(json={"id": 17}), Answer(json={"id": 18}))
    http_stub.answer("/b", Answer(status=404))
    steps = [http("a", f"{http_stub.url}/a", compensate=[undo]), http("b", f"{http_stub.url}/b")]
    first = await failed(engine, *steps)
    assert len(http_stub.asked("/undo/17")) == 1
    second = await again(engine, first, from_step="a")
    assert second.run.status == "failed"
    assert [request.path for request in http_stub.requests] == ["/a", "/b", "/undo/17", "/a", "/b", "/undo/18"]


async def test_a_seeded_run_continues_as_new(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_stub.answer("/10", Answer(status=404), Answer())
    each = loop(
        "each", 60, delay("pause", "1ms"), http("fetch", f"{http_stub.url}/{{{{ item }}}}"), collect="{{ item }}"
    )
    first = await failed(engine, put("a", 5), group("group", each), output="{{ steps.each.output.results }}")
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    second = await again(engine, first)
    assert second.output == list(range(60))
    assert len(second.executions) > 2
    assert len(http_stub.requests) == 61
    await replay(await engine.platform.temporal.client(), second.executions)


async def test_the_journal_is_kept_when_a_run_ends_badly_and_not_when_it_ends_well(
    engine: Engine, http_stub: HttpStub
) -> None:
    from sqlalchemy import select  # noqa: PLC0415

    from app.db.models import Journal  # noqa: PLC0415

    async def kept(run: Run) -> Any:
        async with engine.platform.database.transaction(engine.workspace_id) as session:
            return (await session.scalars(select(Journal.journal).where(Journal.run_id == run.id))).one_or_none()

    well = await engine.steps(put("a"))
    assert await kept(well.run) is None
    http_stub.answer("/", Answer(status=404))
    bad = await failed(engine, put("a"), http("b", f"{http_stub.url}/", retry=ONCE))
    journal = await kept(bad.run)
    assert [(record["path"], record["status"]) for record in journal["records"]] == [
        ("a", "completed"),
        ("b", "failed"),
    ]
    assert journal == asdict(await engine.journal(bad.run))
