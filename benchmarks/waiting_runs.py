"""Five thousand runs that wait for an event each: what they cost while they wait, and how soon each goes on with its
own.

They are started through the API and left until all wait. Then one event is sent for each: the first hundred one after
the other, the rest twenty at a time. Told are the seconds until all wait, the worker's memory before, meanwhile and
after, what the databases grew by, and of each event the milliseconds to its HTTP answer, from there to the moment the
wait was over (the step's `finished_at`; below zero where the run went on before the answer left) and to the run's
record being complete (its `updated_at`), and all of it together. Client and servers are on one machine and read one
clock; the step's time has milliseconds, and is when the task of the run began that took the event. The worker keeps the
thousand runs it saw last in memory and replays any other, so most of these are. No event may wake another run than its
own, and each run must complete with its own event's data, or there is no number. An event that Temporal does not take
within five seconds is answered all the same and delivered later: how many were is told.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
import psycopg
from rich.console import Console
from rich.table import Table

from app.cli.state import DevState, running_group
from app.json import JsonObject
from benchmarks.five_http_calls import KEEP_ALIVE_SECONDS, Runner
from benchmarks.long_loop import Memory
from benchmarks.servers import Holdfast, started

EVENT = "benchmark.answered"
WARM_UP_RUNS = 100
_PAGE = 200
_LOOK_SECONDS = 0.5
_GROUP_SECONDS = 60.0
_LOOK_ALONE_SECONDS = 0.02


@dataclass(frozen=True)
class Plan:
    """How much is measured. `within`: seconds each part may take."""

    runs: int
    starts_at_once: int
    events_at_once: int
    alone: int
    within: float


@dataclass
class Asked:
    """A run that waits, and the event for it. Times are seconds since 1970."""

    run: str
    number: int
    token: str
    sent: float = 0.0
    answered: float = 0.0
    over: float = 0.0
    recorded: float = 0.0
    woken: bool = False
    """Whether the event's answer says so. Where Temporal did not take it in time the event is delivered later."""


@dataclass(frozen=True)
class Spread:
    """Milliseconds of many."""

    median: float
    p99: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Of at least one."""
        ordered = sorted(seconds)
        chosen = (statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], ordered[-1])
        return cls(*(round(each * 1000, 1) for each in chosen))


@dataclass(frozen=True)
class Events:
    """Events sent so many at a time: how many a second, and how long each took to what it does."""

    at_once: int
    per_second: float
    delivered_later: int
    answer: Spread
    over: Spread
    recorded: Spread
    whole: Spread

    @classmethod
    def of(cls, asked: Sequence[Asked], at_once: int) -> "Events":
        """`per_second` is until the last of the runs is recorded as complete."""
        seconds = max(each.recorded for each in asked) - min(each.sent for each in asked)
        return cls(
            at_once=at_once,
            per_second=round(len(asked) / seconds, 1),
            delivered_later=sum(not each.woken for each in asked),
            answer=Spread.of([each.answered - each.sent for each in asked]),
            over=Spread.of([each.over - each.answered for each in asked]),
            recorded=Spread.of([each.recorded - each.answered for each in asked]),
            whole=Spread.of([each.recorded - each.sent for each in asked]),
        )


@dataclass(frozen=True)
class Resources:
    """Bytes: the worker's resident memory, and what is stored."""

    memory: int
    database: int
    temporal: int


@dataclass(frozen=True)
class Result:
    """One measurement. Seconds to start are those until the last run was asked for, and until all of them waited."""

    runs: int
    seconds_to_start: float
    seconds_to_wait: float
    before: Resources
    waiting: Resources
    after: Resources
    events: list[Events]


def definition() -> JsonObject:
    """A run waits for the event with its own number, and ends with what that said and when it came."""
    wait = {"id": "answer", "type": "wait_for_event", "event": EVENT, "match": {"number": "{{ trigger.number }}"}}
    output = {"answer": "{{ steps.answer.output }}", "over": "{{ steps.answer.finished_at }}"}
    return {"trigger": {"type": "manual"}, "steps": [wait], "output": output}


async def measure(holdfast: Holdfast, group: DevState, data_dir: Path, plan: Plan) -> Result:
    """Let so many runs wait, then give each its event."""
    limit = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
    headers = {"Authorization": f"Bearer {holdfast.key}"}
    async with aiohttp.ClientSession(connector=limit, headers=headers) as session:
        runner = Runner(session, holdfast.url)
        await runner.publish(definition())
        before = await _resources(group, data_dir)
        began = time.perf_counter()
        asked = await _started(runner, plan)
        seconds_to_start = time.perf_counter() - began
        await _none_is(runner, "pending,running", plan.within)
        seconds_to_wait = time.perf_counter() - began
        await _all_are(runner, "waiting", asked)
        waiting = await _resources(group, data_dir)
        random.Random(plan.runs).shuffle(asked)
        alone, together = asked[: plan.alone], asked[plan.alone :]
        for each in alone:
            await _answer(runner, each)
            await _ended(runner, each, plan.within)
        await _each(together, plan.events_at_once, lambda each: _answer(runner, each))
        await _none_is(runner, "pending,running,waiting", plan.within)
        await _check(runner, asked)
        after = await _resources(group, data_dir)
        await runner.archive()
    parts = [(alone, 1), (together, plan.events_at_once)]
    return Result(
        runs=plan.runs,
        seconds_to_start=round(seconds_to_start, 1),
        seconds_to_wait=round(seconds_to_wait, 1),
        before=before,
        waiting=waiting,
        after=after,
        events=[Events.of(part, at_once) for part, at_once in parts if part],
    )


async def _each(asked: Sequence[Asked], at_once: int, act: Callable[[Asked], Awaitable[None]]) -> None:
    """Act on each, so many at a time."""
    left = iter(asked)

    async def client() -> None:
        for each in left:
            await act(each)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(client())


async def _started(runner: Runner, plan: Plan) -> list[Asked]:
    asked = [Asked(run="", number=number, token=uuid4().hex) for number in range(plan.runs)]

    async def start(each: Asked) -> None:
        each.run = await runner.start({"number": each.number})

    await _each(asked, plan.starts_at_once, start)
    return asked


async def _answer(runner: Runner, each: Asked) -> None:
    """Send the event a run waits for; it must wake no other."""
    data = {"number": each.number, "token": each.token}
    event = {"specversion": "1.0", "id": each.token, "source": "/benchmark", "type": EVENT, "data": data}
    each.sent = time.time()
    [did] = (await runner.post("/v1/events", event))["items"]
    each.answered = time.time()
    each.woken = did["woke"] == [each.run]
    if not set(did["woke"]) <= {each.run} or did["started"] or did["duplicate"]:
        raise SystemExit(f"the event for run {each.run} did {did}")


async def _ended(runner: Runner, each: Asked, within: float) -> None:
    deadline = time.monotonic() + within
    while not (await runner.get(f"/v1/runs/{each.run}"))["finished_at"]:
        if time.monotonic() >= deadline:
            raise SystemExit(f"run {each.run} got its event and had not ended after {within:g} seconds")
        await asyncio.sleep(_LOOK_ALONE_SECONDS)


async def _none_is(runner: Runner, statuses: str, within: float) -> None:
    """Wait until no run of the workflow has one of these statuses."""
    deadline = time.monotonic() + within
    while left := (await runner.get(_listing(runner, 1, statuses)))["items"]:
        if time.monotonic() >= deadline:
            raise SystemExit(f"run {left[0]['id']} was {left[0]['status']} after {within:g} seconds")
        await asyncio.sleep(_LOOK_SECONDS)


async def _all_are(runner: Runner, status: str, asked: Sequence[Asked]) -> dict[str, JsonObject]:
    """The runs of the workflow by id. They must be those that were asked for, all with this status."""
    found: dict[str, JsonObject] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = await runner.get(_listing(runner, _PAGE) + (f"&cursor={cursor}" if cursor else ""))
        found |= {run["id"]: run for run in page["items"]}
        cursor = page["next_cursor"]
    if others := [run for run in found.values() if run["status"] != status]:
        raise SystemExit(f"{len(others)} runs are not {status}, such as {others[0]['id']}: {others[0]['status']}")
    if set(found) != {each.run for each in asked} or len(found) != len(asked):
        raise SystemExit(f"{len(asked)} runs were asked for, {len(found)} are there")
    return found


async def _check(runner: Runner, asked: Sequence[Asked]) -> None:
    """Every run has completed with its own event's data; note when."""
    found = await _all_are(runner, "completed", asked)
    for each in asked:
        run = found[each.run]
        if run["output"]["answer"] != {"number": each.number, "token": each.token}:
            raise SystemExit(f"run {each.run} waited for number {each.number} and has {run['output']}")
        each.over = datetime.fromisoformat(run["output"]["over"]).timestamp()
        each.recorded = datetime.fromisoformat(run["updated_at"]).timestamp()


def _listing(runner: Runner, limit: int, statuses: str | None = None) -> str:
    chosen = f"&status={statuses}" if statuses else ""
    return f"/v1/runs?workflow_id={runner.workflow}&limit={limit}{chosen}"


async def _group(data_dir: Path) -> DevState:
    """The servers, once their supervisor has written down the last of them: the API answers before."""
    deadline = time.monotonic() + _GROUP_SECONDS
    while time.monotonic() < deadline:
        group = running_group(data_dir)
        if group is not None and group.database_url and "Worker" in group.children:
            return group
        await asyncio.sleep(_LOOK_SECONDS)
    raise SystemExit(f"the servers in {data_dir} did not all start within {_GROUP_SECONDS:g} seconds")


async def _resources(group: DevState, data_dir: Path) -> Resources:
    async with await psycopg.AsyncConnection.connect(group.database_url) as connection:
        found = await (await connection.execute("SELECT pg_database_size(current_database())")).fetchone()
    assert found is not None, "a database has a size"
    return Resources(
        memory=Memory(group.children["Worker"].pid).now(),
        database=found[0],
        temporal=_size_of(data_dir, "temporal.db*"),
    )


def _size_of(folder: Path, pattern: str) -> int:
    return sum(file.stat().st_size for file in folder.glob(pattern))


def report(result: Result, plan: Plan, console: Console) -> JsonObject:
    """Print the tables; answers with the same numbers for programs."""
    console.print(
        f"{result.runs:,} runs that wait: all asked for after {result.seconds_to_start:.1f} s, "
        f"all waiting after {result.seconds_to_wait:.1f} s"
    )
    table = Table(title="What they cost, MB")
    for column in ("", "before", "while they wait", "after", "KB a waiting run"):
        table.add_column(column, justify="right" if column else "left")
    for name, told in (("memory", "worker's memory"), ("database", "PostgreSQL"), ("temporal", "Temporal's database")):
        sizes = [getattr(each, name) for each in (result.before, result.waiting, result.after)]
        each = (sizes[1] - sizes[0]) / result.runs / 1000
        table.add_row(told, *(f"{size / 1_000_000:.1f}" for size in sizes), f"{each:.1f}")
    console.print(table)
    table = Table(title="Events, ms")
    for column in ("", "median", "99 of 100 within", "worst"):
        table.add_column(column, justify="right" if column else "left")
    for events in result.events:
        table.add_row(f"{events.at_once} at a time: {events.per_second:.1f} a second", style="bold")
        rows = {
            "event sent to its answer": events.answer,
            "answer to the wait's end": events.over,
            "answer to the run's record": events.recorded,
            "event sent to the run's record": events.whole,
        }
        for told, spread in rows.items():
            table.add_row(told, f"{spread.median:.1f}", f"{spread.p99:.1f}", f"{spread.worst:.1f}")
        table.add_row("delivered after the answer", "", "", str(events.delivered_later))
        table.add_section()
    console.print(table)
    return {"benchmark": "waiting_runs", **asdict(result), "plan": asdict(plan), "processors": os.cpu_count()}


async def main() -> None:
    """Read the arguments, measure, print the tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--starts-at-once", type=int, default=50)
    parser.add_argument("--events-at-once", type=int, default=20)
    parser.add_argument("--alone", type=int, default=100, help="events sent one after the other")
    parser.add_argument("--within", type=float, default=900, help="seconds each part may take")
    plan = Plan(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        data_dir = Path(folder) / "data"
        async with started(data_dir) as holdfast:
            group = await _group(data_dir)
            # What a worker loads once is not the runs'.
            warm_up = Plan(WARM_UP_RUNS, plan.starts_at_once, plan.events_at_once, 1, plan.within)
            await measure(holdfast, group, data_dir, warm_up)
            result = await measure(holdfast, group, data_dir, plan)
    print(json.dumps(report(result, plan, Console())))


if __name__ == "__main__":
    asyncio.run(main())
