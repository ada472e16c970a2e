"""`run_workflow`: a run of another workflow, waited for or not, cancelled with the step that waits for it."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db.models import Run
from app.json import Json, JsonObject
from app.services import children as service
from app.services import reconciling, redriving, telling, upkeep
from app.temporal.child_messages import StartChild
from app.temporal.upkeep import Duty
from tests.support.engine import Engine, Finished
from tests.support.steps import QUICK, delay, group, loop, parallel, put, stop, wait
from tests.support.waiting import eventually
from workflows import history

GREETS: JsonObject = {"steps": [put("words", "hello {{ trigger.name }}")], "output": "{{ steps.words.output.value }}"}
WAITS: JsonObject = {"steps": [wait("gate", "open")], "output": "{{ steps.gate.output }}"}
FAILS: JsonObject = {"steps": [stop("end", "failed", reason="no stock")]}


def runs(id: str, workflow: Json, inputs: Json = None, **more: Any) -> JsonObject:
    given = {} if inputs is None else {"inputs": inputs}
    return {"id": id, "type": "run_workflow", "workflow": str(workflow), **given, **more}


async def children(engine: Engine, run: Run | UUID) -> list[Run]:
    """The runs that steps of this one started, in their order."""
    run_id = run if isinstance(run, UUID) else run.id
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        query = select(Run).where(Run.parent_run_id == run_id).order_by(Run.id)
        return list(await session.scalars(query))


async def child(engine: Engine, run: Run, status: str = "waiting") -> Run:
    """The one child, once it has this status."""

    async def there() -> Run | None:
        found = await children(engine, run)
        return found[0] if found and found[0].status == status else None

    found = await eventually(there, what=f"the child is {status}")
    assert found is not None
    return found


async def test_a_run_takes_the_output_of_the_run_it_starts(engine: Engine) -> None:
    target = await engine.publish(GREETS, name="Greets")
    done = await engine.steps(
        runs("hi", "{{ trigger.which }}", {"name": "Ada"}),
        output=["{{ steps.hi.output }}", "{{ steps.hi.run_id }}"],
        input={"which": "greets"},
    )
    [made] = await children(engine, done.run)
    assert done.output == ["hello Ada", str(made.id)]
    assert (made.workflow_id, made.status, made.trigger_type, made.parent_path) == (
        target,
        "completed",
        "workflow",
        "hi",
    )
    assert (made.input, made.depth, made.parent_waits) == ({"name": "Ada"}, 1, False)
    step = done.steps["hi"]
    assert step.inputs == {"workflow": "greets", "inputs": {"name": "Ada"}}
    assert step.wait["run_id"] == str(made.id)


async def test_a_run_that_is_not_waited_for_goes_on_by_itself(engine: Engine) -> None:
    target = await engine.publish(WAITS)
    done = await engine.steps(runs("aside", target, wait=False), output="{{ steps.aside.output.run_id }}")
    made = await child(engine, done.run)
    assert done.output == str(made.id)
    await engine.send("open", 5)
    assert (await engine.end(made)).output == 5


async def test_a_parent_that_waits_says_for_which_run(engine: Engine) -> None:
    run = await engine.start({"steps": [runs("ask", await engine.publish(WAITS))], "output": "{{ steps.ask.output }}"})
    made = await child(engine, run)
    await engine.is_(run, "waiting")

    async def told() -> bool:
        return (await engine.row(run)).waiting_for == {
            "kind": "run", "event": None, "until": None, "run_id": str(made.id),
        }  # fmt: skip

    await eventually(told, what="the row says for which run")
    assert (await engine.step_rows(run))["ask"].wait["run_id"] == str(made.id)
    await engine.send("open", {"n": 1})
    assert (await engine.end(run)).output == {"n": 1}


async def test_a_child_that_fails_fails_the_step(engine: Engine) -> None:
    done = await engine.steps(runs("buy", await engine.publish(FAILS, name="Buys")))
    [made] = await children(engine, done.run)
    assert (done.error["type"], done.error["path"]) == ("child_failed", "buy")
    assert done.error["message"] == f"run {made.id} of 'Buys' failed: no stock"


async def test_a_step_that_is_retried_starts_another_run_each_time(engine: Engine) -> None:
    target = await engine.publish(FAILS)
    done = await engine.steps(
        runs("buy", target, retry=QUICK, on_error="continue"), output="{{ steps.buy.error.type }}"
    )
    assert done.output == "child_failed"
    assert [made.status for made in await children(engine, done.run)] == ["failed"] * 3


async def test_a_run_that_cannot_be_started_says_why(engine: Engine) -> None:
    draft = await engine.publish({"trigger": {"type": "manual", "input_schema": {"required": ["n"]}}, **GREETS})
    done = await engine.steps(
        runs("none", "{{ 'nowhere' }}", on_error="continue"),
        runs("odd", draft, {"m": 1}, on_error="continue"),
        runs("blank", "{{ '' }}", on_error="continue"),
        output=["{{ steps.none.error }}", "{{ steps.odd.error }}", "{{ steps.blank.error.type }}"],
    )
    none, odd, blank = done.output
    assert (none["type"], none["retryable"], odd["type"]) == ("child_not_started", False, "child_not_started")
    assert "there is no workflow with this slug or id" in none["message"]
    assert "n" in odd["message"]
    assert blank == "invalid_input"
    assert await children(engine, done.run) == []


async def test_cancelling_a_run_cancels_the_one_it_waits_for(engine: Engine) -> None:
    target = await engine.publish(WAITS)
    definition = {
        "steps": [parallel("both", [runs("ask", target)], [runs("aside", target, wait=False), wait("x", "x")])]
    }
    run = await engine.start(definition)
    await engine.at(run, "both.ask")
    await engine.at(run, "both.x")
    assert (await engine.cancel(run)).status == "cancelled"
    made = {each.parent_path: each for each in await children(engine, run)}
    assert (await engine.end(made["both.ask"])).run.status == "cancelled"
    assert (await engine.row(made["both.aside"])).finished_at is None
    await engine.cancel(made["both.aside"])


async def test_a_step_whose_time_is_over_cancels_its_run(engine: Engine) -> None:
    target = await engine.publish(WAITS)
    done = await engine.steps(
        runs("ask", target, timeout="300ms", on_error="continue"), output="{{ steps.ask.error.type }}"
    )
    assert done.output == "timeout"
    assert (await engine.end((await children(engine, done.run))[0])).run.status == "cancelled"


async def test_a_child_that_is_cancelled_by_hand_fails_the_step(engine: Engine) -> None:
    run = await engine.start({"steps": [runs("ask", await engine.publish(WAITS))]})
    await engine.cancel(await child(engine, run))
    assert (await engine.end(run)).error["type"] == "child_cancelled"


async def test_a_child_that_is_terminated_is_told_of_when_its_row_is_brought_up_to_date(engine: Engine) -> None:
    run = await engine.start({"steps": [runs("ask", await engine.publish(WAITS))]})
    made = await child(engine, run)
    await (await engine.handle(made)).terminate("by hand")
    assert await reconciling.reconcile(engine.platform, engine.workspace_id, [made.id]) == 1
    assert (await engine.end(run)).error["type"] == "child_cancelled"


async def test_a_parent_that_is_terminated_takes_its_child_with_it(engine: Engine) -> None:
    run = await engine.start({"steps": [runs("ask", await engine.publish(WAITS))]})
    made = await child(engine, run)
    await (await engine.handle(run)).terminate("by hand")
    assert await reconciling.reconcile(engine.platform, engine.workspace_id, [run.id]) == 1
    assert (await engine.end(made)).run.status == "cancelled"
    assert (await engine.row(made)).orphaned is False


async def test_of_a_run_with_many_children_its_own_parent_is_told_first(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_AT_AN_END", 1)
    leaf = await engine.publish(WAITS, name="Leaf")
    middle = await engine.publish(
        {"steps": [parallel("all", *[[runs(f"r{n}", leaf)] for n in range(3)])]}, name="Middle"
    )
    run = await engine.start({"steps": [runs("ask", middle)]})
    made = await child(engine, run)
    for n in range(3):
        await engine.at(made, f"all.r{n}")
    await (await engine.handle(made)).terminate("by hand")
    assert await reconciling.reconcile(engine.platform, engine.workspace_id, [made.id]) == 1
    assert (await engine.row(made)).parent_waits is False
    assert (await engine.end(run)).error["type"] == "child_cancelled"
    await upkeep.tend(engine.platform, Duty.CHILDREN, [str(engine.workspace_id)])
    for each in await children(engine, made):
        assert (await engine.end(each)).run.status == "cancelled"


async def test_runs_nest_only_so_deep(engine: Engine) -> None:
    """The circle is made of an expression, which publishing cannot see."""
    definition = {"steps": [runs("again", "{{ run.workflow_id }}")]}
    done = await engine.run(definition, within=60)
    assert done.error["type"] == "child_failed"
    depth, deepest = 0, done.run
    while made := await children(engine, deepest):
        depth, deepest = depth + 1, made[0]
    assert depth == 10
    assert deepest.error["type"] == "child_not_started"
    assert "10 runs above" in deepest.error["message"]


async def test_a_redrive_starts_no_second_run_for_a_step_that_is_done(engine: Engine) -> None:
    greets, fails = await engine.publish(GREETS), await engine.publish(WAITS)
    definition = {
        "steps": [runs("hi", greets, {"name": "Bo"}), runs("buy", fails)],
        "output": ["{{ steps.hi.output }}", "{{ steps.buy.output }}"],
    }
    run = await engine.start(definition)
    await engine.at(run, "buy")
    await engine.cancel(run)
    await engine.end(run)
    again = await redriving.redrive(engine.platform, engine.workspace_id, run.id)
    await engine.at(await child(engine, again), "gate")
    await engine.send("open", "now")
    assert (await engine.end(again)).output == ["hello Bo", "now"]
    assert [made.parent_path for made in await children(engine, again)] == ["buy"]


async def test_a_step_that_undoes_a_run_runs_when_the_parent_fails(engine: Engine) -> None:
    greets = await engine.publish(GREETS)
    undo = runs("undo", greets, {"name": "{{ steps.hi.run_id }}"})
    done = await engine.steps(group("all", runs("hi", greets, {"name": "x"}, compensate=[undo])), stop("end", "failed"))
    first, second = await children(engine, done.run)
    assert second.output == f"hello {first.id}"


async def test_a_loop_starts_one_run_for_each_item(engine: Engine) -> None:
    greets = await engine.publish(GREETS)
    done: Finished = await engine.steps(
        loop("each", 4, runs("hi", greets, {"name": "{{ item }}"}), concurrency=3, collect="{{ steps.hi.output }}"),
        output="{{ steps.each.output.results }}",
    )
    assert done.output == [f"hello {n}" for n in range(4)]
    assert len(await children(engine, done.run)) == 4


async def test_a_child_outlives_the_execution_that_started_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    target = await engine.publish(WAITS)
    monkeypatch.setattr(history, "MOST_EVENTS", 13)
    beside = [loop("each", 12, delay("pause", "1ms")), put("after")]
    run = await engine.start(
        {"steps": [parallel("both", [runs("ask", target)], beside)], "output": "{{ steps.ask.output }}"}
    )
    await engine.at(run, "both.after", "completed")
    assert len(await engine.executions(run)) > 2
    await engine.send("open", 7)
    assert (await engine.end(run)).output == 7
    assert len(await children(engine, run)) == 1


async def test_a_run_that_is_paused_goes_on_from_a_child_that_ended_meanwhile(engine: Engine) -> None:
    target = await engine.publish(WAITS)
    run = await engine.start({"steps": [runs("ask", target), put("next")], "output": "{{ steps.ask.output }}"})
    made = await child(engine, run)
    await engine.pause(run)
    await engine.send("open", 3)
    await engine.end(made)
    await engine.at(run, "ask", "completed")
    assert "next" not in {step.path for step in (await engine.timeline(run)).steps}
    await engine.resume(run)
    assert (await engine.end(run)).output == 3


async def test_what_could_not_be_told_is_told_by_upkeep(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise TimeoutError("Temporal is away")

    run = await engine.start({"steps": [runs("ask", await engine.publish(WAITS))], "output": "{{ steps.ask.output }}"})
    made = await child(engine, run)
    with monkeypatch.context() as patched:
        patched.setattr(telling, "_signal", away)
        await engine.send("open", 9)
        assert (await engine.end(made)).run.parent_waits is True
    assert (await engine.row(run)).finished_at is None
    report = await upkeep.tend(engine.platform, Duty.CHILDREN, [str(engine.workspace_id)])
    assert (report.children_settled, report.troubles) == (1, 0)
    assert (await engine.end(run)).output == 9
    assert (await upkeep.tend(engine.platform, Duty.CHILDREN, [str(engine.workspace_id)])).children_settled == 0


async def test_asking_again_for_a_child_finds_the_same_one(engine: Engine) -> None:
    """What an activity does that is repeated because its worker died before it could answer."""
    target = await engine.publish(WAITS)
    run = await engine.start({"steps": [runs("ask", target)]})
    made = await child(engine, run)
    asked = StartChild(
        workspace_id=str(engine.workspace_id), run_id=str(run.id), path="ask", key=f"run:{run.id}/ask",
        workflow=str(target), inputs={},
    )  # fmt: skip
    again = await service.start_child(engine.platform, asked)
    assert (again.run_id, again.refused) == (str(made.id), None)
    found = await service.start_child(engine.platform, replace(asked, key="run:other", found_only=True))
    assert (found.run_id, found.refused) == (None, None)
    await engine.cancel(run)
    await engine.end(run)
    late = await service.start_child(engine.platform, replace(asked, key="run:late"))
    assert late.run_id is None
    assert "has ended" in (late.refused or "")
    assert len(await children(engine, run)) == 1
