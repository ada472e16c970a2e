"""What contract tests share: the HTTP client, once as an installation that allows loopback has it and once strict."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from activities import email, http, webhook  # noqa: F401  (importing registers their actions)
from activities.http_client import HttpClient
from app.settings import Settings
from tests.support.certificates import Certificates, make_certificates
from tests.support.invocations import ActionCaller
from tests.support.outgoing import Installation, installations

LOOPBACK = ("127.0.0.0/8", "::1")
OpenCaller = Callable[..., ActionCaller]


@pytest.fixture
async def open_caller() -> AsyncIterator[OpenCaller]:
    """`open_caller("name", "10.0.0.0/8")` calls actions with this allow-list."""
    clients: list[HttpClient] = []

    def open_one(*allow: str) -> ActionCaller:
        settings = Settings(egress_allow=allow, max_response_bytes=256 * 1024)
        clients.append(HttpClient(settings))
        return ActionCaller(clients[-1], settings)

    yield open_one
    for client in clients:
        await client.close()


@pytest.fixture
def call(open_caller: OpenCaller) -> ActionCaller:
    """Calls actions. Loopback is allowed by address, so that what names resolve to is checked."""
    return open_caller(*LOOPBACK)


@pytest.fixture
def strict_call(open_caller: OpenCaller) -> ActionCaller:
    """Calls actions; nothing is on the allow-list."""
    return open_caller()


@pytest.fixture
async def installation() -> AsyncIterator[Installation]:
    """`installation(allow=("127.0.0.1",), names={...}, hosts=["a.example"])` calls actions under these rules."""
    async with installations() as made:
        yield made


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """A server's certificate signed by an authority that is not trusted."""
    return make_certificates(tmp_path)


@pytest.fixture
def trusted_certificates(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    """The same, and its authority in the trust store of clients opened from now on."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    return certificates
