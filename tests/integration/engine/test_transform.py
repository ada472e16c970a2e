"""`transform`: the mapping evaluated, with types kept."""

import pytest

from app.json import Json
from tests.support.engine import Engine


async def test_values_keep_their_types_and_text_is_text(engine: Engine) -> None:
    mapping = {
        "number": "{{ trigger.n + 1 }}",
        "text": "n is {{ trigger.n }}",
        "list": ["{{ trigger.n }}", {"deep": "{{ trigger.names[0] }}"}],
        "null": "{{ none }}",
        "plain": True,
        "big": "{{ 2 ** 64 }}",
    }
    done = await engine.steps(
        {"id": "map", "type": "transform", "mapping": mapping},
        input={"n": 1, "names": ["Ada"]},
        output="{{ steps.map.output }}",
    )
    assert done.output == {
        "number": 2,
        "text": "n is 1",
        "list": [1, {"deep": "Ada"}],
        "null": None,
        "plain": True,
        "big": 2**64,
    }
    assert done.steps["map"].output == done.output


async def test_the_names_an_expression_sees(engine: Engine) -> None:
    mapping = {
        "run": "{{ run.id }}",
        "workflow": "{{ run.workflow_name }}",
        "version": "{{ run.version }}",
        "workspace": "{{ workspace.id }}",
        "now": "{{ now }}",
    }
    done = await engine.steps(
        {"id": "map", "type": "transform", "mapping": mapping}, output="{{ steps.map.output }}", name="Names"
    )
    assert done.output["run"] == str(done.run.id)
    assert done.output["workflow"] == "Test"
    assert done.output["version"] == 1
    assert done.output["workspace"] == str(engine.workspace_id)
    assert done.output["now"].endswith("Z")


async def test_what_was_written_as_an_expression_in_data_is_only_data(engine: Engine) -> None:
    done = await engine.steps(
        {"id": "map", "type": "transform", "mapping": {"text": "{{ trigger.text }}"}},
        {"id": "again", "type": "transform", "mapping": {"text": "{{ steps.map.output.text }}"}},
        input={"text": "{{ run.id }}"},
        output="{{ steps.again.output.text }}",
    )
    assert done.output == "{{ run.id }}"


@pytest.mark.parametrize("value", ["é" * 10, 1e308, 2**70, -0.0, {"": [[]]}, "a\u2028b"])
async def test_any_json_value_goes_through(engine: Engine, value: Json) -> None:
    """Every JSON value is the same after Temporal and PostgreSQL had it."""
    done = await engine.steps(
        {"id": "map", "type": "transform", "mapping": {"value": value}}, output="{{ steps.map.output.value }}"
    )
    assert done.output == value
    assert done.steps["map"].output == {"value": value}


async def test_an_expression_that_takes_too_much_is_an_error(engine: Engine) -> None:
    busy = "{% for a in range(1000) %}{% for b in range(1000) %}{{ a * b }}{% endfor %}{% endfor %}"
    done = await engine.steps({"id": "map", "type": "transform", "mapping": {"value": busy}})
    assert done.error["type"] == "expression"
    assert done.error["message"].startswith("mapping:")
