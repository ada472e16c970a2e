"""An application behind a socket of this process, with the options the API's own process has."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from api.connections import SERVER_OPTIONS
from tests.support.waiting import eventually


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[tuple[str, int]]:
    """Host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", timeout_graceful_shutdown=1, **SERVER_OPTIONS)
        running = uvicorn.Server(config)
        # Whoever runs this decides about signals.
        serving = asyncio.create_task(running._serve(sockets=[listener]))
        try:
            await eventually(lambda: running.started, what="the server to start")
            yield listener.getsockname()
        finally:
            running.should_exit = True
            await serving
