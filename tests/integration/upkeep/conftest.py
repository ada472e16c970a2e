"""An installation of its own for upkeep, which looks at every workspace there is: a database and a namespace."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import func, update
from temporalio.client import Client
from temporalio.worker import Worker

from activities.http_client import HttpClient
from app.db.engine import driver_url
from app.db.migrate import migrate
from app.db.models import Event, Run
from app.embedded.ports import free_port
from app.json import JsonObject
from app.services import launching
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from app.temporal.connect import TemporalConnection
from app.temporal.setup import prepare
from tests.conftest import DatabaseUrls
from tests.support.engine import Engine
from worker.main import build_worker


@pytest.fixture(scope="session")
async def apart(database_urls: DatabaseUrls, settings: Settings) -> AsyncIterator[Platform]:
    """The resources of an installation on the session's servers that shares nothing with the other tests'."""
    name = f"upkeep_{uuid4().hex}"
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    urls = [
        driver_url(url).set(database=name, drivername="postgresql").render_as_string(hide_password=False)
        for url in (database_urls.owner, database_urls.app)
    ]
    migrate(*urls)
    own = settings.model_copy(update={"database_url": urls[1], "temporal_namespace": name.replace("_", "-")})
    await prepare(await Client.connect(settings.resolved_temporal_address, namespace=own.temporal_namespace))
    async with open_platform(own) as platform:
        yield platform


@pytest.fixture(scope="session")
async def tending(apart: Platform) -> AsyncIterator[Worker]:
    """A worker of that installation in this process."""
    http = HttpClient(apart.settings)
    async with build_worker(apart, await apart.temporal.client(), http=http) as running:
        yield running
    await http.close()


@pytest.fixture
async def tended(apart: Platform, tending: Worker) -> Engine:
    """A workspace there."""
    workspace, _key = await create_workspace(apart, "Tended")
    return Engine(apart, workspace.workspace_id)


@dataclass(frozen=True)
class Deaf:
    """A process that could not reach Temporal seconds ago: what it left half done is left for long enough."""

    platform: Platform

    async def start(self, engine: Engine, definition: JsonObject) -> Run:
        """A run that stays pending."""
        run = await Engine(self.platform, engine.workspace_id).start(definition)
        assert run.status == "pending"
        await self._backdate(engine)
        return run

    async def send(self, engine: Engine, type: str) -> list[str]:
        """An event that is not dispatched to its end; the ids of the runs it started, which stay pending."""
        sent = await Engine(self.platform, engine.workspace_id).send(type)
        await self._backdate(engine)
        started: list[str] = sent.started
        return started

    async def _backdate(self, engine: Engine) -> None:
        ago = func.now() - 2 * launching.PENDING_FOR
        async with engine.platform.database.transaction(engine.workspace_id) as session:
            old = update(Run).where(Run.status == "pending").values(created_at=ago, updated_at=ago)
            await session.execute(old)
            await session.execute(update(Event).where(Event.dispatched_at.is_(None)).values(received_at=ago))


@pytest.fixture
def deaf(apart: Platform) -> Deaf:
    """See `Deaf`."""
    away = TemporalConnection(Settings(temporal_address=f"127.0.0.1:{free_port()}"))
    return Deaf(replace(apart, temporal=away))
