"""The supervised group of `holdfast dev`: what is started in which order, kept alive, and stopped in which order.

PostgreSQL and Temporal start side by side; API and worker follow when the database has its present shape. How progress
is shown is the report's business. The group must be driven from the main thread, which its processes are tied to.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError

from app.cli.first_start import api_key, encryption_key, platform_key
from app.cli.preflight import require
from app.cli.servers import Server, api_server, worker_server
from app.cli.state import DevState, ProcessMark, clear_state, end_leftovers, write_state
from app.db.engine import RoleBypassesRowSecurity
from app.db.migrate import MigrationRefused, migrate
from app.embedded.errors import DidNotStart, EmbeddedError
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.temporal import EmbeddedTemporal
from app.services.errors import ServiceError
from app.settings import Settings
from app.temporal.connect import TemporalConnection
from app.temporal.setup import prepare

DATABASE = "Database"
LOOPBACK_HOSTS = ("127.0.0.0/8", "::1", "localhost")

_DATABASE_ERRORS = (SQLAlchemyError, psycopg.Error, MigrationRefused, RoleBypassesRowSecurity, ServiceError, ValueError)

QUICK_DEATH_SECONDS = 30.0
"""A process that lived shorter than this counts towards giving up."""
MOST_QUICK_DEATHS = 5
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0


class Report(Protocol):
    """How the group's progress is told."""

    def starting(self, name: str) -> None: ...
    def ready(self, name: str, seconds: float) -> None: ...
    def ended(self, name: str, how: str, again_in: float, log: Path) -> None: ...
    def stopping(self, name: str) -> None: ...
    def stopped(self, name: str, seconds: float) -> None: ...
    def note(self, message: str) -> None: ...


@dataclass(frozen=True)
class Ready:
    """Where a group that is up answers."""

    settings: Settings
    api_key: str
    docs_url: str
    temporal_ui_url: str


class Group:
    """Everything `holdfast dev` starts: `start`, then `watch` until told to stop, then `stop`, all under the lock."""

    def __init__(self, settings: Settings, report: Report) -> None:
        """Settings with a `database_url` or `temporal_address` use that server and start none of their own."""
        self._report = report
        self._settings = _settled(settings)
        self._data_dir = self._settings.data_dir
        self._servers: list[Server] = []
        self._stopped: set[str] = set()

    async def start(self) -> Ready:
        """Start everything and wait until all of it is healthy. Raises `EmbeddedError`; then `stop` what did start."""
        for name in end_leftovers(self._data_dir):
            self._report.note(f"{name} was left over from a supervisor that was killed; it has been stopped")
        require(self._settings)
        await _all(self._start_database(), self._start_temporal())
        with _refused("the database cannot be used", "HOLDFAST_DATABASE_URL", *_DATABASE_ERRORS):
            key = await api_key(self._settings)
            await platform_key(self._settings)
        await _all(self._start(api_server(self._settings)), self._start(worker_server(self._settings)))
        return Ready(
            settings=self._settings,
            api_key=key,
            docs_url=f"{self._settings.resolved_api_url}/docs",
            temporal_ui_url=self._settings.resolved_temporal_ui_url,
        )

    async def watch(self) -> None:
        """Start again whatever ends, until cancelled. Raises `EmbeddedError` when a process keeps ending."""
        await _all(*(self._keep(server) for server in self._servers))

    async def stop(self) -> None:
        """Stop what runs, the last started first: API, worker, Temporal, PostgreSQL. Safe to call again."""
        for server in sorted(self._servers, key=lambda server: _STOP_ORDER.index(server.name)):
            if server.child is not None and server.child.running:
                began = time.monotonic()
                self._report.stopping(server.name)
                await server.stop()
                self._report.stopped(server.name, time.monotonic() - began)
            else:
                await server.stop()
        clear_state(self._data_dir)

    def kill(self) -> None:
        """End everything at once. PostgreSQL and Temporal repair their files at the next start."""
        for server in self._servers:
            if server.child is not None:
                server.child.kill()

    async def _start(self, server: Server) -> None:
        self._servers.append(server)
        began = time.monotonic()
        self._report.starting(server.name)
        await server.start()
        self._report.ready(server.name, time.monotonic() - began)
        self._write_state()

    async def _start_database(self) -> None:
        owner_url = self._settings.migration_database_url
        if self._settings.database_url is None:
            postgres = EmbeddedPostgres(self._data_dir)
            await self._start(postgres)
            owner_url = postgres.owner_url
            self._settings = _changed(self._settings, database_url=postgres.app_url, platform_database_url=None)
        if owner_url is None:
            return
        began = time.monotonic()
        self._report.starting(DATABASE)
        assert self._settings.database_url is not None
        with _refused("the database cannot be migrated", "HOLDFAST_MIGRATION_DATABASE_URL", *_DATABASE_ERRORS):
            urls = (owner_url, self._settings.database_url, self._settings.platform_database_url)
            await asyncio.to_thread(migrate, *urls)
        self._report.ready(DATABASE, time.monotonic() - began)

    async def _start_temporal(self) -> None:
        if self._settings.temporal_address is None:
            await self._start(
                EmbeddedTemporal(
                    data_dir=self._data_dir,
                    port=self._settings.temporal_port,
                    ui_port=self._settings.temporal_ui_port,
                    log=self._data_dir / "logs" / "temporal.log",
                    namespace=self._settings.temporal_namespace,
                    codec_endpoint=f"{self._settings.resolved_public_url}/codec",
                )
            )
        else:
            address = self._settings.temporal_address
            with _refused(f"Temporal at {address} cannot be used", "HOLDFAST_TEMPORAL_ADDRESS", RPCError, RuntimeError):
                await prepare(await TemporalConnection(self._settings).client())

    async def _keep(self, server: Server) -> None:
        quick_deaths = 0
        while True:
            began = time.monotonic()
            assert server.child is not None
            await server.child.ended(within=float("inf"))
            quick_deaths = quick_deaths + 1 if time.monotonic() - began < QUICK_DEATH_SECONDS else 1
            how = server.child.ending()
            if quick_deaths >= MOST_QUICK_DEATHS:
                raise DidNotStart(
                    f"{server.name} ended {quick_deaths} times in a row ({how}): see {server.child.log}",
                    server.child.last_lines(),
                )
            pause = min(_FIRST_PAUSE_SECONDS * 2 ** (quick_deaths - 1), _LONGEST_PAUSE_SECONDS)
            self._report.ended(server.name, how, pause, server.child.log)
            await asyncio.sleep(pause)
            await self._start_again(server)

    async def _start_again(self, server: Server) -> None:
        began = time.monotonic()
        try:
            await server.start()
        except EmbeddedError as error:
            self._report.note(str(error))
            await server.stop()
        else:
            self._report.ready(server.name, time.monotonic() - began)
            self._write_state()

    def _write_state(self) -> None:
        """Tell others where the parts answer, and the next start what to end should we be killed."""
        running = {server.name: server.child.pid for server in self._servers if server.child}
        state = DevState(
            supervisor=ProcessMark.here(),
            api_url=self._settings.resolved_api_url,
            temporal_address=self._settings.resolved_temporal_address,
            temporal_ui_url=self._settings.resolved_temporal_ui_url,
            database_url=self._settings.database_url or "",
            children={name: ProcessMark.of(pid) for name, pid in running.items() if pid is not None},
        )
        write_state(self._data_dir, state)


_STOP_ORDER = ["API", "Worker", EmbeddedTemporal.name, EmbeddedPostgres.name]


def _settled(settings: Settings) -> Settings:
    """The settings the whole group shares: an absolute data folder, an encryption key, calls to loopback allowed."""
    data_dir = settings.data_dir.absolute()
    changes: dict[str, object] = {"data_dir": data_dir}
    if not settings.encryption_keys:
        changes["encryption_keys"] = (encryption_key(data_dir),)
    if "egress_allow" not in settings.model_fields_set:
        changes["egress_allow"] = LOOPBACK_HOSTS
    return _changed(settings, **changes)


def _changed(settings: Settings, **changes: object) -> Settings:
    return Settings.model_validate({**settings.model_dump(exclude_unset=True), **changes})


@contextmanager
def _refused(what: str, setting: str, *errors: type[Exception]) -> Iterator[None]:
    """What a server of the user's own says becomes one line that names the setting it is known by."""
    try:
        yield
    except errors as error:
        reason = str(error).strip().partition("\n")[0]
        raise EmbeddedError(f"{what} ({reason}): check {setting}") from error


async def _all(*coroutines: Coroutine[None, None, None]) -> None:
    """Run side by side; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
