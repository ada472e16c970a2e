"""What outcome rows cost: runs per second of five `http.request` steps, fifty runs at once, with and without them.

Both kinds of run are measured in turn against the same processes, so that what else the machine does reaches both
alike; the processor time of a run, of all processes together, is told beside. "Without" are steps whose outcome this
program's own worker neither looks for before the effect nor keeps after it. Every run must end completed and every call
must have been made exactly once, or there is no number.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from app.json import JsonObject
from benchmarks.five_http_calls import CALLS, KEEP_ALIVE_SECONDS, WARM_UP_RUNS, Runner, definition, many
from benchmarks.servers import Endpoint, Holdfast, endpoint, started_with
from benchmarks.worker_without_outcomes import UNKEPT

WORKER = "benchmarks.worker_without_outcomes"


@dataclass(frozen=True)
class Rate:
    """Runs per second, and milliseconds of processor time a run took in all processes together."""

    runs_per_second: float
    processor_ms: float


@dataclass(frozen=True)
class Round:
    """The two kinds of run, one right after the other."""

    kept: Rate
    unkept: Rate

    @property
    def cost(self) -> float:
        """The part of the throughput that outcome rows cost; 0.1 is a tenth."""
        return 1 - self.kept.runs_per_second / self.unkept.runs_per_second


async def _rate(runner: Runner, runs: int, at_once: int) -> Rate:
    before = _processor_seconds()
    per_second = await many(runner, runs, at_once)
    return Rate(per_second, (_processor_seconds() - before) / runs * 1000)


def _processor_seconds() -> float:
    """Of this process and all it started: client, loopback server, API, worker, Temporal and PostgreSQL."""
    here = psutil.Process()
    return sum(sum(process.cpu_times()[:4]) for process in [here, *here.children(recursive=True)])


async def measure(holdfast: Holdfast, called: Endpoint, *, rounds: int, runs: int, at_once: int) -> list[Round]:
    """All rounds, each of both kinds; which comes first alternates. A warm-up before them is not counted."""
    headers = {"Authorization": f"Bearer {holdfast.key}"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS), headers=headers
    ) as session:
        kept, unkept = Runner(session, holdfast.url), Runner(session, holdfast.url)
        await kept.publish(definition(called.url))
        await unkept.publish(definition(called.url, UNKEPT))
        measured: list[Round] = []
        for runner in (kept, unkept):
            await many(runner, at_once + WARM_UP_RUNS, at_once)
        for number in range(rounds):
            order = (kept, unkept) if number % 2 == 0 else (unkept, kept)
            rates = {runner: await _rate(runner, runs, at_once) for runner in order}
            measured.append(Round(rates[kept], rates[unkept]))
    expected = CALLS * 2 * (at_once + WARM_UP_RUNS + rounds * runs)
    if len(called.keys) != expected or len(set(called.keys)) != expected:
        raise SystemExit(f"{expected} calls were due, {len(called.keys)} came, {len(set(called.keys))} distinct ones")
    return measured


def report(rounds: list[Round], plan: JsonObject, console: Console) -> JsonObject:
    """Print the table; answers with the same numbers for programs."""
    table = Table(title=f"Runs of {CALLS} http.request steps, {plan['at_once']} at once")
    for column in ("round", "runs/s with outcome rows", "without", "cost", "processor ms with", "without"):
        table.add_column(column, justify="right")
    for number, each in enumerate(rounds, start=1):
        table.add_row(str(number), *_cells(each, each.cost))
    table.add_section()
    median = Round(_median([each.kept for each in rounds]), _median([each.unkept for each in rounds]))
    # Of the rounds' own costs: the two halves of a round are closest in time.
    cost = statistics.median(each.cost for each in rounds)
    table.add_row("median", *_cells(median, cost), style="bold")
    console.print(table)
    return {
        "benchmark": "outcome_rows",
        "cost": round(cost, 3),
        "runs_per_second": round(median.kept.runs_per_second, 1),
        "runs_per_second_without": round(median.unkept.runs_per_second, 1),
        "processor_ms": round(median.kept.processor_ms, 1),
        "processor_ms_without": round(median.unkept.processor_ms, 1),
        "rounds": [[round(each.kept.runs_per_second, 1), round(each.unkept.runs_per_second, 1)] for each in rounds],
        "plan": plan,
        "processors": os.cpu_count(),
    }


def _median(rates: list[Rate]) -> Rate:
    return Rate(
        statistics.median(rate.runs_per_second for rate in rates),
        statistics.median(rate.processor_ms for rate in rates),
    )


def _cells(round_: Round, cost: float) -> list[str]:
    kept, unkept = round_.kept, round_.unkept
    speeds = [f"{kept.runs_per_second:.1f}", f"{unkept.runs_per_second:.1f}", f"{cost:.1%}"]
    return [*speeds, f"{kept.processor_ms:.1f}", f"{unkept.processor_ms:.1f}"]


async def main() -> None:
    """Read the arguments, measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--runs", type=int, default=300, help="runs of each kind, each round")
    parser.add_argument("--at-once", type=int, default=50)
    plan = vars(parser.parse_args())
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        async with endpoint() as called, started_with(Path(folder) / "data", WORKER) as holdfast:
            rounds = await measure(holdfast, called, **plan)
    print(json.dumps(report(rounds, plan, Console())))


if __name__ == "__main__":
    asyncio.run(main())
