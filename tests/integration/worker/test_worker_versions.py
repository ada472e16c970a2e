"""Workers of two versions on a real server: which runs move to the new one, and when."""

from collections.abc import Callable

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

from app.json import JsonObject
from app.services.platform import Platform
from app.temporal import deployments, names
from tests.conftest import TestWorkspace
from tests.support.engine import Engine
from tests.support.versions import Versions, builds
from tests.support.waiting import eventually
from workflows import history

WAITS_TWICE: JsonObject = {
    "steps": [
        {"id": "first", "type": "wait_for_event", "event": "go.first"},
        {"id": "second", "type": "wait_for_event", "event": "go.second"},
    ]
}


@pytest.fixture
def versions(
    platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Versions]:
    """`versions("pinned")`: workers with this setting, which alone take this test's runs."""
    name = f"holdfast-{workspace.id}"
    monkeypatch.setattr(names, "TASK_QUEUE", name)
    return lambda versioning: Versions(Engine(platform, workspace.id), name, versioning)


async def promote(versions: Versions, build_id: str) -> None:
    """Promote it as soon as Temporal has seen its workers."""
    client = await versions.engine.platform.temporal.client()

    async def promoted() -> bool:
        try:
            await deployments.promote(client, versions.name, build_id)
        except RPCError:
            return False
        return True

    await eventually(promoted, what=f"{build_id} is promoted")


async def test_a_run_moves_to_the_promoted_version_with_its_next_step(versions: Callable[[str], Versions]) -> None:
    upgrading = versions("auto_upgrade")
    engine = upgrading.engine
    async with upgrading.worker("one"), upgrading.worker("two"):
        await promote(upgrading, "one")
        run = await engine.start(WAITS_TWICE)
        await engine.at(run, "first")
        before = await upgrading.version_of(run)

        await promote(upgrading, "two")
        await engine.send("go.first")
        await engine.at(run, "second")

        assert before == "one"
        await eventually(lambda: upgrading.is_on(run, "two"), what="the run is on the new version")
        await engine.send("go.second")
        assert (await engine.end(run)).run.status == "completed"


async def test_a_pinned_run_ends_where_it_began_and_new_ones_begin_at_the_promoted_version(
    versions: Callable[[str], Versions],
) -> None:
    pinned = versions("pinned")
    engine = pinned.engine
    async with pinned.worker("one"), pinned.worker("two"):
        await promote(pinned, "one")
        old = await engine.start(WAITS_TWICE)
        await engine.at(old, "first")

        await promote(pinned, "two")
        new = await engine.start(WAITS_TWICE)
        await engine.at(new, "first")
        await engine.send("go.first")
        for run in (old, new):
            await engine.at(run, "second")
        await engine.send("go.second")

        assert [builds(execution) for execution in (await engine.end(old)).executions] == [{"one"}]
        assert [builds(execution) for execution in (await engine.end(new)).executions] == [{"two"}]


async def test_a_pinned_run_moves_to_the_promoted_version_when_it_goes_on_in_a_new_execution(
    versions: Callable[[str], Versions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 12)
    pinned = versions("pinned")
    engine = pinned.engine
    async with pinned.worker("one"), pinned.worker("two"):
        await promote(pinned, "one")
        run = await engine.start(WAITS_TWICE)
        await engine.at(run, "first")
        await promote(pinned, "two")
        await engine.send("go.first")
        await engine.at(run, "second")
        await engine.send("go.second")
        done = await engine.end(run)

        assert len(done.executions) == 2
        assert [builds(execution) for execution in done.executions] == [{"one"}, {"two"}]


async def test_without_versioning_a_worker_takes_runs_at_once_and_still_shows_its_version(
    versions: Callable[[str], Versions],
) -> None:
    unversioned = versions("off")
    async with unversioned.worker("one"):
        done = await unversioned.engine.steps({"id": "a", "type": "transform", "mapping": {"b": 1}})
        client = await unversioned.engine.platform.temporal.client()
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=unversioned.name),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )

    assert done.run.status == "completed"
    assert {poller.deployment_options.build_id for poller in answer.pollers} == {"one"}
    assert await unversioned.version_of(done.run) == ""
