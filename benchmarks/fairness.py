"""Taking turns: what a workspace that starts 5,000 runs costs another's single run, from request to answer.

Two workspaces of one installation run the same five pure steps. First the second one makes single runs on the idle
system, one after the other, each timed until its answer (`Prefer: wait`). Then the first one starts its runs, fifty
requests at once, and the second goes on making single runs until the last of the others has ended. The ratios are of
the medians and of the 95th percentiles; the bound is that the median is less than doubled. Every run of both must
complete, or there is no number.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from app.json import JsonObject
from app.services.platform import open_platform
from app.services.workspaces import create_workspace
from benchmarks.five_http_calls import KEEP_ALIVE_SECONDS, Runner
from benchmarks.servers import Holdfast, started_with

BOUND = 2.0
STEPS = 5
WARM_UP = 20
ENDED_SECONDS = 1800.0
LOOK_SECONDS = 0.5
DEFINITION: JsonObject = {
    "trigger": {"type": "manual"},
    "steps": [
        {"id": f"step_{number}", "type": "transform", "mapping": {"number": number}} for number in range(1, STEPS + 1)
    ],
    "output": f"{{{{ steps.step_{STEPS}.output.number }}}}",
}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    runs: int
    at_once: int
    alone: int


@dataclass(frozen=True)
class Result:
    """Milliseconds of single runs without and beside the many; how long those took to be taken, and to end."""

    alone: Sequence[float]
    beside: Sequence[float]
    taken_seconds: float
    ended_seconds: float

    def ratio(self, share: float) -> float:
        """How many times as long the run at this place takes beside the many."""
        return quantile(self.beside, share) / quantile(self.alone, share)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    return statistics.median(values) if share == 0.5 else sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure(holdfast: Holdfast, plan: Plan) -> Result:
    """One workspace alone, then beside the other."""
    assert holdfast.settings is not None
    async with open_platform(holdfast.settings) as platform:
        _, second = await create_workspace(platform, "Second")
    async with _runner(holdfast.url, holdfast.key) as many, _runner(holdfast.url, second) as single:
        await asyncio.gather(*(single.run() for _ in range(WARM_UP)), *(many.run() for _ in range(WARM_UP)))
        alone = [await single.run() * 1000 for _ in range(plan.alone)]
        began = time.perf_counter()
        starting = asyncio.create_task(_start(many, plan))
        ending = asyncio.create_task(_ended(many, starting, plan.runs + WARM_UP))
        beside: list[float] = []
        while not ending.done():
            beside.append(await single.run() * 1000)
        taken = await starting - began
        return Result(alone, beside, taken, await ending - began)


@asynccontextmanager
async def _runner(url: str, key: str) -> AsyncIterator[Runner]:
    limit = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
    timeout = aiohttp.ClientTimeout(total=600)
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=limit, headers=headers, timeout=timeout) as session:
        runner = Runner(session, url)
        await runner.publish(DEFINITION)
        yield runner


async def _start(many: Runner, plan: Plan) -> float:
    """Start them all; the moment at which the last one was taken."""
    left = iter(range(plan.runs))

    async def client() -> None:
        for _ in left:
            await many.start()

    async with asyncio.TaskGroup() as group:
        for _ in range(plan.at_once):
            group.create_task(client())
    return time.perf_counter()


async def _ended(many: Runner, starting: "asyncio.Task[float]", runs: int) -> float:
    """Wait until all have completed; the moment at which they had."""
    await starting
    deadline = time.monotonic() + ENDED_SECONDS
    while True:
        stats = (await many.get(f"/v1/workflows/{many.workflow}"))["stats"]
        if stats["successful_runs"] == runs:
            return time.perf_counter()
        if stats["failed_runs"] or time.monotonic() >= deadline:
            raise SystemExit(f"{stats['successful_runs']} of {runs} runs have completed: {stats}")
        await asyncio.sleep(LOOK_SECONDS)


def report(result: Result, plan: Plan, console: Console) -> JsonObject:
    """Print the table; answers with the same numbers for programs."""
    table = Table(title=f"A single run of a workspace while another starts {plan.runs:,}")
    for column in ("milliseconds", "alone", "beside", "ratio"):
        table.add_column(column, justify="left" if column == "milliseconds" else "right")
    for name, share in (("median", 0.5), ("95th percentile", 0.95)):
        alone, beside = quantile(result.alone, share), quantile(result.beside, share)
        table.add_row(name, f"{alone:.1f}", f"{beside:.1f}", f"{result.ratio(share):.2f}")
    console.print(table)
    console.print(
        f"The {plan.runs:,} were taken in {result.taken_seconds:.1f} s and ended after {result.ended_seconds:.1f}"
    )
    return {
        "benchmark": "fairness",
        "alone_ms": [round(quantile(result.alone, share), 1) for share in (0.5, 0.95)],
        "beside_ms": [round(quantile(result.beside, share), 1) for share in (0.5, 0.95)],
        "ratio": [round(result.ratio(share), 2) for share in (0.5, 0.95)],
        "bound": BOUND,
        "single_runs": len(result.beside),
        "seconds_taken": round(result.taken_seconds, 1),
        "seconds_ended": round(result.ended_seconds, 1),
        "plan": vars(plan),
        "processors": os.cpu_count(),
    }


async def main() -> None:
    """Read the arguments, measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=5000, help="runs of the workspace that starts many")
    parser.add_argument("--at-once", type=int, default=50, help="its requests at once")
    parser.add_argument("--alone", type=int, default=200, help="single runs of the other on the idle system")
    plan = Plan(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        async with started_with(Path(folder) / "data", "worker.main") as holdfast:
            result = await measure(holdfast, plan)
    print(json.dumps(report(result, plan, Console())))
    if result.ratio(0.5) >= BOUND:
        raise SystemExit(f"a single run takes {result.ratio(0.5):.2f} times as long beside the many")


if __name__ == "__main__":
    asyncio.run(main())
