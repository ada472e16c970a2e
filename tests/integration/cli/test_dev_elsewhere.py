"""`holdfast dev` with a PostgreSQL and a Temporal that are somebody else's."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from app.cli.exits import ExitCode
from app.embedded.ports import free_port
from app.json import JsonObject
from app.settings import Settings
from tests.support.cli import HOLDFAST

AWAY = "postgresql://nobody@127.0.0.1:{port}/holdfast"


async def start(data_dir: Path, environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(HOLDFAST),
        *("dev", "--json", "--data-dir", str(data_dir), "--api-port", str(free_port())),
        *("--temporal-port", str(free_port()), "--temporal-ui-port", str(free_port())),
        env={name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_servers_that_are_given_are_used_and_none_of_its_own_started(settings: Settings, tmp_path: Path) -> None:
    environment = {
        "HOLDFAST_DATABASE_URL": str(settings.database_url),
        "HOLDFAST_TEMPORAL_ADDRESS": settings.resolved_temporal_address,
        # A namespace of its own: the session's worker asks for tasks in the other one.
        "HOLDFAST_TEMPORAL_NAMESPACE": f"dev-{uuid4().hex[:8]}",
    }
    process = await start(tmp_path / "data", environment)
    assert process.stdout is not None
    events: list[JsonObject] = []
    async for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "up":
            process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    errors = await process.stderr.read()

    assert await process.wait() == ExitCode.OK, errors.decode()
    parts = {event["part"] for event in events if event["event"] == "ready"}
    assert parts == {"API", "Worker"}
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("HOLDFAST_DATABASE_URL", AWAY),
        ("HOLDFAST_TEMPORAL_ADDRESS", "127.0.0.1:{port}"),
    ],
)
async def test_a_server_that_cannot_be_used_is_one_line_that_names_its_setting(
    settings: Settings, tmp_path: Path, name: str, address: str
) -> None:
    environment = {
        "HOLDFAST_DATABASE_URL": str(settings.database_url),
        "HOLDFAST_TEMPORAL_ADDRESS": settings.resolved_temporal_address,
    }
    process = await start(tmp_path / "data", environment | {name: address.format(port=free_port())})
    _, errors = await asyncio.wait_for(process.communicate(), 60)

    [line] = errors.decode().splitlines()
    assert process.returncode == ExitCode.REFUSED
    assert f"check {name}" in json.loads(line)["error"]["message"]
