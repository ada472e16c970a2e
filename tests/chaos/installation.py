"""A whole Holdfast as real processes, to be struck: the servers `holdfast dev` starts, here without their supervisor.

Every process is ended by its id. What is struck when is not known here.
"""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from app.cli.first_start import api_key, encryption_key
from app.cli.group import LOOPBACK_HOSTS
from app.cli.servers import Server, api_server, worker_server
from app.db.migrate import migrate
from app.embedded.errors import DidNotStart
from app.embedded.ports import free_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.temporal import EmbeddedTemporal
from app.settings import Settings

GONE_SECONDS = 20.0
_POLL_SECONDS = 0.02


class Installation:
    """PostgreSQL and Temporal with their data in `folder`, an API, and workers."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.settings = Settings(
            data_dir=folder,
            api_port=free_port(),
            temporal_port=free_port(),
            encryption_keys=(encryption_key(folder),),
            egress_allow=LOOPBACK_HOSTS,
        )
        self.key = ""
        self.postgres = EmbeddedPostgres(folder)
        self.temporal = EmbeddedTemporal(
            data_dir=folder, port=self.settings.temporal_port, ui_port=None, log=folder / "logs" / "temporal.log"
        )
        self.api: Server
        self.workers: list[Server] = []
        self._count = workers

    @property
    def servers(self) -> list[Server]:
        """All of it, in the order of their start."""
        return [self.postgres, self.temporal, self.api, *self.workers]

    async def start(self) -> None:
        """Everything up, with a workspace and its key. Raises `EmbeddedError`."""
        await asyncio.gather(self.postgres.start(), self.temporal.start())
        await asyncio.to_thread(migrate, self.postgres.owner_url, self.postgres.app_url)
        self.settings = self.settings.model_copy(update={"database_url": self.postgres.app_url})
        self.key = await api_key(self.settings)
        self.api = api_server(self.settings)
        self.workers = [worker_server(self.settings) for _ in range(self._count)]
        await asyncio.gather(self.api.start(), *(worker.start() for worker in self.workers))

    async def stop(self) -> None:
        """Everything down in order, whatever state it is in."""
        started = [server for server in (*self.workers, getattr(self, "api", None)) if server is not None]
        for server in started:
            if server.child is not None:
                server.child.signal(signal.SIGCONT)
        await asyncio.gather(*(server.stop() for server in started))
        await self.temporal.stop()
        await self.postgres.stop()

    async def kill(self, servers: Sequence[Server]) -> None:
        """SIGKILL to these and all of their processes, at one moment; returns when none of them is left.

        Raises `EmbeddedError` when one cannot be ended.
        """
        struck = [process for server in servers for process in _processes(server)]
        for process in struck:
            _kill(process)
        deadline = time.monotonic() + GONE_SECONDS
        while any(map(_running, servers)) or any(map(_alive, struck)):
            if time.monotonic() >= deadline:
                names = ", ".join(server.name for server in servers)
                raise DidNotStart(f"killed, and not gone after {GONE_SECONDS:g} seconds: {names}")
            await asyncio.sleep(_POLL_SECONDS)

    async def mend(self) -> None:
        """Start again whatever is down. Raises `EmbeddedError`."""
        await self.start_again([server for server in self.servers if server.child and not server.child.running])

    async def start_again(self, servers: Sequence[Server]) -> None:
        """All of these, at the same time; returns when they are healthy. Raises `EmbeddedError`."""
        await asyncio.gather(*(server.start() for server in servers))


def freeze(server: Server) -> None:
    """The process stands still until `thaw`; the kernel goes on taking what is sent to it."""
    assert server.child is not None
    server.child.signal(signal.SIGSTOP)


def thaw(server: Server) -> None:
    """It goes on where it stood."""
    assert server.child is not None
    server.child.signal(signal.SIGCONT)


def _processes(server: Server) -> list[psutil.Process]:
    """The server's process and its children. PostgreSQL's are sessions of their own and outlive it for a moment."""
    if server.child is None or server.child.pid is None:
        return []
    head = psutil.Process(server.child.pid)
    return [head, *head.children(recursive=True)]


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _running(server: Server) -> bool:
    """Whether the process has not been collected yet: a first thread that is a zombie may leave others with sockets."""
    return server.child is not None and server.child.running


def _alive(process: psutil.Process) -> bool:
    """Of a process that is no child of ours a zombie is all we may ever see: nobody else need collect it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
