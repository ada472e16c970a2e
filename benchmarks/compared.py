"""Holdfast held against Temporal by hand, on the same servers and in one run: throughput with fifty runs at once, and
the time of a run alone.

Five HTTP calls: (a) a workflow by hand with regular activities and (b) with local ones, both started straight from a
Temporal client; (c) Holdfast, through its API with its records in PostgreSQL. Five pure steps: (d) an empty workflow by
hand behind the same kind of API, (e) Holdfast. All kinds take turns in every round, in a rotating order; ratios are of
the same round, and the medians of the rounds are what is told. Every call must have been made exactly once, or there is
no number.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
from rich.console import Console
from rich.table import Table
from temporalio.client import Client

from app.cli.servers import environment
from app.embedded.child import Child
from app.embedded.ports import LOOPBACK, free_port
from app.json import Json, JsonObject
from app.settings import Settings
from benchmarks import by_hand, by_hand_api
from benchmarks.five_http_calls import CALLS, KEEP_ALIVE_SECONDS, Runner, definition
from benchmarks.servers import Endpoint, Holdfast, endpoint, started_with, until_ready

WARM_UP = 60
PURE: JsonObject = {
    "trigger": {"type": "manual"},
    "steps": [
        {"id": "order", "type": "transform", "mapping": {"lines": [{"price": 5, "n": 2}, {"price": 80, "n": 1}]}},
        {"id": "large", "type": "filter", "items": "{{ steps.order.output.lines }}", "where": "{{ item.price > 10 }}"},
        {
            "id": "sum",
            "type": "aggregate",
            "items": "{{ steps.order.output.lines }}",
            "operation": "sum",
            "field": "price",
        },
        {"id": "keep", "type": "set_variable", "variables": {"total": "{{ steps.sum.output.result }}"}},
        {"id": "told", "type": "transform", "mapping": {"text": "{{ vars.total }} for {{ steps.large.output.count }}"}},
    ],
    "output": "{{ steps.told.output.text }}",
}


def _call(id: str) -> JsonObject:
    return {"id": id, "type": "action", "action": "http.request", "inputs": {"url": "URL"}}


def _if_fine(id: str, before: str, then: JsonObject) -> JsonObject:
    fine = f"{{{{ steps.{before}.output.status_code == 200 }}}}"
    return {"id": id, "type": "condition", "branches": [{"when": fine, "steps": [then]}]}


THREE_EFFECTS: JsonObject = {
    "trigger": {"type": "manual"},
    "steps": [
        _call("first"),
        _if_fine("fine", "first", _call("second")),
        _if_fine("again", "second", _call("third")),
    ],
    "output": "{{ steps.third.output.status_code }}",
}

Run = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Rate:
    """Runs a second with many at once, and the median milliseconds of one alone."""

    per_second: float
    alone: float


@dataclass(frozen=True)
class Ratio:
    """One kind's figure over another's, and what it has to be."""

    name: str
    of: Callable[[dict[str, Rate]], float]
    at_least: float | None = None
    at_most: float | None = None

    def is_kept(self, value: float) -> bool:
        """Whether a ratio is as it has to be."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


RATIOS = (
    Ratio("c/a throughput", lambda kinds: kinds["c"].per_second / kinds["a"].per_second, at_least=1.8),
    Ratio("c/b throughput", lambda kinds: kinds["c"].per_second / kinds["b"].per_second, at_least=0.75),
    Ratio("c/b time alone", lambda kinds: kinds["c"].alone / kinds["b"].alone, at_most=1.5),
    Ratio("e/d throughput", lambda kinds: kinds["e"].per_second / kinds["d"].per_second, at_least=0.7),
)
NAMES = {
    "a": "five calls, by hand, regular activities",
    "b": "five calls, by hand, local activities",
    "c": "five calls, Holdfast",
    "d": "nothing, by hand, behind an API",
    "e": "five pure steps, Holdfast",
}
MOST_EVENTS = 14


async def _rate(run: Run, runs: int, at_once: int, alone: int) -> Rate:
    left = iter(range(runs))

    async def client() -> None:
        for _ in left:
            await run()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(client())
    per_second = runs / (time.perf_counter() - began)
    times = []
    for _ in range(alone):
        began = time.perf_counter()
        await run()
        times.append(time.perf_counter() - began)
    return Rate(per_second, statistics.median(times or [0.0]) * 1000)


async def _measure(kinds: dict[str, Run], *, rounds: int, runs: int, at_once: int, alone: int) -> list[dict[str, Rate]]:
    for run in kinds.values():
        await _rate(run, WARM_UP, at_once, 0)
    measured = []
    for number in range(rounds):
        order = list(kinds)[number % len(kinds) :] + list(kinds)[: number % len(kinds)]
        rates = {kind: await _rate(kinds[kind], runs, at_once, alone) for kind in order}
        measured.append(rates)
    return measured


@asynccontextmanager
async def _by_hand(settings: Settings, logs: Path) -> AsyncIterator[str]:
    """Their worker and their API; the API's address."""
    port = free_port()
    own = environment(settings) | {
        by_hand.ADDRESS: settings.resolved_temporal_address,
        by_hand_api.PORT: str(port),
    }
    async with AsyncExitStack() as running:
        for name in ("by_hand", "by_hand_api"):
            child = Child(
                name, [sys.executable, "-m", f"benchmarks.{name}"], log=logs / f"{name}.log", environment=own,
                stop_seconds=20,
            )  # fmt: skip
            child.start()
            running.push_async_callback(child.stop)
        await until_ready(f"http://{LOOPBACK}:{port}", child)
        yield f"http://{LOOPBACK}:{port}"


async def _kinds(holdfast: Holdfast, session: aiohttp.ClientSession, api: str, called: Endpoint) -> dict[str, Run]:
    client = await Client.connect(holdfast.settings.resolved_temporal_address)
    calls, pure = Runner(session, holdfast.url), Runner(session, holdfast.url)
    await calls.publish(definition(called.url))
    await pure.publish(PURE)

    def started(workflow: str) -> Run:
        async def run() -> None:
            id = f"by-hand-{uuid4()}"
            await client.execute_workflow(workflow, called.url, id=id, task_queue=by_hand.QUEUE)

        return run

    async def nothing() -> None:
        body: Json = {"argument": {"some": "input"}}
        async with session.post(f"{api}/runs/{by_hand.Nothing.__name__}", json=body) as answer:
            answer.raise_for_status()
            await answer.json()

    return {
        "a": started(by_hand.RegularCalls.__name__),
        "b": started(by_hand.LocalCalls.__name__),
        "c": calls.run,
        "d": nothing,
        "e": pure.run,
    }


async def _events(holdfast: Holdfast, session: aiohttp.ClientSession, called: Endpoint) -> int:
    """Events in the history of a run with three effects, two conditions and an output."""
    runner = Runner(session, holdfast.url)
    await runner.publish(json.loads(json.dumps(THREE_EFFECTS).replace("URL", f"{called.url}/x")))
    run = await runner.ended(await runner.start(), within=30)
    client = await Client.connect(holdfast.settings.resolved_temporal_address)
    history = await client.get_workflow_handle(run["temporal"]["workflow_id"]).fetch_history()
    return len(history.events)


def report(measured: list[dict[str, Rate]], events: int, plan: JsonObject, console: Console) -> JsonObject:
    """Print the tables; answers with the same numbers for programs."""
    table = Table(title=f"Medians of {len(measured)} rounds")
    for column in ("kind", f"runs/s, {plan['at_once']} at once", "ms alone"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    kinds: JsonObject = {}
    for kind in sorted(NAMES):
        per_second = statistics.median(rates[kind].per_second for rates in measured)
        alone = statistics.median(rates[kind].alone for rates in measured)
        kinds[kind] = {"runs_per_second": round(per_second, 1), "milliseconds_alone": round(alone, 1)}
        table.add_row(f"({kind}) {NAMES[kind]}", f"{per_second:.1f}", f"{alone:.1f}")
    console.print(table)
    table = Table(title="Ratios")
    for column in ("ratio", "median", "rounds", "wanted"):
        table.add_column(column, justify="left" if column == "ratio" else "right")
    ratios: JsonObject = {}
    for ratio in RATIOS:
        of_rounds = [ratio.of(rates) for rates in measured]
        median = ratios[ratio.name] = round(statistics.median(of_rounds), 2)
        wanted = f"at least {ratio.at_least}" if ratio.at_least is not None else f"at most {ratio.at_most}"
        kept = "" if ratio.is_kept(median) else " (missed)"
        table.add_row(ratio.name, f"{median:.2f}", f"{min(of_rounds):.2f} to {max(of_rounds):.2f}", wanted + kept)
    missed = "" if events <= MOST_EVENTS else " (missed)"
    table.add_row("events: 3 effects, 2 conditions", str(events), "", f"at most {MOST_EVENTS}{missed}")
    console.print(table)
    return {
        "benchmark": "compared",
        "kinds": kinds,
        "ratios": ratios,
        "events": events,
        "plan": plan,
        "processors": os.cpu_count(),
    }


async def main() -> None:
    """Read the arguments, measure, print the tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=200, help="runs of each kind, each round")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--alone", type=int, default=20, help="runs of each kind one after the other, each round")
    parser.add_argument("--kinds", default="abcde", help="only these; ratios need all of them")
    plan = vars(parser.parse_args())
    chosen = plan.pop("kinds")
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        called = await running.enter_async_context(endpoint())
        holdfast = await running.enter_async_context(started_with(folder / "data", "worker.main"))
        api = await running.enter_async_context(_by_hand(holdfast.settings, folder))
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
        headers = {"Authorization": f"Bearer {holdfast.key}"}
        session = await running.enter_async_context(aiohttp.ClientSession(connector=connector, headers=headers))
        kinds = await _kinds(holdfast, session, api, called)
        measured = await _measure({kind: kinds[kind] for kind in chosen}, **plan)
        each = WARM_UP + plan["rounds"] * (plan["runs"] + plan["alone"])
        made = sum(kind in chosen for kind in "abc") * CALLS * each
        if len(called.keys) != made or len(set(called.keys)) != made:
            raise SystemExit(f"{made} calls were due, {len(called.keys)} came, {len(set(called.keys))} distinct ones")
        if set(chosen) != set(NAMES):
            for rates in measured:
                print({kind: (round(rate.per_second, 1), round(rate.alone, 1)) for kind, rate in rates.items()})
            return
        events = await _events(holdfast, session, called)
    print(json.dumps(report(measured, events, plan, Console())))


if __name__ == "__main__":
    asyncio.run(main())
