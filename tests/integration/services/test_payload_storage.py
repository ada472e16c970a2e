"""Large values beside their runs: kept once, read by their own workspace alone, gone with the run."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import delete, select
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)
from uuid_utils.compat import uuid7

from app.db.engine import Database, Statement
from app.db.models import Run, StoredPayload
from app.db.platform_role import platform_url
from app.services import payload_storage
from app.services.errors import Unavailable
from app.services.payload_storage import PayloadGone, PayloadStorage, RunGone
from app.services.platform import Platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from app.store import sweeps
from app.store.sweeps import Sweeps
from app.temporal import names
from tests.conftest import TestWorkspace
from tests.integration.services.building import a_run

RETRIEVAL = StorageDriverRetrieveContext()


class MovingDatabase(Database):
    """Is away as often as it is told to be; counts what it is asked."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, on_failure=lambda detail: Unavailable("database_unavailable", detail))
        self.away = 0
        self.asked: list[Statement] = []

    async def run(self, workspace_id: UUID, *statements: Statement) -> list[list[tuple[Any, ...]]]:
        self.asked.extend(statements)
        if self.away:
            self.away -= 1
            raise Unavailable("database_unavailable", "the database cannot be reached")
        return await super().run(workspace_id, *statements)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[MovingDatabase]:
    database = MovingDatabase(settings)
    yield database
    await database.close()


@pytest.fixture
async def sweeping(settings: Settings) -> AsyncIterator[MovingDatabase]:
    """The same as the platform's role."""
    assert settings.database_url is not None
    database = MovingDatabase(settings.model_copy(update={"database_url": platform_url(settings.database_url)}))
    yield database
    await database.close()


@pytest.fixture
def storage(database: MovingDatabase, sweeping: MovingDatabase) -> PayloadStorage:
    return PayloadStorage(database, Sweeps(sweeping))


@pytest.fixture
async def run_id(platform: Platform, workspace: TestWorkspace) -> UUID:
    return await a_run(platform, workspace.id)


def of(run_id: UUID) -> StorageDriverStoreContext:
    return StorageDriverStoreContext(StorageDriverWorkflowInfo(namespace="n", id=names.workflow_id(str(run_id))))


def a_value(text: str = "value") -> Payload:
    return Payload(metadata={"encoding": b"json/plain", "other": b"\x00\xff"}, data=(text * 100_000).encode())


async def rows(platform: Platform, workspace: TestWorkspace, run_id: UUID) -> list[StoredPayload]:
    async with platform.database.transaction(workspace.id) as session:
        return list(await session.scalars(select(StoredPayload).where(StoredPayload.run_id == run_id)))


async def test_values_come_back_in_the_order_they_are_asked_for(storage, run_id):
    one, two, three = a_value("one"), a_value("two"), Payload()
    claims = await storage.store(of(run_id), [one, two, three])
    assert await storage.retrieve(RETRIEVAL, [claims[2], claims[0], claims[1], claims[0]]) == [three, one, two, one]


async def test_the_same_value_twice_is_one_row_and_a_small_one(storage, platform, workspace, run_id):
    first = await storage.store(of(run_id), [a_value()])
    # Maps of a message have no order: the same value may have been put together otherwise.
    same = Payload(metadata={"other": b"\x00\xff", "encoding": b"json/plain"}, data=a_value().data)
    assert await storage.store(of(run_id), [same, same]) == [first[0], first[0]]
    [row] = await rows(platform, workspace, run_id)
    assert len(row.payload) < a_value().ByteSize() / 10
    assert first[0].claim_data == {"workspace_id": str(workspace.id), "run_id": str(run_id), "digest": row.digest}


async def test_values_of_several_runs_are_read_together(storage, platform, workspace, run_id):
    other, _ = await create_workspace(platform, "Other")
    runs = [run_id, await a_run(platform, workspace.id), await a_run(platform, other.workspace_id)]
    values = [a_value("one"), a_value("two"), a_value("one")]
    claims = [(await storage.store(of(run), [value]))[0] for run, value in zip(runs, values, strict=True)]
    assert await storage.retrieve(RETRIEVAL, claims) == values


async def test_a_value_is_read_by_its_own_workspace_alone(storage, platform, workspace, run_id):
    [claim] = await storage.store(of(run_id), [a_value()])
    other, _ = await create_workspace(platform, "Other")
    forged = StorageDriverClaim({**claim.claim_data, "workspace_id": str(other.workspace_id)})
    with pytest.raises(PayloadGone):
        await storage.retrieve(RETRIEVAL, [forged])


async def test_a_value_goes_with_its_run(storage, platform, workspace, run_id):
    claims = await storage.store(of(run_id), [a_value()])
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(delete(Run).where(Run.id == run_id))
    assert await rows(platform, workspace, run_id) == []
    with pytest.raises(PayloadGone, match=f"a value of run {run_id} is gone"):
        await storage.retrieve(RETRIEVAL, claims)


async def test_nothing_is_kept_for_a_run_that_is_gone(storage, platform, workspace, run_id):
    with pytest.raises(RunGone, match="there is no run"):
        await storage.store(of(uuid7()), [a_value()])
    await storage.store(of(run_id), [a_value()])
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(delete(Run).where(Run.id == run_id))
    with pytest.raises(RunGone, match=f"there is no run {run_id}"):
        await storage.store(of(run_id), [a_value()])


async def test_the_workspace_of_a_run_is_asked_for_once(storage, sweeping, run_id):
    await storage.store(of(run_id), [a_value("one")])
    await storage.store(of(run_id), [a_value("two")])
    assert len(sweeping.asked) == 1


async def test_a_database_that_is_away_for_a_moment_is_waited_for(storage, database, run_id):
    database.away = 2
    claims = await storage.store(of(run_id), [a_value()])
    database.away = 2
    assert await storage.retrieve(RETRIEVAL, claims) == [a_value()]


async def test_a_database_that_stays_away_ends_the_waiting(storage, database, run_id, monkeypatch):
    claims = await storage.store(of(run_id), [a_value()])
    monkeypatch.setattr(payload_storage, "PATIENCE_SECONDS", 0.2)
    database.away = 1000
    for waiting in (storage.store(of(run_id), [a_value("other")]), storage.retrieve(RETRIEVAL, claims)):
        with pytest.raises(Unavailable, match=r"within 0\.2 seconds"):
            await waiting


async def test_whose_a_run_is_takes_one_look_into_an_index_among_very_many(platform, workspace, run_id, database_urls):
    many = """
        INSERT INTO runs (workspace_id, id, workflow_id, workflow_name, version, status, trigger_type, finished_at)
        SELECT %(workspace_id)s, gen_random_uuid(), gen_random_uuid(), 'Test', 1, 'completed', 'manual', now()
        FROM generate_series(1, 3000)
    """
    await platform.database.run(workspace.id, Statement(many, {"workspace_id": workspace.id}))
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        owner.execute("ANALYZE runs")
    rows = await platform.sweeps._ask(f"EXPLAIN {sweeps._OF_RUN}", run_id=run_id)
    plan = "\n".join(row for (row,) in rows)
    assert plan.count("Scan") == plan.count("using runs_id on runs") == 1, plan


async def test_a_run_alone_tells_its_workspace(platform, workspace, run_id):
    assert await platform.sweeps.workspace_of_run(run_id) == workspace.id
    assert await platform.sweeps.workspace_of_run(uuid7()) is None
