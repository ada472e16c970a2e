"""Servers a benchmark measures against: a fresh Holdfast on free ports, and an HTTP endpoint that answers.

All of them run on loopback alone and end with the block that started them. What is measured stands in the programs
beside.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.cli.first_start import api_key
from app.cli.servers import api_server, environment
from app.db.migrate import migrate
from app.embedded.child import Child
from app.embedded.ports import LOOPBACK, free_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.temporal import EmbeddedTemporal
from app.settings import Settings

READY_SECONDS = 120.0
STOP_SECONDS = 60.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Holdfast:
    """A running Holdfast: its address, a key, and the seconds from its start to ready (None when it ran before)."""

    url: str
    key: str
    seconds_to_ready: float | None = None
    settings: Settings | None = None
    """Of the servers of `started_with`."""


@asynccontextmanager
async def started(data_dir: Path) -> AsyncIterator[Holdfast]:
    """`holdfast dev` on free ports with its data in `data_dir`; stopped in order at the end."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    environment |= {
        "HOLDFAST_DATA_DIR": str(data_dir),
        "HOLDFAST_API_PORT": str(port),
        "HOLDFAST_TEMPORAL_PORT": str(free_port()),
        "HOLDFAST_TEMPORAL_UI_PORT": str(free_port()),
        "HOLDFAST_EGRESS_ALLOW": "127.0.0.1",
    }
    process = Child(
        "holdfast dev",
        [sys.executable, str(Path(sys.executable).with_name("holdfast")), "dev"],
        log=data_dir.parent / f"{data_dir.name}.log",
        environment=environment,
        stop_seconds=STOP_SECONDS,
    )
    began = time.perf_counter()
    process.start()
    try:
        url = f"http://127.0.0.1:{port}"
        await until_ready(url, process)
        seconds = time.perf_counter() - began
        yield Holdfast(url, (data_dir / "api-key").read_text().strip(), seconds)
    finally:
        await process.stop()


@asynccontextmanager
async def started_with(data_dir: Path, worker: str) -> AsyncIterator[Holdfast]:
    """The servers of `holdfast dev` with another worker: the module of that name, run as a program."""
    settings = Settings(
        data_dir=data_dir,
        api_port=free_port(),
        temporal_port=free_port(),
        egress_allow=(LOOPBACK,),
        encryption_keys=(SecretStr(Fernet.generate_key().decode()),),
    )
    logs = data_dir / "logs"
    async with AsyncExitStack() as running:
        postgres = EmbeddedPostgres(data_dir)
        await postgres.start()
        running.push_async_callback(postgres.stop)
        await asyncio.to_thread(migrate, postgres.owner_url, postgres.app_url)
        settings = settings.model_copy(update={"database_url": postgres.app_url})
        temporal = EmbeddedTemporal(
            data_dir=data_dir, port=settings.temporal_port, ui_port=None, log=logs / "temporal.log"
        )
        await temporal.start()
        running.push_async_callback(temporal.stop)
        key = await api_key(settings)
        api = api_server(settings)
        await api.start()
        running.push_async_callback(api.stop)
        process = Child(
            "worker",
            [sys.executable, "-m", worker],
            log=logs / "worker.log",
            environment=environment(settings),
            stop_seconds=STOP_SECONDS,
        )
        process.start()
        running.push_async_callback(process.stop)
        yield Holdfast(settings.resolved_api_url, key, settings=settings)


async def until_ready(url: str, process: Child) -> None:
    """Until `/readyz` says so; the process must go on running."""
    deadline = time.monotonic() + READY_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while time.monotonic() < deadline:
            process.require_running()
            try:
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(_POLL_SECONDS)
    raise SystemExit(f"{url} was not ready after {READY_SECONDS:g} seconds:\n{process.last_lines()}")


@asynccontextmanager
async def endpoint_apart(log: Path) -> AsyncIterator[str]:
    """An `Endpoint` in a process of its own, so that its work is not its caller's; its URL."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.lone_endpoint", str(port)]
    process = Child("endpoint", command, log=log, stop_seconds=STOP_SECONDS)
    process.start()
    try:
        url = f"http://{LOOPBACK}:{port}"
        await until_ready(url, process)
        yield url
    finally:
        await process.stop()


class Endpoint:
    """An HTTP endpoint that answers `{"ok": true}` and counts the idempotency keys it saw."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Every path, every method."""
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        return web.json_response({"ok": True})


@asynccontextmanager
async def endpoint(port: int | None = None) -> AsyncIterator[Endpoint]:
    """An `Endpoint` on this loopback port, or on a free one."""
    served = Endpoint()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = port or free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    served.url = f"http://127.0.0.1:{port}"
    try:
        yield served
    finally:
        await runner.cleanup()
