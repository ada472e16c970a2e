"""Seconds from `holdfast dev` to ready (`/readyz` answers 200): on an empty data folder, and started again on the same.

Packages must be installed already: what is measured is the start, not the download.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.servers import started


async def _seconds(data_dir: Path) -> float:
    async with started(data_dir) as holdfast:
        assert holdfast.seconds_to_ready is not None, "it was started here"
        return holdfast.seconds_to_ready


async def main() -> None:
    """Measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds: int = parser.parse_args().rounds
    first: list[float] = []
    again: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            data_dir = Path(folder) / "data"
            first.append(await _seconds(data_dir))
            again.append(await _seconds(data_dir))
    table = Table(title="Seconds from `holdfast dev` to ready")
    table.add_column("start")
    table.add_column("rounds")
    table.add_column("median", justify="right", style="bold")
    for name, values in (("on an empty data folder", first), ("again", again)):
        table.add_row(name, "  ".join(f"{value:.2f}" for value in values), f"{statistics.median(values):.2f}")
    Console().print(table)
    numbers = {"first_seconds": round(statistics.median(first), 2), "again_seconds": round(statistics.median(again), 2)}
    print(json.dumps({"benchmark": "startup", **numbers, "rounds": [first, again], "processors": os.cpu_count()}))


if __name__ == "__main__":
    asyncio.run(main())
