"""Rows learn how their runs ended when Temporal's UI or CLI, or a loss, ended them; what is under way is left alone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from app.db.models import Run
from app.embedded.ports import free_port
from app.json import Json
from app.services import reconciling
from app.settings import Settings
from app.temporal import names
from app.temporal.connect import TemporalConnection
from app.temporal.messages import RunResult
from app.temporal.upkeep import ClosedCursor
from tests.integration.services.building import a_run
from tests.support.engine import Engine, Handle
from tests.support.waiting import eventually

QUEUE = "reconciling-tests"
WAIT = {"steps": [{"id": "paid", "type": "wait_for_event", "event": "shop.order.paid"}]}


@workflow.defn(name=names.AUTOMATION_WORKFLOW)
class Ends:
    """Stands for a run in Temporal that ends as it is told, or waits."""

    @workflow.run
    async def run(self, how: str) -> RunResult:
        if how == "goes on":
            workflow.continue_as_new("waits")
        if how == "fails":
            raise ApplicationError("boom", non_retryable=True)
        if how == "run fails":
            error = {"type": "timeout", "message": "no answer", "step_id": "a", "path": "a"}
            raise ApplicationError("no answer", error, type="timeout", non_retryable=True)
        if how == "run times out":
            error = {"type": "run_timed_out", "message": "too long", "step_id": None, "path": None}
            raise ApplicationError("too long", error, type="run_timed_out", non_retryable=True)
        if how == "completes":
            return RunResult(status="completed", output={"total": 7})
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture(scope="module")
async def ends(platform: Any) -> AsyncIterator[None]:
    client = await platform.temporal.client()
    async with Worker(client, task_queue=QUEUE, workflows=[Ends], workflow_runner=UnsandboxedWorkflowRunner()):
        yield


async def begun(engine: Engine, how: str, *, queue: str = QUEUE, **options: Any) -> tuple[UUID, Handle]:
    """A run whose row says that it is under way, with a Temporal workflow that ends so."""
    run_id = await a_run(engine.platform, engine.workspace_id)
    client = await engine.platform.temporal.client()
    id_ = names.workflow_id(str(run_id))
    return run_id, await client.start_workflow(names.AUTOMATION_WORKFLOW, how, id=id_, task_queue=queue, **options)


async def over(handle: Handle, status: WorkflowExecutionStatus) -> None:
    async def there() -> bool:
        return (await handle.describe()).status == status

    await eventually(there, what=status.name)


async def reconcile(engine: Engine, run_id: UUID) -> int:
    return await reconciling.reconcile(engine.platform, engine.workspace_id, [run_id])


async def row(engine: Engine, run_id: UUID) -> Run:
    return await engine.row(Run(id=run_id))


async def ending(engine: Engine, run_id: UUID) -> tuple[str, str | None]:
    """Status and type of error of a run that must have been brought to its end just now, and stays there."""
    assert await reconcile(engine, run_id) == 1
    assert await reconcile(engine, run_id) == 0
    found = await row(engine, run_id)
    assert found.finished_at is not None
    assert (found.current_step, found.waiting_for) == (None, None)
    return found.status, None if found.error is None else found.error["type"]


async def test_a_terminated_run_is_cancelled_with_who_and_why(engine: Engine) -> None:
    run = await engine.start(WAIT)
    await engine.at(run, "paid")
    handle = await engine.handle(run)
    await handle.terminate(reason="made by mistake")
    assert await ending(engine, run.id) == ("cancelled", "terminated")
    ended = await engine.row(run)
    assert ended.error is not None
    assert "made by mistake" in ended.error["message"]
    client = await engine.platform.temporal.client()
    assert client.identity in ended.error["message"]
    assert ended.finished_at == (await handle.describe()).close_time
    steps = await engine.step_rows(run)
    assert {path: (step.status, step.finished_at) for path, step in steps.items()} == {
        "paid": ("cancelled", ended.finished_at)
    }
    assert [wait.closed_at is not None for wait in await engine.waits(run)] == [True]


async def test_what_closed_lately_is_found_until_its_row_knows(engine: Engine) -> None:
    run = await engine.start(WAIT)
    await engine.at(run, "paid")
    failed = await engine.steps({"id": "no", "type": "stop", "status": "failed", "reason": "so"})
    await (await engine.handle(run)).terminate()

    async def found() -> list[str]:
        closed = await reconciling.closed(engine.platform, None, datetime.now(UTC).isoformat())
        assert not closed.more
        return closed.runs.get(str(engine.workspace_id), [])

    assert await eventually(found) == [str(run.id)]
    client = await engine.platform.temporal.client()
    query = reconciling._CLOSED_QUERY.format(since="2020-01-01T00:00:00Z", until=datetime.now(UTC).isoformat())
    listed = {names.run_of(execution.id) async for execution in client.list_workflows(query)}
    assert (run.id in listed, failed.run.id in listed) == (True, False), "what ended by itself is not even listed"
    await reconcile(engine, run.id)
    assert await found() == []


async def test_the_cursor_follows_what_closed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page through a window, then on from its end, less what visibility may lag behind."""
    began = datetime.now(UTC)
    runs = [await engine.start(WAIT) for _ in range(3)]
    for run in runs:
        await engine.at(run, "paid")
        await (await engine.handle(run)).terminate()
    wanted = {str(run.id) for run in runs}
    since = ClosedCursor(since=began.isoformat())

    async def all_listed() -> bool:
        closed = await reconciling.closed(engine.platform, since, datetime.now(UTC).isoformat())
        return set(closed.runs.get(str(engine.workspace_id), [])) == wanted

    await eventually(all_listed)
    monkeypatch.setattr(reconciling, "CLOSED_PAGE", 1)
    monkeypatch.setattr(reconciling, "CLOSED_PAGES", 2)
    now = datetime.now(UTC)
    first = await reconciling.closed(engine.platform, since, now.isoformat())
    assert first.more
    assert (first.cursor.since, first.cursor.until) == (since.since, now.isoformat())
    later = now + timedelta(hours=1)
    second = await reconciling.closed(engine.platform, first.cursor, later.isoformat())
    assert not second.more
    of_this = [closed.runs.get(str(engine.workspace_id), []) for closed in (first, second)]
    assert (set(of_this[0]) | set(of_this[1]), len(of_this[0]) + len(of_this[1])) == (wanted, 3)
    assert datetime.fromisoformat(second.cursor.since) == now - reconciling.LAG
    assert (second.cursor.until, second.cursor.page) == (None, None)


@pytest.mark.usefixtures("ends")
@pytest.mark.parametrize(
    ("how", "closed_as", "expected"),
    [
        ("fails", WorkflowExecutionStatus.FAILED, ("failed", "internal")),
        ("run fails", WorkflowExecutionStatus.FAILED, ("failed", "timeout")),
        ("run times out", WorkflowExecutionStatus.FAILED, ("timed_out", "run_timed_out")),
        ("completes", WorkflowExecutionStatus.COMPLETED, ("completed", None)),
    ],
)
async def test_an_end_whose_record_was_lost_is_taken_from_temporal(
    engine: Engine, how: str, closed_as: WorkflowExecutionStatus, expected: tuple[str, str | None]
) -> None:
    run_id, handle = await begun(engine, how)
    await over(handle, closed_as)
    assert await ending(engine, run_id) == expected
    output: Json = {"total": 7} if how == "completes" else None
    assert (await row(engine, run_id)).output == output


@pytest.mark.usefixtures("ends")
async def test_a_run_that_was_cancelled_without_a_word_is_cancelled(engine: Engine) -> None:
    run_id, handle = await begun(engine, "waits")
    await handle.cancel()
    await over(handle, WorkflowExecutionStatus.CANCELED)
    assert await ending(engine, run_id) == ("cancelled", "cancelled")


async def test_a_run_that_temporal_timed_out_is_timed_out(engine: Engine) -> None:
    run_id, handle = await begun(engine, "waits", queue="nobody", execution_timeout=timedelta(seconds=1))
    await over(handle, WorkflowExecutionStatus.TIMED_OUT)
    assert await ending(engine, run_id) == ("timed_out", "run_timed_out")


async def test_a_run_that_temporal_no_longer_has_is_lost(engine: Engine) -> None:
    run_id = await a_run(engine.platform, engine.workspace_id)
    assert await ending(engine, run_id) == ("failed", "run_lost")


async def test_a_run_under_way_is_left_alone(engine: Engine) -> None:
    run = await engine.start(WAIT)
    await engine.at(run, "paid")
    assert await reconcile(engine, run.id) == 0
    assert [wait.closed_at for wait in await engine.waits(run)] == [None]
    await engine.send("shop.order.paid")
    assert (await engine.end(run)).output is None


@pytest.mark.usefixtures("ends")
async def test_a_run_that_continued_as_new_is_left_alone(engine: Engine) -> None:
    run_id, handle = await begun(engine, "goes on")
    client = await engine.platform.temporal.client()
    first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    await over(first, WorkflowExecutionStatus.CONTINUED_AS_NEW)
    assert await reconcile(engine, run_id) == 0
    assert (await row(engine, run_id)).status == "running"


async def test_a_run_whose_terminated_execution_was_followed_by_another_is_left_alone(engine: Engine) -> None:
    """As after a reset in Temporal: an execution was terminated, and the run goes on in the next one."""
    run_id, handle = await begun(engine, "waits", queue="nobody")
    await handle.terminate()
    client = await engine.platform.temporal.client()
    await client.start_workflow(names.AUTOMATION_WORKFLOW, "waits", id=handle.id, task_queue="nobody")
    assert await reconcile(engine, run_id) == 0
    assert (await row(engine, run_id)).status == "running"


@pytest.mark.parametrize("status", ["pending", "completed"])
async def test_a_row_that_is_pending_or_has_ended_is_left_alone(engine: Engine, status: str) -> None:
    finished_at = func.now() if status == "completed" else None
    run_id = await a_run(engine.platform, engine.workspace_id, status=status, finished_at=finished_at)
    assert await reconcile(engine, run_id) == 0
    assert (await row(engine, run_id)).status == status


async def test_one_run_that_cannot_be_asked_about_keeps_no_other_from_its_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ids = [await a_run(engine.platform, engine.workspace_id) for _ in range(3)]
    ask = reconciling._ending

    async def asked(client: Any, run_id: UUID) -> reconciling.Ending | None:
        if run_id == run_ids[0]:
            raise RuntimeError("not now")
        return await ask(client, run_id)

    monkeypatch.setattr(reconciling, "_ending", asked)
    with pytest.raises(RuntimeError, match="not now"):
        await reconciling.reconcile(engine.platform, engine.workspace_id, run_ids)
    assert [(await row(engine, run_id)).status for run_id in run_ids] == ["running", "failed", "failed"]


async def test_the_runs_longest_unchecked_are_asked_about_first(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those never checked before those checked long ago; none that was checked, or asked for, just now."""

    def ago(**much: float) -> Any:
        return func.now() - timedelta(**much)

    platform, workspace_id = engine.platform, engine.workspace_id
    never = await a_run(platform, workspace_id, created_at=ago(hours=1))
    hour = await a_run(platform, workspace_id, created_at=ago(days=2), checked_at=ago(hours=1))
    day = await a_run(platform, workspace_id, created_at=ago(days=2), checked_at=ago(days=1))
    await a_run(platform, workspace_id, created_at=ago(days=2), checked_at=ago(minutes=1))
    await a_run(platform, workspace_id)
    monkeypatch.setattr(reconciling, "CHECKS", 1)
    order: list[UUID] = []

    async def reconciled(_platform: Any, _workspace_id: UUID, run_ids: list[UUID]) -> int:
        order.extend(run_ids)
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(reconciling, "reconcile", reconciled)
        counts = [await reconciling.check(platform, workspace_id) for _ in range(4)]
    assert order == [never, day, hour]
    assert counts == [(1, 0), (1, 0), (1, 0), (0, 0)]


async def test_a_check_ends_what_is_lost_and_leaves_what_is_not(engine: Engine) -> None:
    lost = await a_run(engine.platform, engine.workspace_id, created_at=func.now() - timedelta(hours=1))
    run = await engine.start(WAIT)
    await engine.at(run, "paid")
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        there = await session.get_one(Run, (engine.workspace_id, run.id))
        there.created_at = func.now() - timedelta(hours=1)
    assert await reconciling.check(engine.platform, engine.workspace_id) == (2, 1)
    assert (await row(engine, lost)).status == "failed"
    waiting = await engine.row(run)
    assert (waiting.status, waiting.checked_at is not None) == ("waiting", True)


async def test_a_temporal_that_is_away_ends_no_run(engine: Engine) -> None:
    away = TemporalConnection(Settings(temporal_address=f"127.0.0.1:{free_port()}"))
    run_id = await a_run(engine.platform, engine.workspace_id)
    platform = replace(engine.platform, temporal=away)
    with pytest.raises(RuntimeError):
        await reconciling.reconcile(platform, engine.workspace_id, [run_id])
    assert (await row(engine, run_id)).status == "running"
