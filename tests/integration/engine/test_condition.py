"""`condition`: which branch is walked, and what is seen of it afterwards."""

from typing import Any

import pytest

from app.json import JsonObject
from app.services import variables
from tests.support.engine import Engine


def put(id: str, value: Any = None, **more: Any) -> JsonObject:
    return {"id": id, "type": "transform", "mapping": {"value": value if value is not None else id}, **more}


CHOICE: JsonObject = {
    "id": "choice",
    "type": "condition",
    "branches": [
        {"when": "{{ trigger.n > 10 }}", "name": "large", "steps": [put("large")]},
        {"when": {"field": "trigger.n", "operator": "greater_than", "value": 5}, "steps": [put("medium")]},
    ],
    "else": [put("small")],
}


@pytest.mark.parametrize(
    ("n", "walked", "output"),
    [
        (11, "large", {"branch": 0, "name": "large"}),
        (6, "medium", {"branch": 1, "name": None}),
        (1, "small", {"branch": "else", "name": None}),
    ],
)
async def test_the_first_branch_that_holds_is_walked(engine: Engine, n: int, walked: str, output: JsonObject) -> None:
    done = await engine.steps(CHOICE, input={"n": n}, output="{{ steps.choice.output }}")
    assert done.output == output
    assert list(done.steps) == ["choice", f"choice.{walked}"]


async def test_without_a_branch_that_holds_nothing_is_walked(engine: Engine) -> None:
    choice = {"id": "choice", "type": "condition", "branches": [{"when": "{{ false }}", "steps": [put("never")]}]}
    done = await engine.steps(choice, put("after"), output="{{ steps.choice.output.branch }}")
    assert done.output is None
    assert done.statuses() == {"choice": "completed", "after": "completed"}


async def test_steps_of_the_branch_are_seen_afterwards(engine: Engine) -> None:
    done = await engine.steps(CHOICE, input={"n": 20}, output="{{ steps.large.output.value }}")
    assert done.output == "large"


async def test_branches_that_exclude_each_other_may_share_a_key(engine: Engine) -> None:
    choice = {
        "id": "choice",
        "type": "condition",
        "branches": [{"when": "{{ trigger.vip }}", "steps": [put("gold", 100, output_key="price")]}],
        "else": [put("plain", 120, output_key="price")],
    }
    workflow = await engine.publish({"steps": [choice], "output": "{{ steps.price.output.value }}"})
    assert (await engine.run(workflow, input={"vip": True})).output == 100
    assert (await engine.run(workflow, input={"vip": False})).output == 120


async def test_a_comparison_of_unlike_types_fails_and_names_both(engine: Engine) -> None:
    done = await engine.steps(CHOICE, input={"n": "eleven"})
    assert done.error["type"] == "expression"
    assert "branches[0].when" in done.error["message"]
    assert "string" in done.error["message"]
    assert done.error["path"] == "choice"


async def test_when_skips_any_kind(engine: Engine) -> None:
    done = await engine.steps(
        put("first", when="{{ trigger.go }}"),
        {**CHOICE, "when": {"field": "trigger.go", "operator": "equals", "value": True}},
        put("off", enabled=False),
        input={"go": False, "n": 1},
        output={
            "status": "{{ steps.first.status }}",
            "value": "{{ steps.first.output.value | default('none') }}",
            "has_output": "{{ steps.off.output is defined }}",
        },
    )
    assert done.output == {"status": "skipped", "value": "none", "has_output": False}
    assert done.statuses() == {"first": "skipped", "choice": "skipped", "off": "skipped"}


async def test_a_skipped_output_without_default_is_an_error_that_names_it(engine: Engine) -> None:
    done = await engine.steps(put("first", when="{{ false }}"), output="{{ steps.first.output.value }}")
    assert done.run.status == "failed"
    assert done.error["type"] == "expression"
    assert "output" in done.error["message"]


async def test_a_field_may_be_a_variable_of_the_workspace(engine: Engine) -> None:
    await variables.create(engine.platform, engine.workspace_id, {"name": "limit", "value": 3})
    is_three = {"field": "workspace.vars.limit", "operator": "equals", "value": 3}
    choice = {"id": "choice", "type": "condition", "branches": [{"when": is_three, "steps": [put("three")]}]}
    assert list((await engine.steps(choice)).steps) == ["choice", "choice.three"]
