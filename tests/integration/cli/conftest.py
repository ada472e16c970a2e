"""A running API for the command line, and the command line with a workspace's key."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import uvicorn

from app.embedded.ports import free_port
from tests.support.cli import Ended, holdfast
from tests.support.waiting import eventually


class Cli(Protocol):
    """Run one command as a person would: `await cli("runs", "list", "--json")`."""

    async def __call__(self, *arguments: str, stdin: str = "") -> Ended: ...


@pytest.fixture(scope="session")
async def api_url(api_app: Any) -> AsyncIterator[str]:
    """Address of the session's API, served over a real socket."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(api_app, port=port, log_config=None, lifespan="off"))
    serving = asyncio.ensure_future(server.serve())
    await eventually(lambda: server.started, what="the API is up")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture
def cli(api_url: str, workspace: Any, tmp_path: Path) -> Cli:
    """The command line with this test's workspace."""
    environment = {
        "HOLDFAST_API_URL": api_url,
        "HOLDFAST_API_KEY": workspace.api_key,
        "HOLDFAST_DATA_DIR": str(tmp_path / "data"),
    }

    async def call(*arguments: str, stdin: str = "") -> Ended:
        return await holdfast(*arguments, environment=environment, stdin=stdin)

    return call
