"""Holdfast's own processes as servers of a group: the API and a worker, each started as `holdfast api` and so on.

They are started by command, never imported: the group must live on when one of them cannot even be loaded.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import httpx
from pydantic import SecretStr
from temporalio.service import RPCError

from app.embedded.child import Child
from app.embedded.errors import DidNotStart, MissingBinary
from app.embedded.ports import require_free
from app.settings import Settings
from app.temporal.connect import TemporalConnection
from app.temporal.pollers import pollers

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.1
_API_STOP_SECONDS = 15.0
# Longer than the worker's own grace for effects under way.
_WORKER_STOP_SECONDS = 30.0


class Server(Protocol):
    """A part of the group: `start` returns when it is healthy and may be called again after it ended."""

    @property
    def name(self) -> str: ...
    @property
    def child(self) -> Child | None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class OwnServer:
    """`holdfast <command>` with the group's settings; `health` says None when healthy, else what is amiss."""

    def __init__(
        self,
        name: str,
        command: str,
        settings: Settings,
        *,
        health: Callable[["OwnServer"], Awaitable[str | None]],
        stop_seconds: float,
        before_start: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.child: Child | None = None
        self.started_at = datetime.now(UTC)
        self._command = command
        self._settings = settings
        self._health = health
        self._stop_seconds = stop_seconds
        self._before_start = before_start

    async def start(self) -> None:
        """Start it and wait until it is healthy. Raises `EmbeddedError` and its kin."""
        self._before_start()
        self.started_at = datetime.now(UTC)
        self.child = Child(
            self.name,
            [sys.executable, str(_program()), self._command],
            log=self._settings.data_dir / "logs" / f"{self._command}.log",
            environment=environment(self._settings),
            stop_seconds=self._stop_seconds,
        )
        self.child.start()
        deadline = time.monotonic() + _READY_SECONDS
        while amiss := await self._health(self):
            self.child.require_running()
            if time.monotonic() >= deadline:
                raise DidNotStart(f"{self.name} was not healthy in time: {amiss}", self.child.last_lines())
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Let it finish what it does, then end it."""
        if self.child is not None:
            await self.child.stop()


def api_server(settings: Settings) -> OwnServer:
    """The API, healthy when `/readyz` says so."""

    async def health(_: OwnServer) -> str | None:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
                answer = await client.get(f"{settings.resolved_api_url}/readyz")
        except httpx.HTTPError as error:
            return f"it does not answer ({error or type(error).__name__})"
        return None if answer.status_code == 200 else f"/readyz answers {answer.status_code}: {answer.text}"

    def before_start() -> None:
        require_free(settings.api_port, host=settings.api_host, what="the API", flag="api-port")

    return OwnServer("API", "api", settings, health=health, stop_seconds=_API_STOP_SECONDS, before_start=before_start)


def worker_server(settings: Settings) -> OwnServer:
    """A worker, healthy when Temporal has seen it ask for tasks since it was started."""
    temporal = TemporalConnection(settings)

    async def health(server: OwnServer) -> str | None:
        try:
            found = await pollers(await temporal.client())
        except (RPCError, RuntimeError) as error:
            return f"Temporal does not answer ({error})"
        return (
            None if any(poller.last_seen >= server.started_at for poller in found) else "it asks Temporal for no tasks"
        )

    return OwnServer("Worker", "worker", settings, health=health, stop_seconds=_WORKER_STOP_SECONDS)


def environment(settings: Settings) -> Mapping[str, str]:
    """This process's environment with these settings; children get neither the owner's URL nor a client's key."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    kept_back = {"migration_database_url", "api_key", "platform_key"}
    found = {name: _text(value) for name, value in settings.model_dump(exclude=kept_back).items()}
    own = {f"HOLDFAST_{name.upper()}": value for name, value in found.items() if value is not None}
    return inherited | own | {"PYTHONUNBUFFERED": "1"}


def _text(value: object) -> str | None:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(_text(part) or "" for part in value)
    return None if value is None else str(value)


def _program() -> Path:
    program = Path(sys.executable).with_name("holdfast")
    if not program.exists():
        raise MissingBinary(f"{program} is missing: install Holdfast into this environment (`make dev` does)")
    return program
