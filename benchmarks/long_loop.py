"""A loop of ten thousand items with an `http.request` in each: how long, and how large its histories in Temporal get.

Once one item at a time and once twenty. Told are the seconds, the Temporal executions the run went through, events and
bytes of the largest of their histories, and how the worker's memory grew. The run must complete with every item's
result in its place and every call must have been made exactly once, or there is no number.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table
from temporalio.client import Client

from app.cli.state import DevState, running_group
from app.json import JsonObject
from app.temporal import names
from benchmarks.five_http_calls import Runner
from benchmarks.servers import Endpoint, Holdfast, endpoint, started

WARM_UP_ITEMS = 200
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Loop:
    """One run of the loop. Bytes are those of the histories as Temporal keeps them, memory is the worker's resident."""

    items: int
    concurrency: int
    seconds: float
    executions: int
    most_events: int
    most_bytes: int
    memory_before: int
    memory_most: int
    memory_after: int


def definition(url: str, items: int, concurrency: int) -> JsonObject:
    """One request for each number, each answered with the number; the run's output tells how many there were."""
    call = {"id": "call", "type": "action", "action": "http.request", "inputs": {"url": f"{url}/{{{{ item }}}}"}}
    loop = {"id": "each", "type": "loop", "items": f"{{{{ range({items}) }}}}", "concurrency": concurrency}
    collect = {"collect": {"item": "{{ item }}", "answer": "{{ steps.call.output.body }}"}}
    output = {"count": "{{ steps.each.output.count }}", "last": "{{ steps.each.output.results[-1].item }}"}
    return {"trigger": {"type": "manual"}, "steps": [loop | collect | {"steps": [call]}], "output": output}


class Memory:
    """The most resident memory a process was seen with."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.most = 0

    def now(self) -> int:
        """Bytes this moment."""
        found: int = self._process.memory_info().rss
        self.most = max(self.most, found)
        return found

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look twice a second as long as the block goes on."""

        async def look() -> None:
            while True:
                self.now()
                await asyncio.sleep(_LOOK_SECONDS)

        self.most = 0
        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()


async def measure(
    holdfast: Holdfast, group: DevState, called: Endpoint, *, items: int, concurrency: int, within: float
) -> Loop:
    """One run of so many items, so many at a time; `within` seconds, or there is no number."""
    called.keys.clear()
    memory = Memory(group.children["Worker"].pid)
    before = memory.now()
    headers = {"Authorization": f"Bearer {holdfast.key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        runner = Runner(session, holdfast.url)
        await runner.publish(definition(called.url, items, concurrency))
        began = time.perf_counter()
        async with memory.watched():
            run = await runner.ended(await runner.start(), within=within)
        seconds = time.perf_counter() - began
    if run["status"] != "completed" or run["output"] != {"count": items, "last": items - 1}:
        raise SystemExit(f"run {run['id']} is {run['status']}: {run.get('error') or run.get('output')}")
    if not len(called.keys) == len(set(called.keys)) == items:
        raise SystemExit(f"{items} calls were due, {len(called.keys)} came, {len(set(called.keys))} distinct ones")
    histories = [size async for size in _histories(group, run["id"])]
    return Loop(
        items=items,
        concurrency=concurrency,
        seconds=round(seconds, 1),
        executions=len(histories),
        most_events=max(events for events, _ in histories),
        most_bytes=max(size for _, size in histories),
        memory_before=before,
        memory_most=memory.most,
        memory_after=memory.now(),
    )


async def _histories(group: DevState, run_id: str) -> AsyncIterator[tuple[int, int]]:
    """Events and bytes of each execution of the run, the last one first."""
    client = await Client.connect(group.temporal_address)
    execution: str | None = None
    while execution != "":
        handle = client.get_workflow_handle(names.workflow_id(run_id), run_id=execution)
        events: list[Any] = [event async for event in handle.fetch_history_events()]
        yield len(events), sum(event.ByteSize() for event in events)
        execution = events[0].workflow_execution_started_event_attributes.continued_execution_run_id


def report(loops: list[Loop], console: Console) -> JsonObject:
    """Print the table; answers with the same numbers for programs."""
    table = Table(title=f"A loop of {loops[0].items:,} items with an http.request in each")
    table.add_column("items at a time")
    for each in loops:
        table.add_column(str(each.concurrency), justify="right")
    rows = {
        "seconds": [f"{each.seconds:.0f}" for each in loops],
        "items a second": [f"{each.items / each.seconds:.0f}" for each in loops],
        "executions in Temporal": [str(each.executions) for each in loops],
        "events of the largest": [f"{each.most_events:,}" for each in loops],
        "its size, MB": [_megabytes(each.most_bytes) for each in loops],
        "worker's memory before, MB": [_megabytes(each.memory_before) for each in loops],
        "most, MB": [_megabytes(each.memory_most) for each in loops],
        "after, MB": [_megabytes(each.memory_after) for each in loops],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)
    return {"benchmark": "long_loop", "loops": [asdict(each) for each in loops], "processors": os.cpu_count()}


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f}"


async def main() -> None:
    """Read the arguments, measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--at-a-time", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--within", type=float, default=3600, help="seconds a run may take")
    arguments = parser.parse_args()
    loops = []
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        data_dir = Path(folder) / "data"
        async with endpoint() as called, started(data_dir) as holdfast:
            group = running_group(data_dir)
            assert group is not None, "it was started here"
            # What a worker loads once is not the loop's.
            await measure(holdfast, group, called, items=WARM_UP_ITEMS, concurrency=10, within=arguments.within)
            for concurrency in arguments.at_a_time:
                loop = await measure(
                    holdfast, group, called, items=arguments.items, concurrency=concurrency, within=arguments.within
                )
                loops.append(loop)
    print(json.dumps(report(loops, Console())))


if __name__ == "__main__":
    asyncio.run(main())
