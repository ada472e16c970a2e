"""Flat, ordered steps that cannot be read: each told at its own place."""

import pytest

from app.json import Json
from tests.support.dialects import NOTE, condition, errors, note


@pytest.mark.parametrize(
    ("steps", "path", "message"),
    [
        ([{"step_type": "jump"}], "steps[0].step_type", "unknown step type 'jump'"),
        ([{"step_type": "action"}], "steps[0].action_type", "the step names no action"),
        ([note("a", on_eror="fail")], "steps[0].on_eror", "unknown key 'on_eror' in a step of type set_variable"),
        ([note("a", on_error="ignore")], "steps[0].on_error", "unknown on_error 'ignore'"),
        ([note("a", on_error="branch")], "steps[0].error_branch_step_id", "no step is named"),
        (
            [note("a", on_error="branch", error_branch_step_id="z")],
            "steps[0].error_branch_step_id",
            "there is no step 'z' in this list",
        ),
        (
            [note("z"), note("a", on_error="branch", error_branch_step_id="z")],
            "steps[1].error_branch_step_id",
            "the jump leads back, in a circle",
        ),
        (
            [
                note("a", on_error="branch", error_branch_step_id="c"),
                note("b", on_error="branch", error_branch_step_id="d"),
                note("c"),
                note("d"),
            ],
            "steps[1].error_branch_step_id",
            "the jump crosses another one",
        ),
        (
            [{**condition("c"), "on_error": "branch", "error_branch_step_id": "a"}, note("a")],
            "steps[0].error_branch_step_id",
            "a condition has ways of its own",
        ),
        (
            [condition("c", true_step_id="b", false_step_id="b"), note("b")],
            "steps[0].condition_config",
            "the steps after the condition cannot be told apart",
        ),
        ([{"step_type": "condition"}], "steps[0].condition_config.conditions", "the condition has no conditions"),
        (
            [condition("c", conditions=[{"field": "{{a + b}}", "operator": "eq", "value": 1}])],
            "steps[0].condition_config.conditions[0].field",
            "the field of the comparison is more than a path",
        ),
        (
            [condition("c", conditions=[{"field": "trigger.a", "operator": "resembles", "value": 1}])],
            "steps[0].condition_config.conditions[0].operator",
            "unknown operator 'resembles'",
        ),
        (
            [condition("c", conditions=[{"field": "total", "operator": "eq", "value": 1}])],
            "steps[0].condition_config.conditions[0].field",
            "unknown name 'total'",
        ),
        (
            [{"step_type": "delay", "delay_config": {"value": 5}}],
            "steps[0].delay_config.value",
            "the duration 5 has no unit",
        ),
        (
            [{"step_type": "delay", "delay_config": {"value": 5, "unit": "months"}}],
            "steps[0].delay_config.unit",
            "unknown unit 'months'",
        ),
        ([{"step_type": "delay", "delay_config": {"value": "soon"}}], "steps[0].delay_config.value", "'soon' is no"),
        ([{"step_type": "loop", "loop_config": {"source": []}}], "steps[0].loop_config", "the loop has no steps"),
        (
            [{"step_type": "parallel", "parallel_config": {"branches": [{"steps": [NOTE]}], "waitForAll": False}}],
            "steps[0].parallel_config.waitForAll",
            "a run cannot go on while branches of it still work",
        ),
        ([note("a"), note("a")], "steps[1].id", "the id 'a' stands twice"),
        ([{"step_type": "stop", "steps": [note("a")]}], "steps[0].steps", "unknown key 'steps'"),
        (
            [{"step_type": "set_variable", "action_config": {"variables": {"aB": 1, "a_b": 2}}}],
            "steps[0].action_config.variables.a_b",
            "is called a_b here, as another one is",
        ),
        (
            [{"step_type": "delay", "delay_config": {"value": "5m", "duration": "6m"}}],
            "steps[0].delay_config.duration",
            "'value' says this already, and otherwise",
        ),
        ([5], "steps[0]", "expected an object, got a number"),
        ([note("a", position="x")], "steps[0].position", "expected a whole number, got a string"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_place(steps: list[Json], path: str, message: str) -> None:
    found = errors({"trigger_type": "manual", "steps": steps})
    assert [at for at, said in found if message in said] == [path], found
