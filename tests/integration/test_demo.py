"""`holdfast demo` as people run it: from nothing, beside a running `dev`, and when something is wrong."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.embedded.ports import free_port
from app.json import JsonObject
from tests.support.waiting import eventually

HOLDFAST = Path(sys.executable).with_name("holdfast")
DEMO_SECONDS = 150

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not pytest's own temporary folder: that is closed to the account of PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


async def start(data_dir: Path, *arguments: str, **settings: str) -> Process:
    """A `holdfast` process with its servers on free ports."""
    ports = {f"HOLDFAST_{name}_PORT": str(free_port()) for name in ("API", "TEMPORAL", "TEMPORAL_UI")}
    environment = {**os.environ, **ports, **settings, "HOLDFAST_DATA_DIR": str(data_dir), "COLUMNS": "200"}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(HOLDFAST), *arguments, env=environment, stdout=PIPE, stderr=STDOUT
    )


async def demo(data_dir: Path, *arguments: str, **settings: str) -> tuple[int | None, str]:
    """Exit code and what was printed."""
    process = await start(data_dir, "demo", *arguments, **settings)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), DEMO_SECONDS)
    finally:
        await end(process)
    return process.returncode, output.decode()


async def end(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 60)


@asynccontextmanager
async def dev(data_dir: Path) -> AsyncIterator[Process]:
    """A `holdfast dev` that is up."""
    process = await start(data_dir, "dev", "--json")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEMO_SECONDS):
            while b'"up"' not in await process.stdout.readline():
                assert process.returncode is None, "holdfast dev ended"
        yield process
    finally:
        await end(process)


def events(output: str) -> list[JsonObject]:
    return [json.loads(line) for line in output.splitlines()]


def is_down(data_dir: Path) -> bool:
    return not (data_dir / "dev.json").exists()


async def test_the_demo_plays_from_nothing_and_stops_what_it_started(data_dir: Path) -> None:
    code, output = await demo(data_dir, "--json")
    assert code == 0, output
    told = events(output)
    end = next(each for each in told if each["event"] == "end")
    assert [check for check in end["checks"] if not check["held"]] == []
    assert [each["to"] for each in told if each["event"] == "mail"] == [["noor.devries@example.net"]] * 2
    statuses = {(each["data"]["step_id"], each["data"]["status"]) for each in told if each["event"] == "step"}
    assert {("let_it_settle", "waiting"), ("stage_changed", "waiting"), ("next_step", "completed")} <= statuses
    assert is_down(data_dir)


async def test_the_demo_plays_again_beside_a_dev_that_runs_and_leaves_it_up(data_dir: Path) -> None:
    async with dev(data_dir) as running:
        for _ in range(2):
            code, output = await demo(data_dir)
            assert code == 0, output
            assert "it stays up" in output
            assert "Subject: Welcome, Noor" in output
            assert output.index("let_it_settle") < output.index("stage_changed") < output.index("whole run")
            assert "/namespaces/default/workflows/run-" in output
        assert running.returncode is None
        assert not is_down(data_dir)


async def test_a_demo_whose_steps_cannot_do_their_work_says_which_and_fails(data_dir: Path) -> None:
    code, output = await demo(data_dir, HOLDFAST_EGRESS_ALLOW="192.0.2.1")
    assert code == 1, output
    assert "✗ the run completed" in output
    assert "✗ two messages were caught" in output
    assert "egress_blocked" in output
    assert is_down(data_dir)


async def test_a_demo_that_is_interrupted_stops_what_it_started(data_dir: Path) -> None:
    process = await start(data_dir, "demo", "--json")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEMO_SECONDS):
            while b'"waiting"' not in await process.stdout.readline():
                assert process.returncode is None, "the demo ended"
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 60)
    finally:
        await end(process)
    assert process.returncode == 130
    await eventually(lambda: is_down(data_dir), what="the servers to be stopped")


async def test_a_demo_without_a_key_for_the_api_it_is_pointed_at_says_so(data_dir: Path) -> None:
    async with dev(data_dir):
        api_url = json.loads((data_dir / "dev.json").read_text())["api_url"]
        elsewhere: Sequence[str] = ("demo", "--data-dir", str(data_dir.with_name("elsewhere")))
        process = await start(data_dir, *elsewhere, HOLDFAST_API_URL=api_url)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 6, output
    assert "no API key" in output.decode()
