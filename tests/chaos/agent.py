"""Carries out the strikes as they fall due, and notes when each was done and when everything was up again."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.cli.servers import Server
from tests.chaos.installation import Installation, freeze, thaw
from tests.chaos.ledger import Provider
from tests.chaos.plan import Strike, Target

PATIENCE = 15.0
"""Seconds without the effects it follows on, after which a strike is carried out all the same."""


@dataclass(frozen=True)
class Struck:
    """A strike that was carried out; moments are of the monotonic clock.

    At `let_up` what was killed was begun to be started again, or the freeze or cut ended; from `healthy` on all is up.
    """

    strike: Strike
    at: float
    let_up: float
    healthy: float


class Agent:
    """Strikes an installation and a provider."""

    def __init__(self, installation: Installation, provider: Provider, *, tell: Callable[[Struck], None]) -> None:
        self._installation = installation
        self._provider = provider
        self._tell = tell
        self._workers = itertools.cycle(installation.workers)
        self._changed = asyncio.Condition()
        self.struck: list[Struck] = []

    async def run(self, strikes: Sequence[Strike]) -> None:
        """All of them, in order. Raises `EmbeddedError` when something cannot be started again."""
        ledger = self._provider.ledger
        for strike in strikes:
            with suppress(TimeoutError):
                await asyncio.wait_for(ledger.reached(ledger.effects + strike.more_effects), PATIENCE)
            await asyncio.sleep(strike.delay)
            struck = await self._carry_out(strike)
            self._tell(struck)
            async with self._changed:
                self.struck.append(struck)
                self._changed.notify_all()

    async def carried_out(self, strikes: int) -> None:
        """Until so many were."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.struck) >= strikes)

    async def _carry_out(self, strike: Strike) -> Struck:
        at = time.monotonic()
        killed: Sequence[Server] = ()
        if strike.target is Target.PROVIDER:
            assert strike.cut is not None
            await self._provider.away(strike.cut, strike.seconds)
        elif strike.target is Target.FREEZE:
            await self._freeze(next(self._workers), strike.seconds)
        else:
            killed = self._servers(strike.target)
            await self._installation.kill(killed)
            await asyncio.sleep(strike.seconds)
        let_up = time.monotonic()
        await self._installation.start_again(killed)
        return Struck(strike, at, let_up, time.monotonic())

    def _servers(self, target: Target) -> Sequence[Server]:
        installation = self._installation
        one: dict[Target, Server] = {
            Target.TEMPORAL: installation.temporal,
            Target.POSTGRES: installation.postgres,
            Target.API: installation.api,
        }
        if target is Target.EVERYTHING:
            return installation.servers
        return [next(self._workers)] if target is Target.WORKER else [one[target]]

    @staticmethod
    async def _freeze(worker: Server, seconds: float) -> None:
        freeze(worker)
        try:
            await asyncio.sleep(seconds)
        finally:
            thaw(worker)
