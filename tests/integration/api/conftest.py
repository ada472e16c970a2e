"""The API as a server on a socket, for what cannot be seen in one process: streams, bodies that stop half way."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn

from tests.conftest import TestWorkspace
from tests.support.waiting import eventually


@pytest.fixture
async def real_client(api_app: Any, workspace: TestWorkspace) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API over loopback, with the key of this test's workspace."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(api_app, log_config=None, lifespan="off", timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await eventually(lambda: server.started, what="the server to start")
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
        headers={"Authorization": f"Bearer {workspace.api_key}"},
        timeout=30,
    ) as client:
        yield client
    server.should_exit = True
    await serving


@pytest.fixture
async def anybody(api_app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A browser: no key."""
    transport = httpx.ASGITransport(app=api_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test", timeout=60) as client:
        yield client
