"""Real servers for the tests, each started once a session and only when a test asks for it.

What a test does not ask for is not imported: the tests of the language need no database.
"""

# ruff: noqa: PLC0415

import contextlib
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.settings import Settings

if TYPE_CHECKING:
    import httpx
    from temporalio.testing import WorkflowEnvironment
    from temporalio.worker import Worker

    from app.services.platform import Platform
    from tests.support.http_stub import HttpStub
    from tests.support.smtp_catcher import SmtpCatcher

# A developer's own installation must be neither used nor changed by the tests.
for _name in [name for name in os.environ if name.startswith(("HOLDFAST_", "TEMPORAL_", "PG"))]:
    del os.environ[_name]

# With thousands of tests in a process, looking for cycles as often as Python does by itself takes an eighth of it all.
gc.set_threshold(20_000, 20, 50)


@dataclass(frozen=True)
class DatabaseUrls:
    """libpq URLs of the tables' owner and of the role Holdfast works as."""

    owner: str
    app: str


@dataclass(frozen=True)
class TestWorkspace:
    """A workspace of its own for one test, with a key."""

    __test__ = False

    id: UUID
    api_key: str


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    """Data of the session's servers. Not pytest's own temporary folder: that is closed to the account of PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-tests-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def database_urls(server_dir: Path) -> AsyncIterator[DatabaseUrls]:
    """A migrated PostgreSQL of the session."""
    from app.db.migrate import migrate
    from app.embedded.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(server_dir, durable=False)
    try:
        await server.start()
        migrate(server.owner_url, server.app_url)
        yield DatabaseUrls(server.owner_url, server.app_url)
    finally:
        await server.stop()


@pytest.fixture(scope="session")
async def temporal_server(server_dir: Path) -> AsyncIterator[str]:
    """host:port of the session's Temporal, set up as `holdfast dev` does."""
    from app.embedded.ports import free_port
    from app.embedded.temporal import EmbeddedTemporal

    log = server_dir / "logs" / "temporal.log"
    server = EmbeddedTemporal(
        data_dir=server_dir,
        port=free_port(),
        ui_port=None,
        log=log,
        # Else the executions of a run begin a second apart at least; many tests let them do little each.
        dynamic_config=['history.workflowIdReuseMinimalInterval="0s"'],
    )
    try:
        await server.start()
        yield server.address
    finally:
        await server.stop()


@pytest.fixture(scope="session")
async def time_skipping() -> AsyncIterator["WorkflowEnvironment"]:
    """A Temporal whose clock jumps over timers nobody else waits for."""
    from temporalio.testing import WorkflowEnvironment

    program = str(Path(sys.executable).with_name("temporal-test-server"))

    async def started() -> WorkflowEnvironment:
        """The SDK gives it five seconds, which is little where something else keeps the machine busy."""
        for _ in range(4):
            with contextlib.suppress(RuntimeError):
                return await WorkflowEnvironment.start_time_skipping(test_server_existing_path=program)
        return await WorkflowEnvironment.start_time_skipping(test_server_existing_path=program)

    async with await started() as environment:
        yield environment


@pytest.fixture(scope="session")
def settings(database_urls: DatabaseUrls, temporal_server: str, server_dir: Path) -> Settings:
    """Settings of the session's servers; outgoing calls may reach loopback."""
    return Settings(
        data_dir=server_dir,
        database_url=database_urls.app,
        migration_database_url=database_urls.owner,
        temporal_address=temporal_server,
        encryption_keys=(SecretStr(Fernet.generate_key().decode()),),
        egress_allow=("127.0.0.0/8", "::1", "localhost"),
    )


@pytest.fixture(scope="session")
async def platform(settings: Settings) -> AsyncIterator["Platform"]:
    """The open resources of the test process."""
    from app.services.platform import open_platform

    async with open_platform(settings) as opened:
        yield opened


@pytest.fixture
async def workspace(platform: "Platform") -> TestWorkspace:
    """A new workspace, so that no test sees another's rows."""
    from app.services.workspaces import create_workspace

    row, key = await create_workspace(platform, "Test")
    return TestWorkspace(row.workspace_id, key)


@pytest.fixture(scope="session")
async def worker(platform: "Platform") -> AsyncIterator["Worker"]:
    """A worker in this process on the session's Temporal. Nobody misses what it is at when the session ends."""
    import worker.main as worker_process
    from activities.http_client import HttpClient

    http = HttpClient(platform.settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_process, "GRACE", timedelta(seconds=1))
        running = worker_process.build_worker(platform, await platform.temporal.client(), http=http)
    async with running:
        yield running
    await http.close()


@pytest.fixture(scope="session")
async def api_app(platform: "Platform") -> AsyncIterator[Any]:
    """The API's application over the session's servers."""
    from api import outgoing
    from api.main import create_app

    app = create_app(platform)
    yield app
    await outgoing.close(app.state)


@pytest.fixture
async def api_client(api_app: Any, workspace: TestWorkspace) -> AsyncIterator["httpx.AsyncClient"]:
    """A client of the API in this process, with the key of this test's workspace."""
    import httpx

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=api_app),
        base_url="http://holdfast.test",
        headers={"Authorization": f"Bearer {workspace.api_key}"},
        timeout=60,
    ) as client:
        yield client


@pytest.fixture
async def http_stub() -> AsyncIterator["HttpStub"]:
    """A provider on loopback."""
    from tests.support.http_stub import open_http_stub

    async with open_http_stub() as stub:
        yield stub


@pytest.fixture
async def smtp_catcher() -> AsyncIterator["SmtpCatcher"]:
    """A mail server on loopback, without TLS and without login."""
    from tests.support.smtp_catcher import open_smtp_catcher

    async with open_smtp_catcher() as catcher:
        yield catcher
