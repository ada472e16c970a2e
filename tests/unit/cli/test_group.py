"""Keeping processes alive: what ends is started again, what keeps ending is given up."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from app.cli import group as group_module
from app.cli.group import Group
from app.embedded.child import Child
from app.embedded.errors import DidNotStart, PortInUse
from app.settings import Settings
from tests.support.waiting import eventually


class Told:
    """A report that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def starting(self, name: str) -> None:
        self.lines.append(f"starting {name}")

    def ready(self, name: str, seconds: float) -> None:
        self.lines.append(f"ready {name}")

    def ended(self, name: str, how: str, again_in: float, log: Path) -> None:
        self.lines.append(f"ended {name}: {how}, again in {again_in:g}")

    def stopping(self, name: str) -> None:
        self.lines.append(f"stopping {name}")

    def stopped(self, name: str, seconds: float) -> None:
        self.lines.append(f"stopped {name}")

    def note(self, message: str) -> None:
        self.lines.append(message)


class Program:
    """A server that is one small Python program."""

    def __init__(self, name: str, source: str, log: Path) -> None:
        self.name = name
        self.child: Child | None = None
        self.refusals: list[Exception] = []
        self._source = source
        self._log = log

    async def start(self) -> None:
        if self.child is not None and self.refusals:
            raise self.refusals.pop()
        self.child = Child(self.name, [sys.executable, "-c", self._source], log=self._log)
        self.child.start()

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop()


SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def group(tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> Group:
    monkeypatch.setattr(group_module, "_FIRST_PAUSE_SECONDS", 0.01)
    return Group(Settings(data_dir=tmp_path), told)


async def test_a_process_that_ends_is_said_and_started_again(group: Group, told: Told, tmp_path: Path) -> None:
    program = Program("Worker", SLEEP, tmp_path / "log")
    await group._start(program)
    watching = asyncio.ensure_future(group.watch())
    try:
        assert program.child is not None
        first = program.child.pid
        program.child.kill()

        await eventually(lambda: program.child and program.child.pid not in (None, first))
        assert "ended Worker: killed by SIGKILL, again in 0.01" in told.lines
        await eventually(lambda: told.lines.count("ready Worker") == 2)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await group.stop()


async def test_a_process_that_keeps_ending_is_given_up_with_its_last_lines(
    group: Group, told: Told, tmp_path: Path
) -> None:
    await group._start(Program("API", "print('no such thing'); raise SystemExit(3)", tmp_path / "log"))

    with pytest.raises(DidNotStart, match=r"API ended 5 times in a row \(exit code 3\)") as given_up:
        await group.watch()

    assert "no such thing" in given_up.value.log
    assert [line for line in told.lines if line.startswith("ended")] == [
        f"ended API: exit code 3, again in {pause}" for pause in ("0.01", "0.02", "0.04", "0.08")
    ]


async def test_a_start_that_is_refused_is_said_and_tried_again(group: Group, told: Told, tmp_path: Path) -> None:
    program = Program("API", SLEEP, tmp_path / "log")
    program.refusals = [PortInUse("port 8000 is in use")]
    await group._start(program)
    watching = asyncio.ensure_future(group.watch())
    try:
        assert program.child is not None
        program.child.kill()

        await eventually(lambda: told.lines.count("ready API") == 2)
        assert "port 8000 is in use" in told.lines
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await group.stop()


async def test_parts_are_stopped_the_last_needed_first(group: Group, told: Told, tmp_path: Path) -> None:
    for name in ("PostgreSQL", "Worker", "Temporal", "API"):
        await group._start(Program(name, SLEEP, tmp_path / name))

    await group.stop()

    stops = [line for line in told.lines if line.startswith("stop")]
    assert stops == [
        f"{word} {n}" for n in ("API", "Worker", "Temporal", "PostgreSQL") for word in ("stopping", "stopped")
    ]
