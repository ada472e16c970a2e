"""Whatever a definition says, its runs end the same whether they take one Temporal execution or many."""

from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from app.json import JsonObject
from app.services.errors import Invalid
from tests.support.definitions import INPUT
from tests.support.engine import Engine, Finished
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.outcomes import outcome
from tests.support.steady_definitions import steady_definitions
from workflows import history

MANY = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


async def both_ways(
    engine: Engine, stub: HttpStub, definition: JsonObject, most_events: int
) -> tuple[Finished, Finished] | None:
    """The run in one execution, and in as many as it takes with so few events in each; None for no definition."""
    stub.answer("/gone", Answer(status=404))
    stub.answer("/down", Answer(status=503))
    stub.requests.clear()
    try:
        workflow = await engine.publish(definition)
    except Invalid as refused:
        event("refused: " + refused.detail[:140])
        return None
    whole = await engine.run(workflow, input=INPUT, within=25)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "MOST_EVENTS", most_events)
        parts = await engine.run(workflow, input=INPUT, within=50)
        await replay(await engine.platform.temporal.client(), parts.executions)
    note(f"{whole.run.status}: {whole.run.error}")
    event(f"{parts.run.status}, {min(len(parts.executions), 4)} executions")
    assert len(whole.executions) == 1
    assert [failure for execution in parts.executions for failure in execution.task_failures] == []
    return whole, parts


@MANY
@given(data=st.data(), most_events=st.sampled_from([12, 16, 30]))
async def test_one_thing_after_the_other(engine: Engine, http_stub: HttpStub, data: Any, most_events: int) -> None:
    definition = data.draw(steady_definitions(http_stub.url, alone=True))
    runs = await both_ways(engine, http_stub, definition, most_events)
    if runs is not None:
        whole, parts = runs
        assert outcome(parts, http_stub) == outcome(whole, http_stub)
        assert list(parts.steps) == list(whole.steps)


@MANY
@given(data=st.data(), most_events=st.sampled_from([16, 30]))
async def test_many_things_at_once(engine: Engine, http_stub: HttpStub, data: Any, most_events: int) -> None:
    definition = data.draw(steady_definitions(http_stub.url, alone=False))
    runs = await both_ways(engine, http_stub, definition, most_events)
    if runs is not None:
        whole, parts = runs
        assert (parts.run.status, parts.run.output) == (whole.run.status, whole.run.output)
        if whole.run.status == "completed" and "failed" not in whole.statuses().values():
            assert outcome(parts, http_stub) == outcome(whole, http_stub)
        effects = http_stub.effects(parts.run.id)
        assert all(asked == 1 for key, asked in effects.items() if parts.steps.get(key) is None), "none twice"
