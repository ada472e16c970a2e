"""`holdfast demo` as people run it: from nothing, beside a running `dev`, and when something is wrong."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.cli.client import open_api
from app.cli.exits import ExitCode
from app.cli.state import running_group
from app.embedded.ports import free_port
from app.json import JsonObject

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
    assert is_down(data_dir)


async def test_beside_a_dev_that_runs_the_demo_uses_it_and_leaves_it_up(data_dir: Path) -> None:
    async with dev(data_dir) as running:
        await plays(data_dir)
        await plays(data_dir)
        await says_what_the_api_refuses(data_dir)
        await says_that_it_has_no_key(data_dir)
        assert running.returncode is None
        assert not is_down(data_dir)


async def plays(data_dir: Path) -> None:
    code, output = await demo(data_dir)
    assert code == 0, output
    assert "it stays up" in output
    assert "Subject: Welcome, Noor" in output
    assert output.index("let_it_settle") < output.index("stage_changed") < output.index("whole run")
    assert "/namespaces/default/workflows/run-" in output


async def says_what_the_api_refuses(data_dir: Path) -> None:
    with open_api(data_dir=data_dir) as api:
        api.patch("/v1/workspace", {"settings": {"max_steps": 1}})
        code, output = await demo(data_dir)
        [workflow] = api.items("/v1/workflows")
    assert code == ExitCode.REFUSED, output
    assert "steps" in output
    assert workflow["status"] == "paused"


async def says_that_it_has_no_key(data_dir: Path) -> None:
    group = running_group(data_dir)
    assert group is not None
    code, output = await demo(data_dir.with_name("elsewhere"), HOLDFAST_API_URL=group.api_url)
    assert code == ExitCode.NOT_ALLOWED, output
    assert "no API key" in output
