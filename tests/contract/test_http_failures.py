"""What can go wrong with an HTTP call, each with its own error: answers, the network, the egress rule."""

import asyncio
import email.utils
import gzip
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from activities.base import ActionError
from app.catalog.errors import ErrorType
from app.security.egress import Destination, EgressPolicy
from tests.contract.conftest import OpenCaller
from tests.support.certificates import Certificates, make_certificates
from tests.support.http_stub import Answer, HttpStub
from tests.support.invocations import ActionCaller, connection_of


async def failure(call: ActionCaller, url: str, **inputs: object) -> ActionError:
    with pytest.raises(ActionError) as caught:
        await call("http.request", {"url": url, **inputs})
    return caught.value


@pytest.fixture
def closed_port() -> int:
    """A port of loopback nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def https_server(certificates: Certificates) -> AsyncIterator[int]:
    """The port of an HTTPS server on loopback that answers `{"ok": true}`."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


# The provider's answers


@pytest.mark.parametrize(
    ("status", "type", "retryable"),
    [
        (400, ErrorType.PROVIDER_REJECTED, False),
        (401, ErrorType.PROVIDER_AUTH, False),
        (403, ErrorType.PROVIDER_AUTH, False),
        (404, ErrorType.PROVIDER_REJECTED, False),
        (408, ErrorType.PROVIDER_UNAVAILABLE, True),
        (409, ErrorType.PROVIDER_REJECTED, False),
        (425, ErrorType.PROVIDER_UNAVAILABLE, True),
        (429, ErrorType.RATE_LIMITED, True),
        (500, ErrorType.PROVIDER_UNAVAILABLE, True),
        (501, ErrorType.PROVIDER_UNAVAILABLE, True),
        (503, ErrorType.PROVIDER_UNAVAILABLE, True),
    ],
)
async def test_a_status_says_whether_trying_again_helps(
    call: ActionCaller, http_stub: HttpStub, status: int, type: ErrorType, retryable: bool
) -> None:
    http_stub.answer("/x", Answer(status=status, body="because of this"))
    error = await failure(call, f"{http_stub.url}/x")
    assert (error.type, error.type.retryable, error.provider_code) == (type, retryable, str(status))
    assert f"answered {status}" in error.message
    assert "because of this" in error.message


async def test_the_message_names_the_url_without_secrets_and_the_beginning_of_the_answer(
    call: ActionCaller, http_stub: HttpStub
) -> None:
    http_stub.answer("/x", Answer(status=500, body="début\n" + "y" * 5000))
    address = http_stub.url.replace("http://", "http://ada:pass-word@")
    error = await failure(call, f"{address}/x?api_key=in-the-url", query={"token": "in-the-query"})
    assert f"GET {http_stub.url}/x answered 500" in error.message
    assert "début yyy" in error.message
    assert len(error.message) < 500
    for secret in ("pass-word", "in-the-url", "in-the-query"):
        assert secret not in error.message


async def test_a_provider_that_repeats_the_credentials_does_not_get_them_into_the_message(
    call: ActionCaller, http_stub: HttpStub
) -> None:
    http_stub.answer("/x", lambda asked: Answer(status=400, body=f"bad: {asked.headers['Authorization']}"))
    connection = connection_of("http", {"base_url": http_stub.url}, {"type": "bearer", "token": "secret-token"})
    with pytest.raises(ActionError, match=r"bad: Bearer \*\*\*"):
        await call("http.request", {"url": "/x"}, connection=connection)


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_in_seconds_is_passed_on(call: ActionCaller, http_stub: HttpStub, status: int) -> None:
    http_stub.answer("/x", Answer(status=status, headers={"Retry-After": "17"}))
    assert (await failure(call, f"{http_stub.url}/x")).retry_after == 17


async def test_retry_after_as_a_date_is_passed_on(call: ActionCaller, http_stub: HttpStub) -> None:
    later = email.utils.format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    http_stub.answer("/x", Answer(status=429, headers={"Retry-After": later}))
    retry_after = (await failure(call, f"{http_stub.url}/x")).retry_after
    assert retry_after is not None
    assert 100 < retry_after <= 120


@pytest.mark.parametrize(
    ("value", "expected"), [("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", None), ("-5", None), ("", None), ("٣", None)]
)
async def test_an_odd_retry_after_does_no_harm(
    call: ActionCaller, http_stub: HttpStub, value: str, expected: float | None
) -> None:
    http_stub.answer("/x", Answer(status=429, headers={"Retry-After": value}))
    assert (await failure(call, f"{http_stub.url}/x")).retry_after == expected


async def test_a_refusal_may_ask_for_a_pause_for_steps_that_are_tried_again_after_it(
    call: ActionCaller, http_stub: HttpStub
) -> None:
    http_stub.answer("/x", Answer(status=404, headers={"Retry-After": "17"}))
    error = await failure(call, f"{http_stub.url}/x")
    assert (error.type.retryable, error.retry_after) == (False, 17.0)


# Size and time


async def test_ten_megabytes_are_not_read(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/x", Answer(size=10 * 1024 * 1024))
    error = await failure(call, f"{http_stub.url}/x")
    assert error.type is ErrorType.RESPONSE_TOO_LARGE
    assert "262,144 bytes" in error.message


async def test_a_step_can_ask_for_less_but_not_for_more(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/small", Answer(size=1001))
    http_stub.answer("/large", Answer(size=300 * 1024))
    error = await failure(call, f"{http_stub.url}/small", max_response_bytes=1000)
    assert error.type is ErrorType.RESPONSE_TOO_LARGE
    error = await failure(call, f"{http_stub.url}/large", max_response_bytes=10_000_000)
    assert error.type is ErrorType.RESPONSE_TOO_LARGE


async def test_an_answer_of_exactly_the_limit_is_taken(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/x", Answer(size=1000, headers={"Content-Type": "text/plain"}))
    output = await call("http.request", {"url": f"{http_stub.url}/x", "max_response_bytes": 1000})
    assert len(output.body) == 1000


async def test_a_small_answer_that_unpacks_to_a_large_one_is_too_large(call: ActionCaller, http_stub: HttpStub) -> None:
    packed = gzip.compress(b"x" * 10_000_000)
    assert len(packed) < 20_000
    http_stub.answer("/x", Answer(body=packed, headers={"Content-Encoding": "gzip"}))
    assert (await failure(call, f"{http_stub.url}/x")).type is ErrorType.RESPONSE_TOO_LARGE


async def test_a_large_error_page_is_still_the_providers_error(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/x", Answer(status=500, size=10 * 1024 * 1024))
    assert (await failure(call, f"{http_stub.url}/x")).type is ErrorType.PROVIDER_UNAVAILABLE


async def test_a_provider_that_hangs_times_out(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/x", Answer(hang=True))
    error = await failure(call, f"{http_stub.url}/x", timeout="100ms")
    assert error.type is ErrorType.TIMEOUT
    assert error.type.retryable
    assert re.search(r"\b\d+\.\d s\b", error.message), error.message


@pytest.mark.parametrize("timeout", ["tomorrow", "0s"])
async def test_a_time_out_that_cannot_be_read_is_said(call: ActionCaller, http_stub: HttpStub, timeout: str) -> None:
    with pytest.raises((ActionError, ValueError), match=r"timeout|tomorrow"):
        await call("http.request", {"url": http_stub.url, "timeout": timeout})


# The network


async def test_a_provider_that_is_not_there_is_a_failed_connection(call: ActionCaller, closed_port: int) -> None:
    error = await failure(call, f"http://127.0.0.1:{closed_port}/")
    assert error.type is ErrorType.CONNECTION_FAILED
    assert error.type.retryable
    assert "refused" in error.message


async def test_a_connection_that_breaks_off_is_a_failed_connection(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/x", Answer(drop=True))
    error = await failure(call, f"{http_stub.url}/x", method="POST")
    assert error.type is ErrorType.CONNECTION_FAILED


async def test_what_is_no_http_is_a_failed_connection(call: ActionCaller) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        error = await failure(call, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert error.type is ErrorType.CONNECTION_FAILED


async def test_a_host_that_does_not_resolve_is_not_found(call: ActionCaller) -> None:
    error = await failure(call, "http://no-such-host.invalid/")
    assert error.type is ErrorType.HOST_NOT_FOUND
    assert "no-such-host.invalid" in error.message


async def test_a_certificate_nobody_trusts_is_refused(call: ActionCaller, certificates: Certificates) -> None:
    async with https_server(certificates) as port:
        error = await failure(call, f"https://127.0.0.1:{port}/")
    assert error.type is ErrorType.TLS_FAILED
    assert not error.type.retryable
    assert "not trusted" in error.message


async def test_a_certificate_of_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: ActionCaller
) -> None:
    certificates = make_certificates(tmp_path, names=("other.example",))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    async with https_server(certificates) as port:
        error = await failure(call, f"https://localhost:{port}/")
    assert error.type is ErrorType.TLS_FAILED


async def test_a_trusted_certificate_is_accepted(trusted_certificates: Certificates, call: ActionCaller) -> None:
    async with https_server(trusted_certificates) as port:
        output = await call("http.request", {"url": f"https://127.0.0.1:{port}/"})
    assert output.body == {"ok": True}


async def test_a_server_without_tls_is_said_to_have_none(call: ActionCaller, http_stub: HttpStub) -> None:
    error = await failure(call, http_stub.url.replace("http:", "https:"))
    assert error.type is ErrorType.TLS_FAILED


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com/contacts",
        "/contacts",
        "//api.example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "http://",
        "http:///path",
        "http://exa mple.com/",
        "http://[::1",
        "http://example.com:99999/",
        "http://a\r\nHost: b/",
        "javascript:alert(1)",
    ],
)
async def test_a_url_that_is_none_is_said(call: ActionCaller, url: str) -> None:
    error = await failure(call, url)
    assert error.type is ErrorType.INVALID_URL
    assert not error.type.retryable


# The egress rule


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.2",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:1]",
        "127。0。0。1",
    ],
)
async def test_a_call_to_a_private_address_is_refused(
    strict_call: ActionCaller, http_stub: HttpStub, host: str
) -> None:
    error = await failure(strict_call, f"http://{host}:{http_stub.port}/")
    assert error.type is ErrorType.EGRESS_BLOCKED
    assert not error.type.retryable
    assert "HOLDFAST_EGRESS_ALLOW" in error.message
    assert http_stub.requests == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.1", "0"])
async def test_an_odd_spelling_of_loopback_does_not_get_through(
    strict_call: ActionCaller, http_stub: HttpStub, host: str
) -> None:
    error = await failure(strict_call, f"http://{host}:{http_stub.port}/")
    assert error.type in (ErrorType.EGRESS_BLOCKED, ErrorType.INVALID_URL, ErrorType.HOST_NOT_FOUND)
    assert http_stub.requests == []


async def test_a_name_that_comes_to_mean_another_address_does_not_get_past_the_socket(
    strict_call: ActionCaller, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rebound(_: EgressPolicy, host: str, port: int) -> list[Destination]:
        return [Destination(socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr(EgressPolicy, "resolve", rebound)
    error = await failure(strict_call, f"http://rebinding.example:{http_stub.port}/")
    assert error.type is ErrorType.EGRESS_BLOCKED
    assert "rebinding.example" in error.message
    assert http_stub.requests == []


async def test_a_redirect_to_a_private_address_is_refused(open_caller: OpenCaller, http_stub: HttpStub) -> None:
    # Only the first host is allowed, by name; the address it redirects to is the very same server.
    call = open_caller("localhost")
    http_stub.answer("/x", Answer(status=302, headers={"Location": f"http://127.0.0.1:{http_stub.port}/secret"}))
    error = await failure(call, f"http://localhost:{http_stub.port}/x")
    assert error.type is ErrorType.EGRESS_BLOCKED
    assert len(http_stub.asked("/x")) == 1
    assert http_stub.asked("/secret") == []


async def test_a_redirect_to_another_scheme_is_not_followed(call: ActionCaller, http_stub: HttpStub) -> None:
    http_stub.answer("/x", Answer(status=302, headers={"Location": "file:///etc/passwd"}))
    error = await failure(call, f"{http_stub.url}/x")
    assert error.type is ErrorType.PROVIDER_REJECTED
    assert "file:///etc/passwd" in error.message


async def test_the_proxy_of_the_environment_is_not_used(
    call: ActionCaller, http_stub: HttpStub, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    assert (await call("http.request", {"url": http_stub.url})).status_code == 200
