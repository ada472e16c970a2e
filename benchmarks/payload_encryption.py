"""What encryption of payloads costs a run of five `http.request` steps: the same runs on the same servers, in a
workspace with a payload key and in one without, in turns.

Both are compressed alike. The ratio of each round is of its own two measurements, and the median of the ratios is what
is told; more than `BOUND` ends with an error. Every run must end completed.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from app.services import payload_keys
from app.services.platform import open_platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from benchmarks.five_http_calls import KEEP_ALIVE_SECONDS, Runner, definition, many
from benchmarks.servers import endpoint, started_with

BOUND = 1.10
WARM_UP = 60


async def encrypted_workspace(settings: Settings) -> str:
    """A workspace with a payload key; an API key of it."""
    async with open_platform(settings) as platform:
        row, key = await create_workspace(platform, "Encrypted")
        await payload_keys.create(platform, row.workspace_id, created_by="benchmark")
    return key


async def measure(rounds: int, runs: int, at_once: int) -> list[tuple[float, float]]:
    """Runs per second of each round, without and with encryption."""
    os.environ["HOLDFAST_PAYLOAD_ENCRYPTION"] = "on"
    async with AsyncExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-"))
        holdfast = await running.enter_async_context(started_with(Path(folder) / "data", "worker.main"))
        called = await running.enter_async_context(endpoint())
        assert holdfast.settings is not None
        runners: list[Runner] = []
        for key in (holdfast.key, await encrypted_workspace(holdfast.settings)):
            session = await running.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                    headers={"Authorization": f"Bearer {key}"},
                )
            )
            runners.append(Runner(session, holdfast.url))
            await runners[-1].publish(definition(called.url))
            await many(runners[-1], WARM_UP, min(at_once, WARM_UP))
        found: list[tuple[float, float]] = []
        for number in range(rounds):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            rates = {which: await many(runners[which], runs, at_once) for which in order}
            found.append((rates[0], rates[1]))
        return found


def report(found: list[tuple[float, float]], console: Console) -> float:
    """Print the table; answers with the median of plain to encrypted throughput."""
    table = Table(title="A run of five http.request steps, runs/s")
    for title in ("round", "plain", "encrypted", "cost"):
        table.add_column(title, justify="right")
    for number, (plain, encrypted) in enumerate(found, start=1):
        table.add_row(str(number), f"{plain:.1f}", f"{encrypted:.1f}", f"{plain / encrypted - 1:+.1%}")
    ratio = statistics.median(plain / encrypted for plain, encrypted in found)
    table.add_section()
    medians = [statistics.median(column) for column in zip(*found, strict=True)]
    table.add_row("median", *(f"{each:.1f}" for each in medians), f"{ratio - 1:+.1%}", style="bold")
    console.print(table)
    return ratio


async def main() -> None:
    """Read the arguments, measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=150, help="runs of each kind, each round")
    parser.add_argument("--at-once", type=int, default=20)
    arguments = parser.parse_args()
    found = await measure(arguments.rounds, arguments.runs, arguments.at_once)
    ratio = report(found, Console(file=sys.stderr))
    told = {"benchmark": "payload_encryption", "cost": round(ratio - 1, 3), "bound": round(BOUND - 1, 3)}
    print(json.dumps({**told, "rounds": found, "plan": vars(arguments), "processors": os.cpu_count()}))
    if ratio > BOUND:
        raise SystemExit(f"encryption takes more than {BOUND - 1:.0%} of the throughput")


if __name__ == "__main__":
    asyncio.run(main())
