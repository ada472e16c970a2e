"""A provider on loopback: records what it is asked and answers as told."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from app.json import Json


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    query_string: str = ""

    def json(self) -> Json:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer. `delay` in seconds comes first; `hang` never answers; `drop` closes the connection instead.

    `size` sends that many bytes in chunks, without a Content-Length unless `headers` has one.
    """

    status: int = 200
    json: Json = None
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hang: bool = False
    drop: bool = False
    size: int = 0


Responder = Callable[[Asked], Answer | Awaitable[Answer]]


class HttpStub:
    """`answer(path, ...)` queues answers for a path, of which the last stays; other paths answer `{"ok": true}`."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.url = ""
        self._answers: dict[str, deque[Answer | Responder]] = {}
        self._otherwise: Answer | Responder = Answer(json={"ok": True})
        self._closing = asyncio.Event()

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def answer(self, path: str, *answers: Answer | Responder) -> None:
        """Answers for the path in this order; the last one answers every further request."""
        self._answers[path] = deque(answers)

    def otherwise(self, responder: Responder) -> None:
        """What answers requests for paths that have no answers of their own."""
        self._otherwise = responder

    def asked(self, path: str) -> list[Asked]:
        """The requests for one path, in order."""
        return [request for request in self.requests if request.path == path]

    def effects(self, run_id: object) -> Counter[str]:
        """How often each effect of the run was asked for, by its key without the run's id, in order."""
        keys = [request.headers.get("Idempotency-Key", "") for request in self.requests]
        return Counter(key.removeprefix(f"{run_id}/") for key in keys if key.startswith(f"{run_id}/"))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(
            request.method,
            request.path,
            dict(request.query),
            request.headers.copy(),
            await request.read(),
            request.rel_url.raw_query_string,
        )
        self.requests.append(asked)
        answer = await self._next(asked)
        if answer.delay or answer.hang:
            await self._pause(None if answer.hang else answer.delay)
        if answer.drop or answer.hang:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if answer.size:
            return await _stream(request, answer)
        if answer.json is not None:
            return web.json_response(answer.json, status=answer.status, headers=answer.headers)
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        return web.Response(status=answer.status, body=body, headers=answer.headers)

    async def _next(self, asked: Asked) -> Answer:
        queue = self._answers.get(asked.path) or [self._otherwise]
        answer = queue.popleft() if isinstance(queue, deque) and len(queue) > 1 else queue[0]
        if isinstance(answer, Answer):
            return answer
        made = answer(asked)
        return made if isinstance(made, Answer) else await made

    async def _pause(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def close(self) -> None:
        """Let go of requests that hang."""
        self._closing.set()


async def _stream(request: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    await response.prepare(request)
    chunk = b"x" * 65536
    for start in range(0, answer.size, len(chunk)):
        try:
            await response.write(chunk[: min(len(chunk), answer.size - start)])
        except ConnectionError:
            break
    return response


@asynccontextmanager
async def open_http_stub() -> AsyncIterator[HttpStub]:
    """A stub on a free port of 127.0.0.1."""
    stub = HttpStub()
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{tail:.*}", stub.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stub.url = f"http://{host}:{port}"
    try:
        yield stub
    finally:
        stub.close()
        await runner.cleanup()
