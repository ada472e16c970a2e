"""What is only seen over a socket: clients that send too much, and clients that leave half way."""

import asyncio
from collections.abc import AsyncIterator

import httpx

from tests.integration.api.calls import SET_ONE, a_workflow, problem

JSON = {"Content-Type": "application/json"}


async def test_a_client_that_sends_too_much_sees_the_answer(real_client: httpx.AsyncClient) -> None:
    answer = await real_client.post("/v1/workflows", content=b'"' + b"x" * 5_000_000, headers=JSON)
    problem(answer, 413, "body_too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield b"x" * 100_000

    problem(await real_client.post("/v1/events", content=chunks(), headers=JSON), 413, "body_too_large")


async def test_a_client_that_leaves_while_it_sends_harms_nobody(real_client: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection(real_client.base_url.host, real_client.base_url.port)
    key = real_client.headers["Authorization"]
    head = f"POST /v1/workflows HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + b'{"name": "x"')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""
    await a_workflow(real_client, SET_ONE)
    assert len((await real_client.get("/v1/workflows")).json()["items"]) == 1


async def test_a_client_without_a_key_is_told_before_it_sends(real_client: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection(real_client.base_url.host, real_client.base_url.port)
    writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n")
    await writer.drain()
    assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 401")
    writer.close()
