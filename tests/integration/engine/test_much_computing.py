"""A run that computes for seconds on end: Temporal must never take its worker for stuck."""

from app.json import JsonObject
from tests.support.engine import Engine

HEAVY = "{% for a in range(70) %}{% for b in range(70) %}{{ a * b }}{% endfor %}{% endfor %}"
"""More than half of what one evaluation may cost."""
HEAVY_COUNT = "range(9000) | map('string') | list | length"


def heavy(number: int) -> JsonObject:
    return {"id": f"heavy_{number}", "type": "transform", "mapping": {"text": HEAVY}}


async def test_many_heavy_steps_in_a_row_pause_between_workflow_tasks(engine: Engine) -> None:
    finished = await engine.steps(*(heavy(number) for number in range(40)), output="done")
    assert finished.output == "done"
    assert finished.history["WORKFLOW_TASK_FAILED"] == finished.history["WORKFLOW_TASK_TIMED_OUT"] == 0
    assert finished.history["TIMER_STARTED"] > 0


async def test_many_heavy_conditions_of_one_step_pause_too(engine: Engine) -> None:
    branches = [
        {"when": f"{{{{ ({HEAVY_COUNT}) < 0 }}}}", "steps": [{"id": f"s{n}", "type": "stop"}]} for n in range(40)
    ]
    finished = await engine.steps({"id": "choose", "type": "condition", "branches": branches}, output="done")
    assert finished.output == "done"
    assert finished.history["TIMER_STARTED"] > 0


async def test_many_heavy_branches_side_by_side_pause_together(engine: Engine) -> None:
    branches = [{"name": f"b{number}", "steps": [heavy(number)]} for number in range(40)]
    finished = await engine.steps({"id": "all", "type": "parallel", "branches": branches}, output="done")
    assert finished.output == "done"
    assert finished.history["WORKFLOW_TASK_FAILED"] == finished.history["WORKFLOW_TASK_TIMED_OUT"] == 0
    # One pause for each dozen of branches, where everyone waits, and none for each branch.
    assert 2 <= finished.history["TIMER_STARTED"] <= 6
    assert finished.history["WORKFLOW_TASK_COMPLETED"] > finished.history["TIMER_STARTED"]


async def test_light_steps_cost_no_timer(engine: Engine) -> None:
    light = [{"id": f"s{number}", "type": "transform", "mapping": {"n": "{{ 1 + 1 }}"}} for number in range(40)]
    assert (await engine.steps(*light)).history["TIMER_STARTED"] == 0
