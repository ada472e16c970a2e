"""A definition as large as publishing allows: fifty steps, nested eight deep."""

from app.json import JsonObject
from tests.support.engine import Engine


def _nested(depth: int, number: list[int]) -> list[JsonObject]:
    """Six steps a level: five that count, and one that holds the next level, of each kind in turn."""

    def count() -> JsonObject:
        number[0] += 1
        return {"id": f"s{number[0]}", "type": "set_variable", "variables": {"n": "{{ vars.n + 1 }}"}}

    steps = [count() for _ in range(5)]
    if depth == 1:
        return [*steps, count(), count()]
    number[0] += 1
    inner = _nested(depth - 1, number)
    holder: JsonObject = {"id": f"level_{depth}"}
    if depth % 3 == 0:
        holder |= {"type": "condition", "branches": [{"when": "{{ vars.n > 0 }}", "steps": inner}]}
    elif depth % 3 == 1:
        holder |= {"type": "parallel", "branches": [{"name": "only", "steps": inner}]}
    else:
        holder |= {"type": "loop", "items": [1], "steps": inner}
    return [*steps, holder]


async def test_fifty_steps_nested_eight_deep_are_walked(engine: Engine) -> None:
    number = [0]
    steps = [*_nested(8, number), {"id": "end", "type": "transform", "mapping": {"n": "{{ vars.n }}"}}]
    number[0] += 1
    assert number[0] == 50
    done = await engine.run({"variables": {"n": 0}, "steps": steps, "output": "{{ steps.end.output.n }}"})
    assert done.output == 42
    assert len(done.steps) == 50
    assert max(path.count(".") for path in done.steps) == 7
    assert done.run.steps_completed == 50
    assert done.run.steps_total == 50
    assert done.history["WORKFLOW_TASK_COMPLETED"] == 1


async def test_the_same_definition_survives_a_wait_in_its_middle(engine: Engine) -> None:
    steps = _nested(8, [0])
    innermost = steps
    while innermost[-1]["id"].startswith("level"):
        holder = innermost[-1]
        innermost = (holder.get("branches") or [holder])[0]["steps"]
    innermost.append({"id": "wait", "type": "wait_for_event", "event": "go"})
    run = await engine.start({"variables": {"n": 0}, "steps": steps, "output": "{{ vars.n }}"})
    path = "level_8[0].level_7.level_6.level_5[0].level_4.level_3.level_2[0].wait"
    await engine.at(run, path)
    await engine.send("go")
    assert (await engine.end(run)).output == 42
