"""The API as a server on a socket, for what cannot be seen in one process: streams, bodies that stop half way."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.conftest import TestWorkspace
from tests.support.served import served


@pytest.fixture
async def real_client(api_app: Any, workspace: TestWorkspace) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API over loopback, with the key of this test's workspace."""
    async with (
        served(api_app) as (host, port),
        httpx.AsyncClient(
            base_url=f"http://{host}:{port}", headers={"Authorization": f"Bearer {workspace.api_key}"}, timeout=30
        ) as client,
    ):
        yield client


@pytest.fixture
async def anybody(api_app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A browser: no key."""
    transport = httpx.ASGITransport(app=api_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test", timeout=60) as client:
        yield client
