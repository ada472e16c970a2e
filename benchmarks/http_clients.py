"""Why actions call through aiohttp: the same GETs with httpx, httpx2, aiohttp, and Holdfast's own client on top of it.

Each reads a JSON answer; fifty calls at once, then one after the other. Told are calls a second and the processor
milliseconds the calling process spent on each, which is what a worker has less of for everything else. The endpoint is
a process of its own, on loopback. All clients take turns in every round, in a rotating order, on one uvloop, each with
new connections that are open before it is measured; told are the medians of the rounds. An answer that is not the
expected one ends the measurement.

Holdfast's client (`activities/http_client.py`) looks names up itself, connects to the very address it has checked and
caps what it reads; aiohttp has public hooks for the first two (`AbstractResolver`, `socket_factory`). Both checks come
with a connection, not with a call, and loopback can only be called where it is allowed: what its row has over aiohttp's
is all the rest of it.
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from activities.http_client import HttpClient
from app.embedded.ports import LOOPBACK
from app.json import Json, JsonObject
from app.settings import Settings
from benchmarks.servers import endpoint_apart

WARM_UP_CALLS = 200
EXPECTED: JsonObject = {"ok": True}

Get = Callable[[str], Awaitable[Json]]
Client = Callable[[int], AbstractAsyncContextManager[Get]]


@dataclass(frozen=True)
class Cost:
    """Calls a second, and the processor milliseconds of each in the process that makes them."""

    per_second: float
    processor_ms: float


@dataclass(frozen=True)
class Plan:
    """How much is measured: calls of each client, each round."""

    rounds: int
    calls: int
    at_once: int
    alone: int


@asynccontextmanager
async def _with_aiohttp(at_once: int) -> AsyncIterator[Get]:
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(url: str) -> Json:
            async with session.get(url) as answer:
                return await answer.json()

        yield get


def _of_family(name: str) -> Client:
    """httpx or httpx2: what is used of them is the same."""

    @asynccontextmanager
    async def client(at_once: int) -> AsyncIterator[Get]:
        module: Any = import_module(name)
        limits = module.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        async with module.AsyncClient(limits=limits, trust_env=False) as opened:

            async def get(url: str) -> Json:
                return (await opened.get(url)).json()

            yield get

    return client


@asynccontextmanager
async def _with_holdfast(at_once: int) -> AsyncIterator[Get]:
    opened = HttpClient(Settings(egress_allow=(LOOPBACK,)))

    async def get(url: str) -> Json:
        return json.loads((await opened.request("GET", url)).body)

    try:
        yield get
    finally:
        await opened.close()


CLIENTS: dict[str, Client] = {
    "httpx": _of_family("httpx"),
    "httpx2": _of_family("httpx2"),
    "aiohttp": _with_aiohttp,
    "holdfast": _with_holdfast,
}


async def cost(get: Get, url: str, calls: int, at_once: int) -> Cost:
    """So many calls, so many at a time; each answer must be the expected one."""
    left = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            if (found := await get(url)) != EXPECTED:
                raise SystemExit(f"{url} was answered with {found}")

    gc.collect()
    began, used = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(caller())
    seconds, spent = time.perf_counter() - began, time.process_time() - used
    return Cost(calls / seconds, spent / calls * 1000)


async def measure(url: str, names: list[str], plan: Plan) -> dict[str, list[tuple[Cost, Cost]]]:
    """By client, for each round: the cost with many at once, and alone."""
    measured: dict[str, list[tuple[Cost, Cost]]] = {name: [] for name in names}
    for number in range(plan.rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            many = await _cost_anew(name, url, plan.calls, plan.at_once)
            measured[name].append((many, await _cost_anew(name, url, plan.alone, 1)))
    return measured


async def _cost_anew(name: str, url: str, calls: int, at_once: int) -> Cost:
    async with CLIENTS[name](at_once) as get:
        # All connections, and what is made on first use.
        await cost(get, url, WARM_UP_CALLS, at_once)
        return await cost(get, url, calls, at_once)


def median(costs: list[Cost]) -> Cost:
    """Of both, each by itself."""
    per_second = statistics.median(each.per_second for each in costs)
    return Cost(round(per_second, 1), round(statistics.median(each.processor_ms for each in costs), 3))


def report(measured: dict[str, list[tuple[Cost, Cost]]], plan: Plan, console: Console) -> JsonObject:
    """Print the table; answers with the same numbers for programs."""
    table = Table(title=f"A GET of a JSON answer; medians of {plan.rounds} rounds")
    table.add_column("client")
    for column in (f"calls/s, {plan.at_once} at once", "processor ms", "calls/s alone", "processor ms"):
        table.add_column(column, justify="right")
    clients: JsonObject = {}
    for name, rounds in measured.items():
        many, alone = median([many for many, _ in rounds]), median([alone for _, alone in rounds])
        cells = (f"{many.per_second:.0f}", f"{many.processor_ms:.3f}", f"{alone.per_second:.0f}")
        table.add_row(f"{name} {version(name)}", *cells, f"{alone.processor_ms:.3f}")
        clients[name] = {"version": version(name), "at_once": asdict(many), "alone": asdict(alone)}
    console.print(table)
    return {"benchmark": "http_clients", "clients": clients, "plan": asdict(plan), "processors": os.cpu_count()}


def require(names: list[str]) -> None:
    """Refuse to begin without a client that is to be measured."""
    for name in names:
        try:
            version(name)
        except PackageNotFoundError:
            others = " ".join(other for other in CLIENTS if other != name)
            raise SystemExit(
                f"{name} is not installed: run `sh requirements/install.sh bench`, or leave it out: --clients {others}"
            ) from None


async def main() -> None:
    """Read the arguments, measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--clients", nargs="+", choices=list(CLIENTS), default=list(CLIENTS))
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--calls", type=int, default=1000, help="calls of each client with many at once, each round")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--alone", type=int, default=300, help="calls of each client one by one, each round")
    arguments = vars(parser.parse_args())
    names = arguments.pop("clients")
    plan = Plan(**arguments)
    require(names)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        async with endpoint_apart(Path(folder) / "endpoint.log") as url:
            measured = await measure(url, names, plan)
    print(json.dumps(report(measured, plan, Console())))


if __name__ == "__main__":
    uvloop.run(main())
