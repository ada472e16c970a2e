"""PostgreSQL 18 from a wheel, on a Unix socket in a private folder, with its data in a folder of ours.

The programs are driven directly rather than through the package's own Python: its lock file is shared by all users of a
machine, it makes the folders above the data readable by everyone, and its server outlives a killed supervisor.
Whoever can reach the socket is trusted, so the socket stands in a folder only its owner can enter.
"""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from app.embedded.account import borrowed_account, hand_over, open_programs, open_way
from app.embedded.child import Child, end_process
from app.embedded.errors import DidNotStart, EmbeddedError
from app.embedded.programs import POSTGRES_VERSION, postgres_programs

OWNER_ROLE = "holdfast"
APP_ROLE = "holdfast_app"
DATABASE = "holdfast"

_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
# sun_path holds 108 bytes; the socket's own name and its lock's need a part of that.
_LONGEST_SOCKET_FOLDER = 80


class EmbeddedPostgres:
    """A server over `<data_dir>/postgres`. `start()` makes the data on first use, `migrate` the role of `app_url`."""

    name = "PostgreSQL"

    def __init__(self, data_dir: Path, *, log: Path | None = None, durable: bool = True) -> None:
        """`durable=False` trades safety after a power cut for speed: for tests alone."""
        self._folder = data_dir.absolute()
        self._data = self._folder / "postgres"
        self._log = log or self._folder / "logs" / "postgres.log"
        self._durable = durable
        self._account = borrowed_account(self._data)
        self._sockets: Path | None = None
        self.child: Child | None = None

    @property
    def owner_url(self) -> str:
        """libpq URL of the owner of the tables, for `migrate` alone."""
        return self._url(OWNER_ROLE, DATABASE)

    @property
    def app_url(self) -> str:
        """libpq URL of the role Holdfast works as."""
        return self._url(APP_ROLE, DATABASE)

    def _url(self, role: str, database: str) -> str:
        if self._sockets is None:
            raise RuntimeError("the embedded PostgreSQL has no address before it is started")
        return f"postgresql://{role}@/{database}?host={quote(str(self._sockets))}"

    async def start(self) -> None:
        """Start it, again with the same addresses, and wait until it takes connections. Raises `EmbeddedError`."""
        programs = postgres_programs()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            open_way(programs / "postgres", self._account)
            open_programs(programs.parent, self._account)
            open_way(self._data, self._account)
            await self._make_data(programs)
            _end_leftover(self._data)
            self._sockets = self._sockets or self._socket_folder()
        except PermissionError as error:
            raise EmbeddedError(
                f"{error.filename or self._data} belongs to another user: start as that user, or choose another folder "
                "with --data-dir"
            ) from error
        self.child = Child(
            self.name,
            [str(programs / "postgres"), "-D", str(self._data), *self._options()],
            log=self._log,
            user=self._account,
            directory=self._data,
            stop_signal=signal.SIGINT,  # "fast shutdown": ends connections, writes a checkpoint
            stop_seconds=_STOP_SECONDS,
        )
        self.child.start()
        await self._ready(self.child)

    async def stop(self) -> None:
        """Shut it down cleanly; connections still open are ended."""
        if self.child is not None:
            await self.child.stop()
        if self._sockets is not None and self._sockets != self._data:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None

    def _options(self) -> list[str]:
        folder = str(self._sockets).replace('"', '""')
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{folder}"',
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]

    def _socket_folder(self) -> Path:
        """The data folder itself, or a private one with a short path where that is too long for a socket's address."""
        if len(str(self._data).encode()) <= _LONGEST_SOCKET_FOLDER:
            return self._data
        folder = Path(tempfile.mkdtemp(prefix="holdfast-"))
        hand_over(folder, self._account)
        return folder

    async def _make_data(self, programs: Path) -> None:
        """Run initdb beside the final place and move it there: an interrupted first start leaves nothing half done."""
        version = self._data / "PG_VERSION"
        if version.exists():
            if (found := version.read_text().strip()) != POSTGRES_VERSION:
                raise EmbeddedError(
                    f"{self._data} was made by PostgreSQL {found}, this is PostgreSQL {POSTGRES_VERSION}: carry the "
                    "data over with pg_upgrade, or choose another folder with --data-dir"
                )
            return
        unfinished = self._folder / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        hand_over(unfinished, self._account)
        await self._run(
            [str(programs / "initdb"), "-D", str(unfinished), "-U", OWNER_ROLE, "--auth=trust", "--encoding=UTF8"]
            + ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            + ([] if self._durable else ["--no-sync"])
        )
        unfinished.rename(self._data)

    async def _run(self, command: Sequence[str]) -> None:
        uid, gid = self._account or (None, None)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            cwd=command[2],
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise DidNotStart(f"PostgreSQL could not make its data in {self._folder}", output.decode(errors="replace"))

    async def _ready(self, child: Child) -> None:
        """Wait for connections, and make our database if this is the first start."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            child.require_running()
            try:
                connection = await psycopg.AsyncConnection.connect(self._url(OWNER_ROLE, "postgres"), autocommit=True)
                break
            except psycopg.OperationalError as error:
                if time.monotonic() >= deadline:
                    raise DidNotStart(f"PostgreSQL was not ready in time: {error}", child.last_lines()) from error
                await asyncio.sleep(0.05)
        async with connection:
            found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if await found.fetchone() is None:
                await connection.execute(f"CREATE DATABASE {DATABASE}")


def _end_leftover(data: Path) -> None:
    """End a server that a killed supervisor left over our data, and forget one that is gone.

    PostgreSQL itself only asks whether any process has the recorded id, which after a restart of the machine may be one
    of many; so the name and the start time are compared here.
    """
    record = data / "postmaster.pid"
    try:
        lines = record.read_text().splitlines()
        pid, started = int(lines[0]), float(lines[2])
    except (FileNotFoundError, IndexError, ValueError):
        return
    try:
        process = psutil.Process(pid)
        ours = process.name() == "postgres" and abs(process.create_time() - started) < 60
    except psutil.NoSuchProcess:
        ours = False
    if ours:
        end_process(pid, signal.SIGINT, within=_STOP_SECONDS)
    record.unlink(missing_ok=True)
