"""A child that ends while its parent's task is lost: the step that begins anew hears of it nevertheless."""

from typing import Any

import pytest

from app.json import JsonObject
from tests.integration.engine.test_run_workflow import children, runs
from tests.support.engine import Engine, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.lost_task import happened
from tests.support.steps import delay, group
from tests.support.waiting import eventually
from workflows.steps import run_workflow

ONCE_MORE: JsonObject = {"max_attempts": 2, "initial_interval": "10ms", "jitter": 0}


async def test_a_child_that_ended_before_the_task_that_started_it_was_made_again_is_not_lost(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container is tried again, so that the step has failed when the signal comes, and begins anew after it."""
    http_stub.answer("/work", Answer(status=404), Answer(json={"n": 1}))
    takes_longer = [http("work", f"{http_stub.url}/work"), delay("pause", "500ms")]
    target = await engine.publish({"steps": takes_longer, "output": "well"})
    until_true = run_workflow.until_true
    lost = True

    async def dies(state: Any, condition: Any, **more: Any) -> Any:
        record = state.journal.records.get("box.ask")
        if lost and record is not None and record.generation == 2:
            raise RuntimeError("this task is lost")
        return await until_true(state, condition, **more)

    async def told() -> bool:
        made = await children(engine, run)
        return len(made) == 2 and made[1].status == "completed" and not made[1].parent_waits

    monkeypatch.setattr(run_workflow, "until_true", dies)
    run = await engine.start(
        {"steps": [group("box", runs("ask", target), retry=ONCE_MORE)], "output": "{{ steps.ask.output }}"}
    )
    await happened(engine, run, "WORKFLOW_TASK_FAILED")
    await eventually(told, what="the child has ended, and its parent was told")
    lost = False
    done = await engine.end(run, within=60)
    assert done.output == "well"
    assert [made.status for made in await children(engine, run)] == ["failed", "completed"]
    monkeypatch.undo()
    await replay(await engine.platform.temporal.client(), done.executions)
