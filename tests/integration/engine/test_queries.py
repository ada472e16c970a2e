"""Looking at a run changes nothing about it: a query ends no task of a run whose local activity is under way."""

import asyncio

from app.temporal import names
from app.temporal.messages import DeliveredEvent
from tests.support.engine import Engine, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.steps import wait
from tests.support.waiting import eventually


async def test_a_query_that_comes_with_a_task_waits_for_the_local_activity(engine: Engine, http_stub: HttpStub) -> None:
    """The event that comes during the first effect makes a second task, the query comes with it, and the second effect
    is made in it."""
    gates = {"/first": asyncio.Event(), "/second": asyncio.Event()}

    async def answer(asked: Asked) -> Answer:
        await gates[asked.path].wait()
        return Answer(json={"ok": True})

    http_stub.otherwise(answer)
    run = await engine.start(
        {"steps": [http("first", f"{http_stub.url}/first"), wait("go"), http("second", f"{http_stub.url}/second")]}
    )

    async def reached(path: str) -> None:
        async def there() -> bool:
            return bool(http_stub.asked(path))

        await eventually(there, what=f"{path} is asked for")

    await reached("/first")
    looking = asyncio.create_task(engine.timeline(run))
    event = {"specversion": "1.0", "id": "e", "source": "test", "type": "go", "data": None}
    handle = await engine.handle(run)
    await handle.signal(names.DELIVER_EVENT_SIGNAL, DeliveredEvent(paths=["go"], event=event))
    gates["/first"].set()
    await reached("/second")
    gates["/second"].set()
    timeline = await looking
    done = await engine.end(run)
    assert done.run.status == "completed"
    assert [step.status for step in timeline.steps if step.path == "second"] == ["completed"]
    assert done.history["WORKFLOW_TASK_COMPLETED"] == 2
    await replay(await engine.platform.temporal.client(), done.executions)
