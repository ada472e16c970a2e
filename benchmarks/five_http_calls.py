"""How fast is a run of five `http.request` steps, seen from outside: `POST .../runs` with `Prefer: wait` until its end.

Two numbers: runs a second with fifty at once, and milliseconds of a run alone. Every run must end completed and every
call must have been made exactly once, or there is no number. `--url` and `--key` measure a Holdfast that runs already
(it must allow calls to loopback); without them a fresh one is started on free ports and removed afterwards.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from app.json import Json, JsonObject
from benchmarks.servers import Endpoint, Holdfast, endpoint, started

CALLS = 5
WARM_UP_RUNS = 20
WAIT_SECONDS = 60
LOOK_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 2.0
"""Less than the API's: a connection it is about to close must not be given a run to start."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    runs: int
    at_once: int
    alone: int


@dataclass(frozen=True)
class Round:
    """One round: runs per second with many at once, and the median milliseconds of one alone."""

    runs_per_second: float
    milliseconds_alone: float


def definition(url: str, name: str = "call") -> JsonObject:
    """Five requests in a row, `<name>_1` to `<name>_5`; each is its own effect with its own outcome row."""
    steps = [
        {"id": f"{name}_{number}", "type": "action", "action": "http.request", "inputs": {"url": f"{url}/{number}"}}
        for number in range(1, CALLS + 1)
    ]
    return {"trigger": {"type": "manual"}, "steps": steps, "output": f"{{{{ steps.{name}_5.output.status_code }}}}"}


class Runner:
    """Starts runs of one published workflow and waits for their end."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base
        self.workflow = ""

    async def publish(self, document: JsonObject) -> None:
        """Make the workflow that is measured."""
        created = await self.post("/v1/workflows", {"name": f"Benchmark {time.time_ns()}", "definition": document})
        self.workflow = created["id"]
        await self.post(f"/v1/workflows/{self.workflow}/publish", {})

    async def run(self) -> float:
        """One run from request to answer, in seconds; anything but `completed` ends the measurement."""
        began = time.perf_counter()
        run = await self.post(f"/v1/workflows/{self.workflow}/runs", {}, {"Prefer": f"wait={WAIT_SECONDS}"})
        seconds = time.perf_counter() - began
        if run["status"] != "completed":
            raise SystemExit(f"run {run['id']} is {run['status']}: {run.get('error')}")
        return seconds

    async def start(self, input: Json = None) -> str:
        """A run that is not waited for; its id."""
        run = await self.post(f"/v1/workflows/{self.workflow}/runs", {"input": input})
        return str(run["id"])

    async def ended(self, run_id: str, *, within: float) -> JsonObject:
        """The run at its end; not ended within so many seconds ends the measurement."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            run = await self.get(f"/v1/runs/{run_id}")
            if run.get("finished_at"):
                return run
            await asyncio.sleep(LOOK_SECONDS)
        raise SystemExit(f"run {run_id} had not ended after {within:g} seconds")

    async def get(self, path: str) -> JsonObject:
        """The answer's content; a refusal ends the measurement."""
        async with self._session.get(f"{self._base}{path}") as answer:
            return await _content(f"GET {path}", answer)

    async def archive(self) -> None:
        """Put the workflow away again."""
        await self.post(f"/v1/workflows/{self.workflow}/archive", None)

    async def post(self, path: str, body: JsonObject | None, headers: dict[str, str] | None = None) -> JsonObject:
        """The answer's content; a refusal ends the measurement."""
        async with self._session.post(f"{self._base}{path}", json=body, headers=headers) as answer:
            return await _content(f"POST {path}", answer)


async def _content(call: str, answer: aiohttp.ClientResponse) -> JsonObject:
    text = await answer.text()
    if answer.status >= 400:
        raise SystemExit(f"{call} answered {answer.status}: {text[:500]}")
    content: JsonObject = json.loads(text)
    return content


async def many(runner: Runner, runs: int, at_once: int) -> float:
    """Runs per second with `at_once` under way all the time."""
    left = iter(range(runs))

    async def client() -> None:
        for _ in left:
            await runner.run()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(client())
    return runs / (time.perf_counter() - began)


async def _round(runner: Runner, plan: Plan) -> Round:
    rate = await many(runner, plan.runs, plan.at_once)
    alone = [await runner.run() for _ in range(plan.alone)]
    return Round(rate, statistics.median(alone) * 1000)


async def measure(holdfast: Holdfast, called: Endpoint, plan: Plan) -> list[Round]:
    """All rounds against one server, after a warm-up that is not counted."""
    limit = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
    headers = {"Authorization": f"Bearer {holdfast.key}"}
    async with aiohttp.ClientSession(connector=limit, headers=headers) as session:
        runner = Runner(session, holdfast.url)
        await runner.publish(definition(called.url))
        await many(runner, WARM_UP_RUNS, min(plan.at_once, WARM_UP_RUNS))
        rounds = [await _round(runner, plan) for _ in range(plan.rounds)]
        await runner.archive()
    expected = CALLS * (WARM_UP_RUNS + plan.rounds * (plan.runs + plan.alone))
    if len(called.keys) != expected or len(set(called.keys)) != expected:
        raise SystemExit(f"{expected} calls were due, {len(called.keys)} came, {len(set(called.keys))} distinct ones")
    return rounds


@asynccontextmanager
async def _holdfast(url: str | None, key: str | None) -> AsyncIterator[Holdfast]:
    if url is not None:
        yield Holdfast(url.rstrip("/"), key or os.environ.get("HOLDFAST_API_KEY", ""))
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        async with started(Path(folder) / "data") as holdfast:
            yield holdfast


def report(rounds: list[Round], plan: Plan, console: Console) -> JsonObject:
    """Print the table; answers with the same numbers for programs."""
    rate = statistics.median(each.runs_per_second for each in rounds)
    alone = statistics.median(each.milliseconds_alone for each in rounds)
    table = Table(title=f"A run of {CALLS} http.request steps, through the API")
    table.add_column("round")
    table.add_column(f"runs/s, {plan.at_once} at once", justify="right")
    table.add_column("ms alone (median)", justify="right")
    for number, each in enumerate(rounds, start=1):
        table.add_row(str(number), f"{each.runs_per_second:.1f}", f"{each.milliseconds_alone:.1f}")
    table.add_section()
    table.add_row("median", f"{rate:.1f}", f"{alone:.1f}", style="bold")
    console.print(table)
    return {
        "benchmark": "five_http_calls",
        "runs_per_second": round(rate, 1),
        "milliseconds_alone": round(alone, 1),
        "rounds": [[round(each.runs_per_second, 1), round(each.milliseconds_alone, 1)] for each in rounds],
        "plan": vars(plan),
        "processors": os.cpu_count(),
    }


async def main() -> None:
    """Read the arguments, measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--url", help="address of a running Holdfast; default: start one")
    parser.add_argument("--key", help="its API key; default HOLDFAST_API_KEY")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=300, help="runs of the throughput part, each round")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--alone", type=int, default=30, help="runs one after the other, each round")
    arguments = parser.parse_args()
    plan = Plan(arguments.rounds, arguments.runs, arguments.at_once, arguments.alone)
    async with endpoint() as called, _holdfast(arguments.url, arguments.key) as holdfast:
        rounds = await measure(holdfast, called, plan)
    print(json.dumps(report(rounds, plan, Console())))


if __name__ == "__main__":
    asyncio.run(main())
