"""The provider of the chaos suite: an HTTP server in this process that writes down every effect it is asked for.

It does what a provider that knows idempotency keys does, and keeps count of what it would have had to ignore. Who asks,
and what that means for the promises, is not known here.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from app.embedded.ports import LOOPBACK
from tests.chaos.plan import Cut

LONGEST_WORK_SECONDS = 0.04
"""What an effect takes at most before it is written down, and again at most before its answer leaves."""


@dataclass
class Arrival:
    """A request whose effect was done; moments are of the monotonic clock. `answered` is None while it is not."""

    key: str
    order: str
    effect: str
    at: float
    answer_lost: bool
    answered: float | None = None


@dataclass
class Ledger:
    """What was done, in order. `cut` says how the provider is away just now."""

    seed: int
    url: str = ""
    cut: Cut | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    turned_away: Counter[Cut] = field(default_factory=Counter)
    done: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Names of the effects done, by order."""
    keys: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"ledger {self.seed}")
        self._changed = asyncio.Condition()

    @property
    def effects(self) -> int:
        """Distinct keys."""
        return len(self.keys)

    async def reached(self, effects: int) -> None:
        """Until so many effects are done."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.effects >= effects)

    async def has(self, order: str, effects: set[str]) -> None:
        """Until all these effects of the order are done."""
        async with self._changed:
            await self._changed.wait_for(lambda: effects <= self.done[order])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """`POST /effects` with `{order, effect}` and the effect's key in `Idempotency-Key`."""
        body = await request.json()
        await self._work()
        cut = self.cut
        if cut in (Cut.REFUSED, Cut.UNAVAILABLE, Cut.BUSY):
            return self._turn_away(request, cut)
        key = request.headers.get("Idempotency-Key", "")
        lost = cut is Cut.ANSWER_LOST
        arrival = Arrival(key, body["order"], body["effect"], time.monotonic(), lost)
        await self._write_down(arrival)
        await self._work()
        if lost:
            return await _break_off(request)
        arrival.answered = time.monotonic()
        return web.json_response({"done": arrival.effect})

    def _turn_away(self, request: web.Request, cut: Cut) -> web.StreamResponse:
        self.turned_away[cut] += 1
        if cut is Cut.UNAVAILABLE:
            return web.Response(status=503)
        if cut is Cut.BUSY:
            return web.Response(status=429, headers={"Retry-After": "1"})
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _write_down(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        async with self._changed:
            self.keys.add(arrival.key)
            self.done[arrival.order].add(arrival.effect)
            self._changed.notify_all()

    async def _work(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, LONGEST_WORK_SECONDS))


async def _break_off(request: web.Request) -> web.StreamResponse:
    """Begin to answer, and go away in the middle of it."""
    response = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"done": ')
    assert request.transport is not None
    request.transport.abort()
    return response


class Provider:
    """The ledger behind a port that can be closed."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        application = web.Application()
        application.router.add_post("/effects", ledger.answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        self._site: web.TCPSite | None = None
        self._port = 0

    async def open(self) -> None:
        """Listen: on a free port the first time, on the same one from then on."""
        if self._runner.server is None:
            await self._runner.setup()
        self._site = web.TCPSite(self._runner, LOOPBACK, self._port)
        await self._site.start()
        self._port = self._runner.addresses[0][1]
        self.ledger.url = f"http://{LOOPBACK}:{self._port}/effects"

    async def close(self) -> None:
        """Listen no more; who is connected already is cut off with his next request."""
        if self._site is not None:
            await self._site.stop()
        self._site = None

    async def away(self, cut: Cut, seconds: float) -> None:
        """Be away for so long."""
        self.ledger.cut = cut
        try:
            if cut is Cut.REFUSED:
                await self.close()
            await asyncio.sleep(seconds)
        finally:
            self.ledger.cut = None
            if self._site is None:
                await self.open()

    async def end(self) -> None:
        """Close for good."""
        await self._runner.cleanup()


@asynccontextmanager
async def open_provider(seed: int) -> AsyncIterator[Provider]:
    """A provider on loopback, until the block ends."""
    provider = Provider(Ledger(seed))
    await provider.open()
    try:
        yield provider
    finally:
        await provider.end()
