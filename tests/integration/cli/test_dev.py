"""`holdfast dev` as a person meets it: up, refused, healed, stopped, and up again with its runs."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.cli.exits import ExitCode
from app.embedded.ports import free_port
from app.json import JsonObject
from tests.support.cli import HOLDFAST, holdfast
from tests.support.waiting import eventually

SECONDS_TO_START = 90.0
SLOW = """
name: Slow
steps:
  - {id: before, type: transform, mapping: {n: 1}}
  - {id: pause, type: delay, duration: 3s}
output: {n: "{{ steps.before.output.n + 1 }}"}
"""


class Dev:
    """A data folder with ports of its own, and the `holdfast dev` that runs there, started when a test needs it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.ports = {name: str(free_port()) for name in ("--api-port", "--temporal-port", "--temporal-ui-port")}
        self.process: asyncio.subprocess.Process | None = None
        self.events: list[JsonObject] = []
        self.errors = b""
        self._reading: asyncio.Task[None] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """For commands in another terminal: the data folder says the rest."""
        return {"HOLDFAST_DATA_DIR": str(self.data_dir)}

    async def command(self, program: Path = HOLDFAST, **ports: str) -> asyncio.subprocess.Process:
        chosen = {**self.ports, **{f"--{name.replace('_', '-')}": port for name, port in ports.items()}}
        return await asyncio.create_subprocess_exec(
            str(program.with_name("python")),
            str(program),
            *("dev", "--json", "--data-dir", str(self.data_dir)),
            *(part for pair in chosen.items() for part in pair),
            env={name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def up(self) -> JsonObject:
        """Start it unless it runs; answers what it says when it is up."""
        if self.process is None or self.process.returncode is not None:
            self.events = []
            self.process = await self.command()
            self._reading = asyncio.ensure_future(self._read(self.process))
        await eventually(lambda: self.said("up") or (self._reading and self._reading.done()), within=SECONDS_TO_START)
        up = self.said("up")
        assert up is not None, f"it ended instead: {self.errors.decode()}"
        return up

    def said(self, event: str, part: str | None = None, *, after: str | None = None) -> JsonObject | None:
        """The last event of that kind, of that part; with `after`, only what came after the last of that kind."""
        events = [found for found in self.events if part is None or found.get("part") == part]
        kinds = [found["event"] for found in events]
        if after is not None:
            events = events[len(kinds) - kinds[::-1].index(after) :] if after in kinds else []
        return next((found for found in reversed(events) if found["event"] == event), None)

    async def interrupt(self) -> int:
        """What Ctrl-C does; answers the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return await self.ended()

    async def ended(self) -> int:
        assert self.process is not None
        assert self._reading is not None
        await asyncio.wait_for(self._reading, 60)
        return await self.process.wait()

    def child(self, name: str) -> psutil.Process:
        """One of its processes."""
        state = json.loads((self.data_dir / "dev.json").read_text())
        return psutil.Process(state["children"][name]["pid"])

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        async for line in process.stdout:
            self.events.append(json.loads(line))
        self.errors = await process.stderr.read()


async def refused(process: asyncio.subprocess.Process) -> tuple[int | None, JsonObject]:
    """The exit code and the error of a `dev` that does not start."""
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    lines = errors.decode().splitlines()
    assert len(lines) == 1, f"one clear line, not {lines}"
    found: JsonObject = json.loads(lines[0])["error"]
    return process.returncode, found


@pytest.fixture(scope="module")
async def dev(server_dir: Path) -> AsyncIterator[Dev]:
    started = Dev(server_dir / "dev data")
    yield started
    if started.process is not None and started.process.returncode is None:
        await started.interrupt()


async def test_it_says_where_everything_is_and_all_of_it_answers(dev: Dev) -> None:
    up = await dev.up()

    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {up['api_key']}"}) as client:
        assert (await client.get(up["docs_url"])).status_code == 200
        assert (await client.get(up["temporal_ui_url"])).status_code == 200
        assert (await client.get(f"{up['api_url']}/v1/workflows")).json()["items"] is not None
    assert (dev.data_dir / "api-key").read_text() == up["api_key"]
    for secret in ("api-key", "platform-key", "encryption-key", "temporal.db"):
        assert (dev.data_dir / secret).stat().st_mode & 0o077 == 0


async def test_its_processes_say_what_they_are(dev: Dev) -> None:
    await dev.up()

    assert "holdfast worker" in " ".join(dev.child("Worker").cmdline())
    assert "holdfast api" in " ".join(dev.child("API").cmdline())


async def test_a_second_one_in_the_same_folder_is_refused(dev: Dev) -> None:
    await dev.up()
    assert dev.process is not None

    code, error = await refused(await dev.command())

    assert code == ExitCode.REFUSED
    assert error["code"] == "already_running"
    assert str(dev.process.pid) in error["message"]
    assert "--data-dir" in error["message"]


async def test_a_killed_worker_is_said_and_started_again(dev: Dev) -> None:
    await dev.up()
    killed = dev.child("Worker")

    killed.kill()

    await eventually(lambda: dev.said("ready", "Worker", after="ended"), within=SECONDS_TO_START)
    assert "SIGKILL" in str(dev.said("ended", "Worker"))
    assert dev.child("Worker").pid != killed.pid


async def test_runs_under_way_go_on_after_a_restart(dev: Dev, tmp_path: Path) -> None:
    await dev.up()
    (tmp_path / "slow.yaml").write_text(SLOW)
    assert (await holdfast("apply", "-f", str(tmp_path / "slow.yaml"), environment=dev.environment)).code == ExitCode.OK
    run_id = (await holdfast("run", "slow", "--json", environment=dev.environment)).json()["id"]

    code = await dev.interrupt()
    stopped = [event["part"] for event in dev.events if event["event"] == "stopped"]
    await dev.up()
    watched = await holdfast("runs", "watch", run_id, "--json", environment=dev.environment)

    assert code == ExitCode.OK
    assert stopped == ["API", "Worker", "Temporal", "PostgreSQL"]
    assert watched.code == ExitCode.OK
    assert watched.json_lines()[-1]["data"]["output"] == {"n": 2}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to the one that starts it")
async def test_nothing_outlives_a_supervisor_that_is_killed(dev: Dev) -> None:
    await dev.up()
    assert dev.process is not None
    children = [dev.child(name) for name in ("API", "Worker", "Temporal", "PostgreSQL")]

    dev.process.kill()
    await dev.ended()

    await eventually(lambda: not any(alive(child) for child in children), within=60, what="every child has ended")


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("name", ["api_port", "temporal_port", "temporal_ui_port"])
async def test_a_port_in_use_is_one_line_that_names_the_port_and_the_flag(tmp_path: Path, name: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])

        code, error = await refused(await Dev(tmp_path / "data").command(**{name: port}))

    assert code == ExitCode.REFUSED
    assert f"port {port}" in error["message"]
    assert f"--{name.replace('_', '-')}" in error["message"]


async def test_a_missing_program_is_one_line_that_says_how_to_get_it(tmp_path: Path) -> None:
    """In an environment like ours, but without Temporal's program."""
    environment = tmp_path / "venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "lib").symlink_to(Path(sys.prefix) / "lib")
    (environment / "pyvenv.cfg").write_text((Path(sys.prefix) / "pyvenv.cfg").read_text())
    (environment / "bin/python").symlink_to(sys.executable)
    (environment / "bin/holdfast").symlink_to(HOLDFAST)

    code, error = await refused(await Dev(tmp_path / "data").command(environment / "bin/holdfast"))

    assert code == ExitCode.REFUSED
    assert "temporal is missing" in error["message"]
    assert "make clean dev" in error["message"]


async def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")

    code, error = await refused(await Dev(tmp_path / "data").command())

    assert code == ExitCode.REFUSED
    assert "--data-dir" in error["message"]
