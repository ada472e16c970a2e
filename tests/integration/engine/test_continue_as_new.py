"""A run that continues as new, however often, comes to the same end: same output, same rows, each effect once."""

from collections import Counter
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.support.engine import Engine, Finished
from tests.support.executions import replay
from tests.support.http_stub import HttpStub
from tests.support.outcomes import outcome
from tests.support.steps import BAD, delay, group, loop, parallel, put, wait
from tests.support.walks import WALKS, get, prepare
from workflows import history


def outermost(done: Finished) -> list[str]:
    """Paths of the steps that nothing is around, in the order they began."""
    return [path for path in done.steps if not set(path) & {".", "["}]


async def walked(engine: Engine, stub: HttpStub, name: str) -> Finished:
    walk = WALKS[name]
    prepare(stub)
    run = await engine.start(walk.definition, input={"url": stub.url})
    await walk.drive(engine, run)
    return await engine.end(run, within=60)


@pytest.mark.parametrize("name", WALKS)
async def test_the_outcome_is_the_same_however_often_a_run_continues(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = await walked(engine, http_stub, name)
    expected = outcome(whole, http_stub)
    assert len(whole.executions) == 1
    monkeypatch.setattr(history, "MOST_EVENTS", WALKS[name].most_events)
    done = await walked(engine, http_stub, name)
    assert len(done.executions) > 2
    assert outcome(done, http_stub) == expected
    assert outermost(done) == outermost(whole)
    assert set(http_stub.effects(done.run.id).values()) <= {1}, "each effect once"
    assert all(wait.closed_at is not None for wait in await engine.waits(done.run))
    assert [failure for execution in done.executions for failure in execution.task_failures] == []
    await replay(await engine.platform.temporal.client(), done.executions)


@pytest.mark.parametrize("most", [30, 100])
async def test_the_place_where_a_run_continues_does_not_matter(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", most)
    prepare(http_stub)
    steps = [
        loop("each", 40, delay("pause", "1ms"), get("fetch", "/{{ item }}"), concurrency=3, collect="{{ item }}"),
        get("after"),
    ]
    done = await engine.run({"steps": steps, "output": "{{ steps.each.output.results }}"}, input={"url": http_stub.url})
    assert done.output == list(range(40))
    assert len(done.executions) > 1
    assert http_stub.effects(done.run.id) == Counter([f"each[{n}].fetch" for n in range(40)] + ["after"])


async def test_bytes_make_a_run_continue_too(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_BYTES", 100_000)
    prepare(http_stub)
    steps = [loop("each", 30, get("fetch", "/large"), collect="{{ item }}")]
    done = await engine.run({"steps": steps, "output": "{{ steps.each.output.count }}"}, input={"url": http_stub.url})
    assert done.output == 30
    assert len(done.executions) > 4
    assert max(execution.size for execution in done.executions) < 300_000
    assert set(http_stub.effects(done.run.id).values()) == {1}


async def test_earlier_executions_ended_by_continuing_and_the_row_names_the_last(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    prepare(http_stub)
    run = await engine.start(
        {"steps": [loop("each", 30, get("fetch")), wait("wait", timeout="1h")]}, input={"url": http_stub.url}
    )
    await engine.at(run, "wait")
    executions = await engine.executions(run)
    assert len(executions) > 1
    assert (await engine.is_(run, "waiting")).temporal_run_id == executions[-1].run_id
    client = await engine.platform.temporal.client()
    for execution in executions[:-1]:
        described = await client.get_workflow_handle(f"run-{run.id}", run_id=execution.run_id).describe()
        assert described.status is WorkflowExecutionStatus.CONTINUED_AS_NEW
        assert execution.types[-1] == "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"
    await engine.send("go")
    done = await engine.end(run)
    assert done.run.temporal_run_id == done.executions[-1].run_id


async def test_what_a_finished_loop_gave_travels_and_its_steps_do_not(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an execution is given stays small: finished items are results, not steps."""
    monkeypatch.setattr(history, "MOST_EVENTS", 60)
    prepare(http_stub)
    inside = [get(f"fetch{n}", "/{{ item }}") for n in range(5)]
    steps = [loop("each", 60, *inside, collect="{{ item }}"), get("after")]
    done = await engine.run({"steps": steps}, input={"url": http_stub.url}, within=60)
    assert done.run.status == "completed"
    given = [execution.arrived_with for execution in done.executions]
    assert len(given) > 5
    assert max(given) < given[0] + 20_000, "not 300 steps"


async def test_the_run_still_says_who_it_is_after_continuing(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.temporal import names  # noqa: PLC0415

    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    prepare(http_stub)
    workflow = await engine.publish(
        {"steps": [loop("each", 30, get("fetch")), wait("wait", "order.paid", timeout="1h")]}, name="Win back a cart"
    )
    run = await engine.start(workflow, input={"url": http_stub.url})
    await engine.at(run, "wait")
    assert len(await engine.executions(run)) > 1
    handle = await engine.handle(run)
    described = await handle.describe()
    attributes = described.typed_search_attributes
    assert attributes.get(names.WORKSPACE) == str(engine.workspace_id)
    assert attributes.get(names.WORKFLOW) == str(workflow)
    assert attributes.get(names.TRIGGER) == "manual"
    assert attributes.get(names.STATUS) == "waiting"
    assert attributes.get(names.WAITING_FOR) == "order.paid"
    assert described.raw_description.workflow_execution_info.priority.fairness_key == str(engine.workspace_id)
    metadata = await handle.query("__temporal_workflow_metadata")
    details = metadata["currentDetails"] if isinstance(metadata, dict) else metadata.current_details
    assert "Win back a cart" in details, "static summary and details end with the first execution"
    assert "| wait | wait_for_event | waiting | 1 |" in details
    assert "| each | loop | completed | 1 |" in details
    await engine.cancel(run)
    await engine.end(run)


async def test_the_timeline_keeps_its_order_and_its_counts(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 40)
    prepare(http_stub)
    steps = [get("first"), put("second"), loop("each", 30, get("fetch")), wait("wait", timeout="1h")]
    run = await engine.start({"steps": steps}, input={"url": http_stub.url})
    await engine.at(run, "wait")
    timeline = await engine.timeline(run)
    assert [step.path for step in timeline.steps] == ["first", "second", "each", "wait"]
    assert [step.order for step in timeline.steps] == [1, 2, 3, 34]
    assert timeline.steps_completed == 33
    assert timeline.current_step == "wait"
    await engine.send("go")
    done = await engine.end(run)
    assert done.run.steps_completed == 34
    assert list(done.steps) == ["first", "second", "each", *(f"each[{n}].fetch" for n in range(30)), "wait"]


async def test_what_began_before_continuing_is_not_evaluated_anew(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop's items, the branch a condition took and a wait's match are those of when they began."""
    monkeypatch.setattr(history, "MOST_EVENTS", 20)
    prepare(http_stub)
    change = {"id": "change", "type": "set_variable", "variables": {"list": [], "take": False, "n": 2}}
    choice = {
        "id": "choice",
        "type": "condition",
        "branches": [
            {"when": "{{ vars.take }}", "steps": [change, loop("each", 20, get("fetch")), put("took", "first")]}
        ],
        "else": [put("took_else", "second")],
    }
    items = loop("items", "{{ vars.list }}", choice, loop("more", 5, get("again")), collect="{{ item }}")
    waiting = wait("wait", match={"n": "{{ vars.n }}"}, timeout="1h")
    run = await engine.start(
        {
            "variables": {"list": [1, 2], "take": True, "n": 1},
            "steps": [parallel("both", [waiting], [items])],
            "output": "{{ steps.items.output }}",
        },
        input={"url": http_stub.url},
    )
    await engine.at(run, "both.items", "completed")
    assert len(await engine.executions(run)) > 2
    assert (await engine.send("go", {"n": 2})).woke == []
    assert (await engine.send("go", {"n": 1})).woke == [str(run.id)]
    done = await engine.end(run)
    assert done.output == {"results": [1, 2], "count": 2}
    assert done.steps["both.items[0].choice.took"].status == "completed"
    assert "both.items[0].choice.took_else" not in done.steps
    assert done.steps["both.items[1].choice.took_else"].status == "completed"


@pytest.mark.parametrize("kind", ["condition", "parallel", "handled", "error_steps", "nested"])
async def test_steps_of_what_is_finished_are_seen_after_continuing(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 13)
    prepare(http_stub)
    inside = put("inside", "seen", output_key="shown")
    first = {
        "condition": group("first", inside),
        "parallel": parallel("first", [inside], [get("other")]),
        "handled": group("first", inside, BAD, on_error="continue"),
        "error_steps": {**BAD, "id": "first", "on_error": "branch", "error_steps": [inside]},
        "nested": group("first", parallel("second", [group("third", inside)], [get("other")])),
    }[kind]
    seen = "{{ steps.shown.output.value }}"
    steps = [first, loop("each", 25, get("fetch"), collect=seen), put("after", seen)]
    done = await engine.run(
        {"steps": steps, "output": [seen, "{{ steps.each.output.results | unique }}"], "finally": [put("last", seen)]},
        input={"url": http_stub.url},
    )
    assert len(done.executions) > 1
    assert done.output == ["seen", ["seen"]]
    assert done.steps["after"].output == done.steps["last"].output == {"value": "seen"}


@pytest.mark.parametrize("place", ["finally", "compensate"])
async def test_what_comes_after_the_body_goes_on_where_it_stood(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A delay there keeps its moment, a loop its items, and no step begins a second time."""
    monkeypatch.setattr(history, "MOST_EVENTS", 20)
    prepare(http_stub)
    end = [
        parallel(
            "both",
            [delay("pause", "900ms"), put("paused", "{{ steps.pause.output.waited }}")],
            [loop("each", 25, get("tell", "/{{ item }}"), delay("short", "10ms"))],
        )
    ]
    done = await engine.run(
        {
            "steps": [put("a", compensate=end if place == "compensate" else []), BAD],
            "finally": end if place == "finally" else [],
        },
        input={"url": http_stub.url},
    )
    assert done.error["path"] == "bad"
    assert len(done.executions) > 3
    prefix = "a.compensate." if place == "compensate" else ""
    assert {row.generation for row in done.steps.values()} == {1}
    assert done.steps[f"{prefix}both.paused"].output == {"value": True}
    row = done.steps[f"{prefix}both.pause"]
    assert row.started_at is not None
    assert row.finished_at is not None
    assert timedelta(seconds=0.8) < row.finished_at - row.started_at < timedelta(seconds=4)
    assert set(http_stub.effects(done.run.id).values()) == {1}
    await replay(await engine.platform.temporal.client(), done.executions)
