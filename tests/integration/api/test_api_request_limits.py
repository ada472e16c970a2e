"""Requests out of measure: each is refused with a word about it, and none holds anything up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from api.main import create_app
from api.request_limits import RequestLimits
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import WAIT, a_workflow, made, problem
from tests.support.served import served
from tests.support.waiting import eventually

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def server(api_app: Any) -> AsyncIterator[tuple[str, int]]:
    """The API behind a socket, as the process serves it."""
    async with served(api_app) as address:
        yield address


async def test_an_address_has_a_length(api_client: httpx.AsyncClient) -> None:
    told = problem(await api_client.get("/v1/runs", params={"q": "x" * 17000}), 414, "address_too_long")
    assert "16,384" in told["detail"]
    problem(await api_client.get("/" + "x" * 17000), 414, "address_too_long")


async def test_headers_have_a_number_and_a_size(api_client: httpx.AsyncClient) -> None:
    many = {f"X-{number}": "x" for number in range(200)}
    problem(await api_client.get("/v1/workspace", headers=many), 431, "headers_too_large")
    problem(await api_client.get("/v1/workspace", headers={"X-Long": "x" * 40_000}), 431, "headers_too_large")


async def test_a_body_that_says_it_is_far_too_large_is_refused_before_it_comes(api_client: httpx.AsyncClient) -> None:
    taken = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"x"

    headers = {**JSON, "Content-Length": "1000000000"}
    answer = await api_client.post("/v1/workflows", content=chunks(), headers=headers)
    problem(answer, 413, "body_too_large")
    answer = await api_client.post("/v1/workflows", content=b"{}", headers={**JSON, "Content-Length": "9" * 30})
    assert answer.status_code < 500


@pytest.mark.parametrize("path", ["/v1/workflows", "/v1/events"])
async def test_a_body_that_does_not_come_is_not_waited_for(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("api.reading.BODY_SECONDS", 0.05)
    for_ever = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        await for_ever.wait()

    answer = await api_client.post(path, content=chunks(), headers=JSON)
    problem(answer, 408, "body_too_slow")
    assert answer.headers["connection"] == "close"


async def test_an_answer_that_does_not_come_is_not_waited_for(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("app.services.workspaces.get_workspace", stuck)
    monkeypatch.setattr("api.request_limits.LONGEST_SECONDS", 0.05)
    problem(await api_client.get("/v1/workspace"), 503, "request_timed_out")


async def test_a_time_out_of_the_inside_is_not_taken_for_that_of_the_request(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("app.services.workspaces.get_workspace", late)
    problem(await api_client.get("/v1/workspace"), 500, "internal_error")


async def test_an_answer_that_has_begun_may_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.request_limits.LONGEST_SECONDS", 0.01)

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"late"})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=RequestLimits(stream)), base_url="http://x") as one:
        assert (await one.get("/")).text == "late"


async def test_a_stream_has_a_place_that_comes_back(
    platform: Platform, workspace: TestWorkspace, worker: object
) -> None:
    settings = platform.settings.model_copy(update={"max_streams": 10})  # of which a key gets one
    app = create_app(replace(platform, settings=settings))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://holdfast.test",
        headers={"Authorization": f"Bearer {workspace.api_key}"},
        timeout=60,
    ) as client:
        workflow = await a_workflow(client, WAIT)
        await made(client, f"/v1/workflows/{workflow}/publish")
        run = await made(client, f"/v1/workflows/{workflow}/runs")
        path = f"/v1/runs/{run['id']}/stream"
        watching = asyncio.create_task(client.get(path))
        await eventually(lambda: app.state.streams.open == 1, what="the stream to begin")
        answer = await client.get(path)
        problem(answer, 429, "too_many_streams")
        assert int(answer.headers["retry-after"]) > 0
        await made(client, f"/v1/runs/{run['id']}/cancel")
        assert "event: done" in (await watching).text
        assert app.state.streams.open == 0
        assert (await client.get(path)).status_code == 200


# What never becomes a request


async def answered(address: tuple[str, int], *parts: bytes) -> bytes:
    """All a server says until it closes the connection."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_a_head_that_does_not_end_is_cut_off(server: tuple[str, int]) -> None:
    begun = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    said = await answered(server, begun, *[b"X-Long: " + b"x" * 8000 + b"\r\n"] * 40)
    assert said in (b"", said)
    assert not said.startswith(b"HTTP/1.1 200")
    said = await answered(server, b"GET /" + b"x" * 100_000, b"x" * 300_000)
    assert not said.startswith(b"HTTP/1.1 200")


async def test_a_head_that_comes_drop_by_drop_is_not_waited_for(
    server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.connections.HEAD_SECONDS", 0.1)
    assert (await answered(server, b"GET /healthz HT")).startswith(b"HTTP/1.1 408")
    assert await answered(server) == b"", "a connection over which nothing is asked is closed"
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    said = await answered(server, one, b"GET /hea")
    assert said.startswith(b"HTTP/1.1 200") or said.startswith(b"HTTP/1.1 503")
    assert b"HTTP/1.1 408" in said


async def test_requests_one_after_the_other_over_one_connection_are_answered(server: tuple[str, int]) -> None:
    async with httpx.AsyncClient(base_url=f"http://{server[0]}:{server[1]}") as client:
        for _ in range(3):
            assert (await client.get("/openapi.json")).status_code == 200
            problem(await client.get("/v1/workspace"), 401, "missing_api_key")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_the_connection_closed(server: tuple[str, int], nonsense: bytes) -> None:
    said = await answered(server, nonsense)
    assert said.startswith(b"HTTP/1.1 400")
    assert b"Traceback" not in said
