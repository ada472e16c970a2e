"""Any definition the models accept is either refused with problems, or it is published and its runs come to an end."""

from typing import Any

from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid, Problem
from app.json import JsonObject
from app.services.errors import Invalid
from tests.support.definitions import INPUT, definitions
from tests.support.engine import Engine
from tests.support.http_stub import Answer, HttpStub


def _says_why(problems: list[Problem]) -> None:
    assert problems
    for problem in problems:
        assert problem.message
        assert problem.path


ENDED = ("completed", "failed", "cancelled", "timed_out")


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
async def test_any_definition_is_refused_or_runs_to_an_end(engine: Engine, http_stub: HttpStub, data: Any) -> None:
    http_stub.answer("/gone", Answer(status=404))
    http_stub.answer("/down", Answer(status=503))
    definition: JsonObject = data.draw(definitions(http_stub.url))
    try:
        parse(definition)
    except DefinitionInvalid as refused:
        _says_why(refused.problems)
        event("no definition")
        return
    try:
        workflow = await engine.publish(definition)
    except Invalid as refused:
        _says_why(refused.problems)
        event("refused")
        return
    done = await engine.run(workflow, input=INPUT, within=20)
    note(f"{done.run.status}: {done.run.error}")
    event(done.run.status)
    assert done.run.status in ENDED
    assert done.history["WORKFLOW_TASK_FAILED"] == 0
    assert all(step.status not in ("pending", "running", "waiting", "held") for step in done.steps.values())
    assert all(wait.closed_at is not None for wait in await engine.waits(done.run))
    if done.run.status == "failed":
        assert done.error["type"] not in ("internal", "worker_lost")
        assert done.error["message"]
