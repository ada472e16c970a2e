"""How much steps may hand on, and a run may hold: much works, too much is said before anything is lost."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from app.db.models import StoredPayload
from app.json import JsonObject
from app.services import runs, workspaces
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import let, put, wait

KB = 1000


@pytest.fixture
def narrow(platform: Platform, workspace: TestWorkspace, worker: object) -> Engine:
    """Runs may hand on 2 KB a step and hold 10 KB."""
    limits = {"max_step_output_bytes": 2 * KB, "max_run_data_bytes": 10 * KB}
    return Engine(replace(platform, settings=platform.settings.model_copy(update=limits)), workspace.id)


def text(id: str, size: int, **more: object) -> JsonObject:
    return put(id, f"{{{{ 'x' * {size} }}}}", **more)


async def test_a_hundred_steps_with_much_in_each_are_all_there_at_the_end(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.otherwise(Answer(json={"text": "x" * 120 * KB}))
    steps = [http(f"s{number}", f"{http_stub.url}/{number}") for number in range(100)]
    sizes = [f"{{{{ steps.s{number}.output.body.text | length }}}}" for number in range(100)]
    await workspaces.update_settings(engine.platform, engine.workspace_id, {"max_steps": 100})
    done = await engine.run({"steps": steps, "output": sizes}, within=60)
    assert done.output == [120 * KB] * 100
    assert len(http_stub.requests) == 100
    assert max(execution.size for execution in done.executions) < 10_000_000


@pytest.mark.parametrize("dispatch", ["local_first", "scheduled"])
async def test_an_answer_that_is_too_large_fails_its_step_once(
    narrow: Engine, http_stub: HttpStub, dispatch: str
) -> None:
    http_stub.otherwise(Answer(json={"text": "x" * 2 * KB}))
    done = await narrow.steps(http("fetch", f"{http_stub.url}/"), settings={"dispatch": dispatch})
    assert done.error["type"] == "response_too_large"
    assert "more than the 2,000 a step may hand on" in done.error["message"]
    assert len(http_stub.requests) == 1


async def test_a_step_that_computes_too_much_says_how_much_is_allowed(narrow: Engine) -> None:
    wide = text("wide", 2 * KB, on_error="continue")
    done = await narrow.steps(wide, put("next", 1), output="{{ steps.next.output }}")
    assert done.output == {"value": 1}
    error = done.steps["wide"].error
    assert error is not None
    assert error["type"] == "limit_exceeded"
    assert error["message"].startswith("output: 2,012 bytes are more than the 2,000 a step may hand on")
    assert done.steps["wide"].output is None


async def test_the_results_of_a_loop_are_one_output(narrow: Engine) -> None:
    loop = {"id": "each", "type": "loop", "items": "{{ range(10) | list }}", "steps": [text("piece", 250)]}
    done = await narrow.steps(loop)
    assert (done.error["type"], done.error["step_id"]) == ("limit_exceeded", "each")
    assert done.steps["each[7].piece"].status == "completed"
    assert "each[8].piece" not in done.steps


async def test_a_loop_may_work_on_much_when_it_hands_on_little(narrow: Engine) -> None:
    loop = {"id": "each", "type": "loop", "items": "{{ range(30) | list }}", "steps": [text("piece", KB)]}
    done = await narrow.steps(loop | {"collect": "{{ loop.index }}"})
    assert done.run.status == "completed"


async def test_a_run_that_holds_too_much_begins_no_further_step_and_still_undoes_what_it_did(
    narrow: Engine, http_stub: HttpStub
) -> None:
    undone = {"compensate": [http("undo", f"{http_stub.url}/undo")]}
    wide = [text(f"s{number}", 1900) for number in range(6)]
    last = [http("last", f"{http_stub.url}/last")]
    finally_ = [http("close", f"{http_stub.url}/close")]
    done = await narrow.steps(text("first", 10, **undone), *wide, *last, **{"finally": finally_})
    assert (done.error["type"], done.error["step_id"]) == ("limit_exceeded", "last")
    assert done.error["message"].startswith("the run holds 11,")
    assert [asked.path for asked in http_stub.requests] == ["/undo", "/close"]


async def test_variables_are_held_too(narrow: Engine) -> None:
    steps: list[JsonObject] = [let(f"set{number}", **{f"v{number}": "{{ 'x' * 1900 }}"}) for number in range(6)]
    done = await narrow.steps(*steps)
    assert (done.error["type"], done.error["step_id"]) == ("limit_exceeded", "set2")


async def test_variables_that_are_too_large_are_not_set(narrow: Engine) -> None:
    wide = {**let("wide", text="{{ 'x' * 3000 }}"), "on_error": "continue"}
    done = await narrow.steps(wide, variables={"text": "as before"}, output="{{ vars.text }}")
    assert done.output == "as before"
    assert done.steps["wide"].status == "failed"


async def test_what_a_loop_goes_over_is_held(narrow: Engine) -> None:
    items = ["x" * 1000] * 11
    loop = {"id": "each", "type": "loop", "items": items, "steps": [put("inside")]}
    done = await narrow.steps(loop)
    assert (done.error["type"], done.error["step_id"]) == ("limit_exceeded", "inside")


async def test_looking_at_a_run_that_holds_much_stores_nothing(engine: Engine) -> None:
    steps = [let(f"set{number}", **{f"v{number}": "{{ 'x' * 900000 }}"}) for number in range(3)]
    run = await engine.start({"steps": [let("small", v="small"), *steps, wait("pause")]})
    await engine.at(run, "pause")

    async def stored() -> int:
        async with engine.platform.database.transaction(engine.workspace_id) as session:
            return await session.scalar(select(func.count()).where(StoredPayload.run_id == run.id)) or 0

    before = await stored()
    for _ in range(3):
        timeline = await engine.timeline(run)
        assert timeline.variables["v"] == "small"
        assert timeline.variables.keys() | timeline.left_out == {"v", "v0", "v1", "v2"}
        assert len(timeline.left_out) == 2
        seen = await runs.get(engine.platform, engine.workspace_id, run.id)
        assert seen.variables is not None
        assert seen.variables["v"] == "small"
    assert await stored() == before
