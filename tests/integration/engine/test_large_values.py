"""A run takes more along than Temporal takes: histories refer to values that PostgreSQL keeps beside the run."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import select
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.record import RecordActivities
from app.db.engine import Database, Statement
from app.db.models import Step, StoredPayload
from app.json import JsonObject, json_size
from app.services import launching, payload_storage, runs
from app.services.errors import Unavailable
from app.services.payload_storage import PayloadStorage
from app.services.platform import Platform
from app.settings import Settings
from app.temporal import names
from app.temporal.connect import TemporalConnection
from app.temporal.messages import Carry, JournalState, RunInput, StepRecord, TriggerInfo
from app.temporal.payloads import data_converter
from app.temporal.plain import as_plain
from tests.integration.services.building import a_run
from tests.support.engine import Engine
from tests.support.large_values import LargeValues

if TYPE_CHECKING:
    from tests.conftest import TestWorkspace

QUEUE = "holdfast-large-values"
RUNNERS = {"unsandboxed": UnsandboxedWorkflowRunner(), "sandboxed": SandboxedWorkflowRunner()}
Handle = WorkflowHandle[Any, JsonObject]


class SometimesAway(Database):
    """A database that `refuses` so many calls before it answers again."""

    refuses = 0

    async def run(self, workspace_id: UUID, *statements: Statement) -> list[list[tuple[Any, ...]]]:
        if any("payloads" in each.sql for each in statements) and self.refuses:
            self.refuses -= 1
            raise Unavailable("database_unavailable", "the database cannot be reached")
        return await super().run(workspace_id, *statements)


@dataclass(frozen=True)
class Bench:
    """A worker of `LargeValues` alone, with a database that can be made to go away."""

    database: SometimesAway
    client: Client
    temporal: TemporalConnection


@pytest.fixture(params=["unsandboxed"])
async def bench(request: pytest.FixtureRequest, platform: Platform, settings: Settings) -> AsyncIterator[Bench]:
    database = SometimesAway(settings, on_failure=lambda detail: Unavailable("database_unavailable", detail))
    temporal = TemporalConnection(settings, data_converter=data_converter(PayloadStorage(database, platform.sweeps)))
    client = await temporal.client()
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[LargeValues],
        activities=RecordActivities(replace(platform, database=database, temporal=temporal)).activities(),
        workflow_runner=RUNNERS[request.param],
    )
    try:
        async with worker:
            yield Bench(database, client, temporal)
    finally:
        await database.close()


@pytest.fixture
async def run_id(platform: Platform, workspace: "TestWorkspace") -> UUID:
    return await a_run(platform, workspace.id)


def a_journal(size: int) -> JournalState:
    """Finished steps with so many bytes of answers that no compression makes small."""
    texts = random.Random(size)
    records = [
        StepRecord(
            path=f"step_{number}",
            step_id=f"step_{number}",
            name="Step",
            type="action",
            status="completed",
            output=texts.randbytes(5_000).hex(),
        )
        for number in range(size // 10_000)
    ]
    return JournalState(records=records)


async def started(
    bench: Bench,
    workspace: "TestWorkspace",
    run_id: UUID,
    journal: JournalState,
    *,
    executions: int,
    stays: bool = False,
) -> Handle:
    """A run of `LargeValues` that was given this journal."""
    run = RunInput(
        workspace_id=str(workspace.id),
        workspace_name="Test",
        run_id=str(run_id),
        workflow_id=str(run_id),
        workflow_name="Large values",
        version=1,
        digest="",
        definition={},
        trigger=TriggerInfo(type="manual"),
        created_at="2030-01-01T00:00:00Z",
        variables={"executions": executions, "stays": stays},
        carry=as_plain(Carry(journal=journal)),
    )
    handle: Handle = await bench.client.start_workflow(
        LargeValues.run, run, id=names.workflow_id(str(run_id)), task_queue=QUEUE
    )
    return handle


async def executions(client: Client, handle: Handle) -> list[WorkflowHistory]:
    """The histories of the run, the first execution's first."""
    histories = []
    follow: str | None = handle.first_execution_run_id
    while follow:
        history = await client.get_workflow_handle(handle.id, run_id=follow).fetch_history()
        histories.append(history)
        follow = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return histories


async def kept(platform: Platform, workspace: "TestWorkspace") -> list[StoredPayload]:
    async with platform.database.transaction(workspace.id) as session:
        return list(await session.scalars(select(StoredPayload)))


@pytest.mark.parametrize("bench", ["unsandboxed", "sandboxed"], indirect=True)
async def test_a_run_goes_on_with_a_journal_that_temporal_would_refuse(
    bench: Bench, platform: Platform, workspace: "TestWorkspace", run_id: UUID
) -> None:
    journal = a_journal(5_000_000)
    assert json_size([record.output for record in journal.records]) > 5_000_000
    handle = await started(bench, workspace, run_id, journal, executions=3)
    result = await handle.result()
    assert result["executions"] == 3
    assert result["journal"] == [record.output for record in journal.records]

    histories = await executions(bench.client, handle)
    assert len(histories) == 3
    assert max(sum(event.ByteSize() for event in history.events) for history in histories) < 10_000
    async with platform.database.transaction(workspace.id) as session:
        assert (await session.get_one(Step, (workspace.id, run_id, "all"))).output == result["journal"]
    # Three inputs and the result: what went to local activities was not kept a second time.
    assert len(await kept(platform, workspace)) == 4
    replayer = Replayer(
        workflows=[LargeValues], data_converter=bench.temporal.data_converter, workflow_runner=RUNNERS["unsandboxed"]
    )
    for history in histories:
        await replayer.replay_workflow(history)


async def test_a_large_journal_that_is_asked_for_is_kept_once(
    bench: Bench, platform: Platform, workspace: "TestWorkspace", run_id: UUID
) -> None:
    journal = a_journal(3_000_000)
    handle = await started(bench, workspace, run_id, journal, executions=1, stays=True)
    for _ in range(3):
        assert await handle.query(names.JOURNAL_QUERY, result_type=JournalState) == journal
    assert len(await kept(platform, workspace)) == 2, "the input and the answer"
    await handle.signal(LargeValues.end)
    await handle.result()
    assert await handle.query(names.JOURNAL_QUERY, result_type=JournalState) == journal


async def test_a_database_that_is_away_holds_the_run_up_and_no_more(
    bench: Bench, workspace: "TestWorkspace", run_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = a_journal(3_000_000)
    monkeypatch.setattr(payload_storage, "PATIENCE_SECONDS", 1.0)
    handle = await started(bench, workspace, run_id, journal, executions=2)
    bench.database.refuses = 6
    assert (await handle.result())["journal"] == [record.output for record in journal.records]
    assert bench.database.refuses == 0
    histories = await executions(bench.client, handle)
    types = Counter(event.event_type for history in histories for event in history.events)
    assert len(histories) == 2
    assert types[EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED] >= 1
    assert types[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED] == 1


async def test_a_run_whose_input_cannot_be_kept_now_stays_pending(
    bench: Bench, platform: Platform, workspace: "TestWorkspace", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload_storage, "PATIENCE_SECONDS", 0.1)
    shaky = replace(platform, database=bench.database, temporal=bench.temporal)
    workflow = await Engine(platform, workspace.id).publish(
        {"steps": [{"id": "pause", "type": "delay", "duration": "1h"}]}
    )
    bench.database.refuses = 1000
    run = (await runs.start(shaky, workspace.id, workflow, input={"text": "x" * 500_000})).run
    assert run.status == "pending"
    bench.database.refuses = 0
    assert await runs.start_pending(shaky, workspace.id, 10, older_than=timedelta(0)) == 1
    assert [row.run_id for row in await kept(platform, workspace)] == [run.id]
    await (await launching.handle_of(shaky, run.id)).terminate()
