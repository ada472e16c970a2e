"""`set_variable`: variables of the run, and those that are kept for later runs."""

from typing import Any

from app.json import JsonObject
from tests.support.engine import Engine, http
from tests.support.http_stub import HttpStub


def set_(id: str, scope: str = "run", **variables: Any) -> JsonObject:
    return {"id": id, "type": "set_variable", "variables": variables, "scope": scope}


async def test_variables_are_seen_from_then_on(engine: Engine) -> None:
    done = await engine.steps(
        set_("more", total="{{ vars.total + 5 }}", seen="{{ vars.total }}"),
        variables={"total": 1, "seen": None},
        output="{{ vars }}",
    )
    assert done.output == {"total": 6, "seen": 1}
    assert done.run.variables == {"total": 6, "seen": 1}
    assert done.steps["more"].output == {"total": 6, "seen": 1}


async def test_first_values_may_be_expressions_and_the_request_goes_before_them(engine: Engine) -> None:
    workflow = await engine.publish(
        {"variables": {"name": "{{ trigger.name | upper }}", "pause": "3d"}, "steps": [], "output": "{{ vars }}"}
        | {"steps": [{"id": "nothing", "type": "transform", "mapping": {"done": True}}]}
    )
    done = await engine.run(workflow, input={"name": "ada"}, variables={"pause": "1s"})
    assert done.output == {"name": "ADA", "pause": "1s"}


async def test_a_first_value_that_cannot_be_evaluated_fails_the_run(engine: Engine) -> None:
    done = await engine.steps(set_("x", a=1), variables={"a": "{{ trigger.name }}"})
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith("variables:")
    assert (done.error["step_id"], done.error["path"]) == (None, None)


async def test_a_loop_adds_up(engine: Engine) -> None:
    loop = {"id": "each", "type": "loop", "items": [1, 2, 3], "steps": [set_("add", total="{{ vars.total + item }}")]}
    assert (await engine.steps(loop, variables={"total": 0}, output="{{ vars.total }}")).output == 6


async def test_workflow_variables_are_kept_for_later_runs(engine: Engine) -> None:
    workflow = await engine.publish(
        {
            "variables": {"count": 0},
            "steps": [set_("count_up", "workflow", count="{{ vars.count + 1 }}")],
            "output": "{{ vars.count }}",
        }
    )
    assert [(await engine.run(workflow)).output for _ in range(3)] == [1, 2, 3]
    assert (await engine.run(workflow, variables={"count": 10})).output == 11


async def test_run_variables_end_with_the_run(engine: Engine) -> None:
    workflow = await engine.publish(
        {"variables": {"count": 0}, "steps": [set_("up", count="{{ vars.count + 1 }}")], "output": "{{ vars.count }}"}
    )
    assert [(await engine.run(workflow)).output for _ in range(2)] == [1, 1]


async def test_kept_variables_are_kept_before_the_run_goes_on(engine: Engine, http_stub: HttpStub) -> None:
    steps = [set_("keep", "workflow", count=5), http("fails", f"{http_stub.url}/{{{{ trigger.nothing }}}}")]
    workflow = await engine.publish({"variables": {"count": 0}, "steps": steps, "output": "{{ vars.count }}"})
    assert (await engine.run(workflow)).run.status == "failed"
    assert (await engine.run(workflow)).run.variables == {"count": 5}


async def test_a_value_too_large_to_travel_with_every_later_run_is_refused(engine: Engine) -> None:
    text = "{{ 'x' * 40000 }}"
    kept = {"id": "keep", "type": "set_variable", "variables": {"big": text}, "scope": "workflow"}
    refused = await engine.steps(kept, variables={"big": ""})
    assert refused.error["type"] == "limit_exceeded"
    assert "variables.big" in refused.error["message"]
    assert (await engine.steps({**kept, "scope": "run"}, variables={"big": ""})).run.status == "completed"
