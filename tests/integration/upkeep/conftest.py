"""An installation of its own for upkeep, which looks at every workspace there is: a database and a namespace."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from temporalio.client import Client
from temporalio.worker import Worker

from activities.http_client import HttpClient
from app.db.engine import driver_url
from app.db.migrate import migrate
from app.embedded.ports import free_port
from app.services import events as event_services
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
async def tended(apart: Platform, tending: Worker, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A workspace there. What was left lying is left for nobody: upkeep takes it on at once."""
    monkeypatch.setattr(launching, "PENDING_FOR", timedelta(0))
    monkeypatch.setattr(event_services, "UNDISPATCHED_FOR", timedelta(0))
    workspace, _key = await create_workspace(apart, "Tended")
    return Engine(apart, workspace.workspace_id)


@pytest.fixture
def deaf(tended: Engine) -> Engine:
    """The same workspace seen by a process that cannot reach Temporal."""
    away = TemporalConnection(Settings(temporal_address=f"127.0.0.1:{free_port()}"))
    return Engine(dataclasses.replace(tended.platform, temporal=away), tended.workspace_id)
