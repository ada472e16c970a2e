"""A thousand workflows with a schedule each: how long it takes to publish and to pause them, and until Temporal has it.

Each is made and published through the API, ten at a time; then each is paused, activated again and archived. Told are
for each of these the milliseconds of a request and the seconds of all, and how long after the last request Temporal has
every schedule as it should be: as many as there are, paused, running, and none. A few requests of each kind one after
the other tell what it costs without others. Temporal is asked itself, by its list of schedules, which may lag behind;
that nothing is behind in Holdfast's own rows is looked at as well.
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
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table
from temporalio.client import Client

from app.cli.state import running_group
from app.json import Json, JsonObject
from benchmarks.five_http_calls import KEEP_ALIVE_SECONDS
from benchmarks.servers import Holdfast, started

ALONE = 50
"""Requests of each kind that are made one after the other."""
WITHIN_SECONDS = 300.0
_LOOK_SECONDS = 0.1
_PAGE = 200
_GROUP_SECONDS = 60.0
_OURS = "schedule-"


@dataclass(frozen=True)
class Change:
    """What one kind of request took: milliseconds of one alone and of one among others, and seconds of all of them.

    `behind` is how many seconds after the last answer Temporal's list said so.
    """

    what: str
    alone: float
    median: float
    p99: float
    seconds: float
    behind: float


class Api:
    """The API of the Holdfast that is measured."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def call(self, method: str, path: str, body: Json = None) -> Json:
        """The answer; anything but success ends the program."""
        async with self._session.request(method, self._url + path, json=body) as answer:
            if not answer.ok:
                raise SystemExit(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()


async def measure(holdfast: Holdfast, temporal: Client, count: int, at_once: int) -> list[Change]:
    """Publish, pause, activate and archive so many workflows with a schedule each."""
    limit = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
    headers = {"Authorization": f"Bearer {holdfast.key}"}
    async with aiohttp.ClientSession(connector=limit, headers=headers) as session:
        api = Api(session, holdfast.url)
        ids = await _drafts(api, count, at_once)
        changes = []
        for what, there, paused in (("publish", count, 0), ("pause", count, count), ("activate", count, 0)):
            changes.append(await _change(api, temporal, ids, what, at_once=at_once, there=there, paused=paused))
            await _none_behind(api, count)
        changes.append(await _change(api, temporal, ids, "archive", at_once=at_once, there=0, paused=0))
    return changes


async def _drafts(api: Api, count: int, at_once: int) -> list[str]:
    steps = [{"id": "note", "type": "transform", "mapping": {"at": "{{ trigger.scheduled_for }}"}}]
    ids: list[str] = []

    async def make(number: int) -> None:
        cron = f"{number % 60} {number // 60 % 24} 1 1 *"
        trigger = {"type": "schedule", "cron": cron, "timezone": "Europe/Vienna"}
        body = {"name": f"Scheduled {number}", "definition": {"trigger": trigger, "steps": steps}}
        ids.append((await api.call("POST", "/v1/workflows", body))["id"])

    await _each(range(count), at_once, make)
    return ids


async def _change(
    api: Api, temporal: Client, ids: Sequence[str], what: str, *, at_once: int, there: int, paused: int
) -> Change:
    took: list[float] = []

    async def ask(workflow_id: str) -> None:
        began = time.perf_counter()
        await api.call("POST", f"/v1/workflows/{workflow_id}/{what}", {} if what == "publish" else None)
        took.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    alone = ids[:ALONE]
    await _each(alone, 1, ask)
    by_itself = statistics.median(took)
    took.clear()
    await _each(ids[ALONE:], at_once, ask)
    seconds = time.perf_counter() - began
    await _temporal_has(temporal, there, paused)
    return Change(
        what=what,
        alone=round(by_itself, 1),
        median=round(statistics.median(took), 1),
        p99=round(statistics.quantiles(took, n=100)[98], 1),
        seconds=round(seconds, 2),
        behind=round(time.perf_counter() - began - seconds, 2),
    )


async def _each(what: Sequence[object], at_once: int, act: Callable[..., Awaitable[None]]) -> None:
    """Act on each, so many at a time."""
    left = iter(what)

    async def client() -> None:
        for each in left:
            await act(each)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(client())


async def _temporal_has(temporal: Client, there: int, paused: int) -> None:
    """Wait until Temporal lists so many schedules of ours, so many of them paused."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        found = [one async for one in await temporal.list_schedules(page_size=1000) if one.id.startswith(_OURS)]
        resting = sum(one.schedule is not None and one.schedule.state.paused for one in found)
        if (len(found), resting) == (there, paused):
            return
        if time.monotonic() >= deadline:
            raise SystemExit(f"Temporal has {len(found)} schedules, {resting} paused; expected {there}, {paused}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _none_behind(api: Api, count: int) -> None:
    """Every schedule is there, and in step as far as Holdfast knows."""
    found: list[JsonObject] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await api.call("GET", f"/v1/schedules?limit={_PAGE}" + (f"&cursor={cursor}" if cursor else ""))
        found += page["items"]
        cursor = page["next_cursor"]
    behind = [one["id"] for one in found if not one["in_step"]]
    if behind or len(found) != count:
        raise SystemExit(f"{len(found)} schedules are there, {len(behind)} not in step")


async def _temporal(data_dir: Path) -> Client:
    deadline = time.monotonic() + _GROUP_SECONDS
    while time.monotonic() < deadline:
        group = running_group(data_dir)
        if group is not None and group.temporal_address:
            return await Client.connect(group.temporal_address)
        await asyncio.sleep(_LOOK_SECONDS)
    raise SystemExit(f"the servers in {data_dir} did not all start within {_GROUP_SECONDS:g} seconds")


def report(changes: Sequence[Change], count: int, at_once: int, console: Console) -> JsonObject:
    """Print the table; answers with the same numbers for programs."""
    table = Table(title=f"{count:,} workflows with a schedule each, {at_once} requests at a time")
    for column in ("", "alone, ms", "median, ms", "99 of 100 within, ms", "all, s", "Temporal has it after, s"):
        table.add_column(column, justify="right" if column else "left")
    for one in changes:
        table.add_row(
            one.what,
            f"{one.alone:.1f}",
            f"{one.median:.1f}",
            f"{one.p99:.1f}",
            f"{one.seconds:.2f}",
            f"{one.behind:.2f}",
        )
    console.print(table)
    told = [asdict(one) for one in changes]
    return {
        "benchmark": "schedules",
        "schedules": count,
        "at_once": at_once,
        "changes": told,
        "processors": os.cpu_count(),
    }


async def main() -> None:
    """Read the arguments, measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=10)
    given = parser.parse_args()
    if given.schedules < 2 * ALONE:
        parser.error(f"--schedules: {2 * ALONE} at least")
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", ignore_cleanup_errors=True) as folder:
        data_dir = Path(folder) / "data"
        async with started(data_dir) as holdfast:
            changes = await measure(holdfast, await _temporal(data_dir), given.schedules, given.at_once)
    print(json.dumps(report(changes, given.schedules, given.at_once, Console())))


if __name__ == "__main__":
    asyncio.run(main())
