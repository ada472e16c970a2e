"""One process of ours: started in its own session, tied to this process, its output in a log file, ended in order.

What the process is and when it is ready is not known here.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import psutil

from app.embedded.errors import DidNotStart

LOG_TAIL_LINES = 15
_POLL_SECONDS = 0.05
_LOG_BYTES = 10 * 1024 * 1024


class Child:
    """A process and how to stop it. Its own session keeps a terminal's Ctrl-C away: the supervisor decides when."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: tuple[int, int] | None = None,
        directory: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 10.0,
    ) -> None:
        """`user` is (uid, gid) to run as; after `stop_seconds` without an end, stopping becomes killing."""
        self.name = name
        self.log = log
        self._command = [*_leash(stop_signal, user), *command]
        self._environment = dict(os.environ if environment is None else environment)
        self._directory = directory
        self._stop_signal = stop_signal
        self._stop_seconds = stop_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended: its exit code, or minus the signal; None while it runs or was never started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, from the main thread: the kernel ties a child to the thread that made it, not to the process."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as output:
            self._log_start = os.fstat(output.fileno()).st_size
            self._process = self._spawn(output)

    def _spawn(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own command, never a shell's
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self._directory,
            start_new_session=True,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self._process is not None:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End it: its stop signal first, after `stop_seconds` a kill. Does nothing when it already ended."""
        self.signal(self._stop_signal)
        if not await self.ended(within=self._stop_seconds):
            self.kill()
            await self.ended(within=5.0)

    def kill(self) -> None:
        """End it at once, and everything it started in its session."""
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def ended(self, *, within: float) -> bool:
        """Wait until it ended; False when `within` seconds were not enough."""
        deadline = time.monotonic() + within
        while self.running:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def require_running(self) -> None:
        """Raise `DidNotStart` with its last words when it has ended."""
        if not self.running:
            raise DidNotStart(f"{self.name} ended before it was ready ({self.ending()})", self.last_lines())

    def ending(self) -> str:
        """How it ended, for people: `exit code 1`, `killed by SIGKILL`."""
        code = self.exit_code
        if code is None:
            return "still running"
        return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"

    def last_lines(self, count: int = LOG_TAIL_LINES) -> str:
        """The end of what it wrote since it was started last."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_start, os.fstat(file.fileno()).st_size - 64 * 1024))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
        except OSError:
            return ""


def _leash(stop_signal: signal.Signals, user: tuple[int, int] | None) -> list[str]:
    script = str(Path(__file__).with_name("leash.py"))
    account = f"{user[0]}:{user[1]}" if user else "-"
    return [sys.executable, "-I", "-S", script, str(os.getpid()), str(int(stop_signal)), account]


def end_process(pid: int, number: signal.Signals, *, within: float) -> None:
    """End a process that is no child of ours: the signal, then after `within` seconds a kill."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.send_signal(number)
        deadline = time.monotonic() + within
        # A zombie has ended; whether its parent ever collects it is no concern of ours.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() >= deadline:
                process.kill()
                return
            time.sleep(_POLL_SECONDS)
