"""One chaos run from its first process to its verdict. What is drawn, struck, asked and judged stands beside."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from temporalio.service import RPCError

from app.json import JsonObject
from app.services.errors import Unavailable
from app.services.platform import open_platform
from tests.chaos.agent import Agent, Struck
from tests.chaos.facts import Facts, Rows, read
from tests.chaos.installation import Installation
from tests.chaos.ledger import Ledger, Provider, open_provider
from tests.chaos.orders import REQUEST_SECONDS, Customers
from tests.chaos.plan import Order, Plan
from tests.chaos.verdict import Promise, figures, promises

STANDSTILL_SECONDS = 90.0
"""Longer than a worker's death can hold up anything."""
SETTLE_SECONDS = 60.0
"""How long after the last effect an ending may be unwritten, a dispatch unfinished."""
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Outcome:
    """What came of it: the figures, every promise, kept or not, and what they were made from."""

    figures: JsonObject
    promises: list[Promise]
    facts: Facts

    @property
    def broken(self) -> list[Promise]:
        """The promises that were not kept."""
        return [promise for promise in self.promises if not promise.kept]


@dataclass(frozen=True)
class Watching:
    """How progress is told: in words, and with each strike that was carried out."""

    say: Callable[[str], None]
    struck: Callable[[Struck, Ledger], None]


async def run(plan: Plan, folder: Path, watching: Watching) -> Outcome:
    """Everything, with data and logs in `folder`. Must be called on the main thread, which the processes are tied to.

    Raises `EmbeddedError` when a part cannot be started again, `Refused` when the API turns a right request down.
    """
    installation = Installation(folder, workers=plan.workers)
    async with open_provider(plan.seed) as provider:
        try:
            watching.say("starting PostgreSQL, Temporal, the API and the workers")
            await installation.start()
            return await _under_chaos(plan, installation, provider, watching)
        finally:
            watching.say("stopping what was started")
            await installation.stop()


async def _under_chaos(plan: Plan, installation: Installation, provider: Provider, watching: Watching) -> Outcome:
    ledger, orders = provider.ledger, plan.orders()
    strikes = plan.strikes()
    agent = Agent(installation, provider, tell=lambda struck: watching.struck(struck, ledger))
    began = time.monotonic()
    async with _customers(installation, ledger, agent) as customers:
        await customers.publish()
        watching.say(f"{len(orders)} orders, {len(strikes)} strikes")
        try:
            async with asyncio.timeout(plan.seconds):
                await _moving(_all(_placed(customers, orders), agent.run(strikes)), ledger)
        except TimeoutError as error:
            watching.say(f"{error or f'not done within {plan.seconds:g} seconds'}: looking at what there is")
            await installation.mend()
    rows = await _settled(installation)
    facts = Facts(
        orders=orders,
        answered=customers.runs,
        sent=list(customers.events.values()),
        arrivals=ledger.arrivals,
        struck=agent.struck,
        strikes_planned=len(strikes),
        **vars(rows),
    )
    found = figures(facts) | {
        "seconds": round(time.monotonic() - began, 1),
        "requests_insisted_on": customers.insisted,
        "requests_turned_away": {str(cut): count for cut, count in ledger.turned_away.items()},
    }
    return Outcome(found, promises(facts), facts)


@asynccontextmanager
async def _customers(installation: Installation, ledger: Ledger, agent: Agent) -> AsyncIterator[Customers]:
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(
        base_url=installation.settings.resolved_api_url,
        headers={"Authorization": f"Bearer {installation.key}"},
        timeout=httpx.Timeout(REQUEST_SECONDS, pool=None),
        limits=limits,
        trust_env=False,
    ) as client:
        yield Customers(client, ledger, agent.carried_out)


async def _placed(customers: Customers, orders: list[Order]) -> None:
    looking = asyncio.create_task(customers.look())
    try:
        await _all(*map(customers.order, orders))
    finally:
        looking.cancel()


async def _moving(work: Coroutine[None, None, None], ledger: Ledger) -> None:
    """Do the work; raises `TimeoutError` when the ledger is asked for nothing new for too long."""
    working = asyncio.ensure_future(work)
    try:
        while not working.done():
            effects = ledger.effects
            await asyncio.wait({working}, timeout=STANDSTILL_SECONDS)
            if not working.done() and ledger.effects == effects:
                raise TimeoutError(f"nothing was done for {STANDSTILL_SECONDS:g} seconds")
    finally:
        working.cancel()
        await asyncio.wait({working})
    working.result()


async def _settled(installation: Installation) -> Rows:
    """Rows and executions once nothing is under way any more, or as they are after a while."""
    deadline = time.monotonic() + SETTLE_SECONDS
    async with open_platform(installation.settings) as platform:
        while True:
            try:
                rows = await read(platform, installation.key)
            except (Unavailable, RPCError):
                if time.monotonic() >= deadline:
                    raise
            else:
                if rows.settled or time.monotonic() >= deadline:
                    return rows
            await asyncio.sleep(_LOOK_SECONDS)


async def _all(*coroutines: Coroutine[None, None, None]) -> None:
    """Side by side; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
