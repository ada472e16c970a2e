"""Workers come and go while runs are under way: deployed, stopped in the middle of an effect, replaced."""

from typing import TYPE_CHECKING

import pytest

from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.own_worker import engine_without_worker, running_worker
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from app.services.platform import Platform
    from tests.conftest import TestWorkspace


@pytest.fixture
def engine(platform: "Platform", workspace: "TestWorkspace", monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A workspace whose runs only the workers of this module take."""
    return engine_without_worker(platform, workspace.id, monkeypatch)


@pytest.mark.parametrize("dispatch", ["local_first", "scheduled"])
async def test_an_effect_that_a_stopping_worker_could_not_finish_is_done_by_the_next(
    engine: Engine, http_stub: HttpStub, dispatch: str
) -> None:
    http_stub.answer("/", Answer(hang=True), Answer(json="done"))
    async with running_worker(engine):
        definition = {
            "settings": {"dispatch": dispatch},
            "steps": [http("fetch", f"{http_stub.url}/", timeout="3s")],
            "output": "{{ steps.fetch.output.body }}",
        }
        run = await engine.start(definition)
        await eventually(lambda: http_stub.requests, what="the effect is under way")
    assert (await engine.row(run)).status == "running"
    async with running_worker(engine):
        done = await engine.end(run, within=40)
    assert done.output == "done"
    assert {request.headers["Idempotency-Key"] for request in http_stub.requests} == {f"{run.id}/fetch"}


async def test_a_wait_outlives_its_worker(engine: Engine) -> None:
    wait = {"id": "wait", "type": "wait_for_event", "event": "go"}
    async with running_worker(engine):
        run = await engine.start({"steps": [wait], "output": "{{ steps.wait.output }}"})
        await engine.at(run, "wait")
    await engine.send("go", "while nobody worked")
    async with running_worker(engine):
        assert (await engine.end(run)).output == "while nobody worked"
