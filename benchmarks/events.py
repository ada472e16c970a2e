"""Events: how many a second are accepted and dispatched, what 10,000 subscriptions cost an event that one of them is
about, and how long it takes from an event to the first step of the run it starts.

Every event is one `POST /v1/events`, or one of a batch of 1,000, and is timed until its answer, which comes when the
event is kept and dispatched. Each must start exactly the runs it is to start, and every run must complete, or there is
no number. Subscriptions are compared in turn: an event for one that is alone with its type, then one for one among
many, so that what else the machine does reaches both alike.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
from rich.console import Console
from rich.table import Table

from app.json import Json, JsonObject
from benchmarks.five_http_calls import KEEP_ALIVE_SECONDS, Runner
from benchmarks.servers import Holdfast, started

SUBSCRIBERS = (0, 1, 10)
BATCH = 1000
TRIGGERS = 20
"""As many as a workflow may have."""
WARM_UP = 50
_LOOK_SECONDS = 0.2

Shape = Callable[[str, int], JsonObject]
"""A trigger: the name of its kind, and its number among them."""

SHAPES: dict[str, tuple[str, Shape]] = {
    "filter": ("a filter of its own each", lambda kind, number: {"event": kind, "filter": {"contact": f"c-{number}"}}),
    "source": ("a source of its own each", lambda kind, number: {"event": kind, "source": f"/contacts/{number}"}),
    "type": ("a type of its own each", lambda kind, number: {"event": f"{kind}.n{number}"}),
}


@dataclass(frozen=True)
class Plan:
    """How much is measured. `within`: seconds runs may take to end."""

    events: int
    at_once: int
    batches: int
    subscriptions: int
    pairs: int
    alone: int
    within: float


@dataclass(frozen=True)
class Rate:
    """Events a second with so many subscribers, one by request and in batches."""

    subscribers: int
    per_second: float
    in_batches: float


@dataclass(frozen=True)
class Compared:
    """Milliseconds of an event for one subscription, and for one among many; the ratio is of the medians."""

    shape: str
    subscriptions: int
    one: float
    many: float

    @property
    def ratio(self) -> float:
        """How many times as long it takes among many."""
        return self.many / self.one


@dataclass(frozen=True)
class Result:
    """One measurement. The first step: milliseconds from sending an event to the beginning of its run's first step."""

    rates: list[Rate]
    compared: list[Compared]
    first_step: float


def definition(*triggers: JsonObject) -> JsonObject:
    """A workflow whose runs take one pure step."""
    steps = [{"id": "first", "type": "transform", "mapping": {"contact": "{{ trigger.contact }}"}}]
    return {"triggers": [{"type": "event", **trigger} for trigger in triggers], "steps": steps}


def event(kind: str, contact: str = "c-0", source: str = "/benchmark") -> JsonObject:
    """A new event."""
    data = {"contact": contact, "name": "Ada Lovelace", "stage": "won", "amount": 1200}
    return {"specversion": "1.0", "id": uuid4().hex, "source": source, "type": kind, "data": data}


async def measure(holdfast: Holdfast, plan: Plan) -> Result:
    """Everything, one after the other."""
    limit = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
    headers = {"Authorization": f"Bearer {holdfast.key}"}
    async with aiohttp.ClientSession(connector=limit, headers=headers) as session:
        runner = Runner(session, holdfast.url)
        rates = [await _rate(runner, plan, subscribers) for subscribers in SUBSCRIBERS]
        first_step = await _first_step(runner, plan)
        compared = [await _compared(runner, plan, shape) for shape in SHAPES]
    return Result(rates, compared, first_step)


async def _rate(runner: Runner, plan: Plan, subscribers: int) -> Rate:
    kind = f"bench.of{subscribers}"
    for _ in range(subscribers):
        await runner.publish(definition({"event": kind}))
    await _each([event(kind) for _ in range(WARM_UP)], plan.at_once, lambda one: _send(runner, [one], subscribers))
    await _all_ended(runner, plan.within)
    events = [event(kind) for _ in range(plan.events)]
    began = time.perf_counter()
    await _each(events, plan.at_once, lambda one: _send(runner, [one], subscribers))
    per_second = plan.events / (time.perf_counter() - began)
    await _all_ended(runner, plan.within)
    seconds = 0.0
    for _ in range(plan.batches):
        events = [event(kind) for _ in range(BATCH // max(subscribers, 1))]
        began = time.perf_counter()
        await _send(runner, events, subscribers)
        seconds += (time.perf_counter() - began) / len(events)
        await _all_ended(runner, plan.within)
    return Rate(subscribers, round(per_second, 1), round(plan.batches / seconds, 1))


async def _first_step(runner: Runner, plan: Plan) -> float:
    """The median in milliseconds, with one event at a time."""
    took: list[float] = []
    for _ in range(plan.alone):
        sent = time.time()
        [did] = await _send(runner, [event("bench.of1")], 1)
        [run_id] = did["started"]
        await _all_ended(runner, plan.within)
        [step] = (await runner.get(f"/v1/runs/{run_id}/steps"))["items"]
        took.append(datetime.fromisoformat(step["started_at"]).timestamp() - sent)
    return round(statistics.median(took) * 1000, 1)


async def _compared(runner: Runner, plan: Plan, shape: str) -> Compared:
    _, trigger = SHAPES[shape]
    single, many = f"bench.{shape}.single", f"bench.{shape}.many"
    await runner.publish(definition(trigger(single, 0)))
    numbers = range(plan.subscriptions)
    chunks = [numbers[begin : begin + TRIGGERS] for begin in range(0, plan.subscriptions, TRIGGERS)]

    async def publish(chunk: Sequence[int]) -> None:
        await runner.publish(definition(*(trigger(many, number) for number in chunk)))

    await _each(chunks, plan.at_once, publish)
    chosen = plan.subscriptions // 2
    took: dict[str, list[float]] = {single: [], many: []}
    for turn in range(plan.pairs + 5):
        for kind, number in ((single, 0), (many, chosen)):
            one = _for(shape, trigger(kind, number), number)
            began = time.perf_counter()
            await _send(runner, [one], 1)
            if turn >= 5:  # the first ones warm up
                took[kind].append(time.perf_counter() - began)
    await _all_ended(runner, plan.within)
    one, among = (round(statistics.median(took[kind]) * 1000, 2) for kind in (single, many))
    return Compared(shape, plan.subscriptions, one, among)


def _for(shape: str, trigger: JsonObject, number: int) -> JsonObject:
    """An event that fits this trigger and no other of its shape."""
    return event(
        str(trigger["event"]),
        contact=f"c-{number}" if shape == "filter" else "c-0",
        source=str(trigger.get("source", "/benchmark")),
    )


async def _send(runner: Runner, events: Sequence[JsonObject], starts: int) -> list[JsonObject]:
    """Send them in one request; each must start so many runs."""
    body: Json = events[0] if len(events) == 1 else list(events)
    items: list[JsonObject] = (await runner.post("/v1/events", body))["items"]
    for did in items:
        if did["duplicate"] or did["woke"] or len(did["started"]) != starts:
            raise SystemExit(f"an event was to start {starts} runs and did {did}")
    return items


async def _each(items: Sequence[object], at_once: int, act: Callable[..., Awaitable[object]]) -> None:
    left = iter(items)

    async def client() -> None:
        for item in left:
            await act(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(client())


async def _all_ended(runner: Runner, within: float) -> None:
    """Wait until no run is under way; none may have ended other than completed."""
    deadline = time.monotonic() + within
    while left := (await runner.get("/v1/runs?status=pending,running&limit=1"))["items"]:
        if time.monotonic() >= deadline:
            raise SystemExit(f"run {left[0]['id']} was {left[0]['status']} after {within:g} seconds")
        await asyncio.sleep(_LOOK_SECONDS)
    if bad := (await runner.get("/v1/runs?status=failed,cancelled,timed_out&limit=1"))["items"]:
        raise SystemExit(f"run {bad[0]['id']} is {bad[0]['status']}: {bad[0].get('error')}")


def report(result: Result, plan: Plan, console: Console) -> JsonObject:
    """Print the tables; answers with the same numbers for programs."""
    table = Table(title=f"Events accepted and dispatched a second, {plan.at_once} requests at once")
    for column in ("subscribers", "one by request", f"up to {BATCH:,} by request"):
        table.add_column(column, justify="right")
    for rate in result.rates:
        table.add_row(str(rate.subscribers), f"{rate.per_second:,.1f}", f"{rate.in_batches:,.1f}")
    console.print(table)
    table = Table(title="An event that one subscription is about, ms to its answer")
    for column in ("subscriptions with", "alone", f"among {plan.subscriptions:,}", "ratio"):
        table.add_column(column, justify="right" if column != "subscriptions with" else "left")
    for each in result.compared:
        table.add_row(SHAPES[each.shape][0], f"{each.one:.2f}", f"{each.many:.2f}", f"{each.ratio:.2f}")
    console.print(table)
    console.print(f"From an event to its run's first step: {result.first_step:.1f} ms (median of {plan.alone})")
    return {
        "benchmark": "events",
        "rates": [asdict(rate) for rate in result.rates],
        "compared": [{**asdict(each), "ratio": round(each.ratio, 2)} for each in result.compared],
        "first_step_ms": result.first_step,
        "plan": asdict(plan),
        "processors": os.cpu_count(),
    }


async def main() -> None:
    """Read the arguments, measure, print the tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, default=300, help="sent one by request, for each number of subscribers")
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--batches", type=int, default=1)
    parser.add_argument("--subscriptions", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=200, help="events for one alone and one among many, in turn")
    parser.add_argument("--alone", type=int, default=50, help="events timed until the first step")
    parser.add_argument("--within", type=float, default=900, help="seconds runs may take to end")
    plan = Plan(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        async with started(Path(folder) / "data") as holdfast:
            result = await measure(holdfast, plan)
    print(json.dumps(report(result, plan, Console())))


if __name__ == "__main__":
    asyncio.run(main())
