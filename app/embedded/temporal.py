"""Temporal with its UI from a wheel: the development server over a SQLite file, tuned so that a step does not wait.

Stock settings make each step wait for a queue poll, a short timer take a second, and the file wait for the disk at
every write; the flags below take those waits away.
"""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from app.embedded.child import Child
from app.embedded.errors import DidNotStart
from app.embedded.ports import LOOPBACK, require_free
from app.embedded.programs import temporal_program
from app.temporal import names
from app.temporal.connect import CONNECT_TIMEOUT
from app.temporal.setup import missing_search_attributes

_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0

_SQLITE_PRAGMAS = ("journal_mode=wal", "synchronous=normal")
_DYNAMIC_CONFIG = (
    "history.transferProcessorMaxPollRPS=5000",
    "history.timerProcessorMaxPollRPS=5000",
    'history.timerProcessorMaxTimeShift="1ms"',
    # The work of one tenant cannot hold up the rest.
    "matching.enableFairness=true",
)


class EmbeddedTemporal:
    """A Temporal server on loopback. Without `data_dir` it keeps everything in memory."""

    name = "Temporal"

    def __init__(
        self,
        *,
        data_dir: Path | None,
        port: int,
        ui_port: int | None,
        log: Path,
        namespace: str = "default",
        codec_endpoint: str | None = None,
        dynamic_config: Sequence[str] = (),
    ) -> None:
        """`ui_port` None starts it without its UI, which asks `codec_endpoint` for readable payloads; `dynamic_config`
        has further settings, as `key=JSON`."""
        self._database = data_dir.absolute() / "temporal.db" if data_dir else None
        self._port = port
        self._ui_port = ui_port
        self._codec_endpoint = codec_endpoint
        self._log = log
        self._namespace = namespace
        self._dynamic_config = (*_DYNAMIC_CONFIG, *dynamic_config)
        self.child: Child | None = None

    @property
    def address(self) -> str:
        """host:port of the frontend."""
        return f"{LOOPBACK}:{self._port}"

    async def start(self) -> None:
        """Start it and wait until it serves our namespace and search attributes. Raises `EmbeddedError` and its kin."""
        program = temporal_program()
        require_free(self._port, what="Temporal", flag="temporal-port")
        if self._ui_port:
            require_free(self._ui_port, what="Temporal's UI", flag="temporal-ui-port")
        if self._database:
            self._database.parent.mkdir(parents=True, exist_ok=True)
        self.child = Child(
            self.name,
            [str(program), *self._arguments()],
            log=self._log,
            environment={k: v for k, v in os.environ.items() if not k.startswith("TEMPORAL_")},
            stop_signal=signal.SIGTERM,
            stop_seconds=_STOP_SECONDS,
        )
        self.child.start()
        await self._ready(self.child)

    async def stop(self) -> None:
        """Shut it down; what is in flight stays in the file."""
        if self.child is not None:
            await self.child.stop()

    def _arguments(self) -> list[str]:
        arguments = ["server", "start-dev", "--ip", LOOPBACK, "--port", str(self._port), "--log-level", "warn"]
        arguments += ["--namespace", self._namespace, "--disable-config-file", "--disable-config-env"]
        arguments += ["--ui-port", str(self._ui_port), "--ui-disable-news-fetch"] if self._ui_port else ["--headless"]
        if self._ui_port and self._codec_endpoint:
            arguments += ["--ui-codec-endpoint", self._codec_endpoint]
        if self._database:
            arguments += ["--db-filename", str(self._database)]
            arguments += _repeated("--sqlite-pragma", _SQLITE_PRAGMAS)
        arguments += _repeated("--dynamic-config-value", self._dynamic_config)
        arguments += _repeated("--search-attribute", [f"{key.name}=Keyword" for key in names.SEARCH_ATTRIBUTES])
        return arguments

    async def _ready(self, child: Child) -> None:
        """The port opens before namespace and search attributes are known, so those are what is asked for."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            child.require_running()
            try:
                client = await Client.connect(self.address, namespace=self._namespace, connect_timeout=CONNECT_TIMEOUT)
                if not await missing_search_attributes(client):
                    return
                amiss: Exception | None = None
            except (RPCError, RuntimeError) as error:
                amiss = error
            if time.monotonic() >= deadline:
                raise DidNotStart("Temporal was not ready in time", child.last_lines()) from amiss
            await asyncio.sleep(0.05)


def _repeated(flag: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]
