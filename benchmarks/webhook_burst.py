"""A burst of webhooks: signed deliveries as fast as a client can send them, some of them twice. None may be lost, none
doubled, and the API must go on answering others meanwhile.

Printed are deliveries a second, the milliseconds to their answers, and what it costs somebody else to list runs while
it goes on, against before. Every delivery must be answered with 202, be found in the log, and have started exactly one
run, or there is no number.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table
from standardwebhooks import Webhook

from app.json import JsonObject
from benchmarks.servers import started

REPEATED_EVERY = 10
"""Of so many deliveries one is sent twice."""
LOOK_SECONDS = 0.1
QUIET_SECONDS = 5.0
DONE_SECONDS = 600.0

DEFINITION: JsonObject = {
    "trigger": {"type": "webhook"},
    "steps": [{"id": "seen", "type": "transform", "mapping": {"number": "{{ trigger.body.number }}"}}],
    "output": "{{ steps.seen.output.number }}",
}


@dataclass
class Looks:
    """Milliseconds of requests of somebody else."""

    runs: list[float] = field(default_factory=list)
    healthz: list[float] = field(default_factory=list)


class Client:
    """Calls of one server, which must succeed."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session = session
        self._url = url
        self._key = {"Authorization": f"Bearer {key}"}

    async def get(self, path: str) -> JsonObject:
        """The answer's content."""
        async with self._session.get(self._url + path, headers=self._key) as answer:
            content: JsonObject = await answer.json()
            if answer.status != 200:
                raise SystemExit(f"GET {path} answered {answer.status}: {content}")
            return content

    async def post(self, path: str, body: JsonObject) -> JsonObject:
        """The answer's content."""
        async with self._session.post(self._url + path, json=body, headers=self._key) as answer:
            content: JsonObject = await answer.json()
            if answer.status >= 300:
                raise SystemExit(f"POST {path} answered {answer.status}: {content}")
            return content

    async def deliver(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[float, JsonObject]:
        """Milliseconds to the answer, and the answer, which must be 202."""
        began = time.perf_counter()
        async with self._session.post(self._url + path, data=body, headers=headers) as answer:
            content: JsonObject = await answer.json()
            if answer.status != 202:
                raise SystemExit(f"a delivery was answered {answer.status}: {content}")
        return (time.perf_counter() - began) * 1000, content

    async def all(self, path: str) -> list[JsonObject]:
        """The items of a list on all its pages."""
        found: list[JsonObject] = []
        cursor = ""
        while True:
            page = await self.get(f"{path}{'&' if '?' in path else '?'}limit=200{cursor}")
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"


async def measure(url: str, key: str, deliveries: int, at_once: int) -> JsonObject:
    """One burst, from its first delivery to the end of its last run."""
    # Given up before the server does: a request on a connection that is just being closed fails.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=120)) as session:
        client = Client(session, url, key)
        workflow = await client.post("/v1/workflows", {"name": f"Burst {time.time_ns()}", "definition": DEFINITION})
        await client.post(f"/v1/workflows/{workflow['id']}/publish", {})
        hook = await client.post(f"/v1/workflows/{workflow['id']}/webhooks", {})
        warm = [client.deliver(hook["path"], *signed(hook["secret"], -number)) for number in range(1, 51)]
        await asyncio.gather(*warm)
        await until_done(client, workflow["id"], len(warm))
        before, during = Looks(), Looks()
        await look(client, before, asyncio.create_task(asyncio.sleep(QUIET_SECONDS)))
        sending = asyncio.create_task(send(client, hook, deliveries, at_once))
        await look(client, during, sending)
        milliseconds, seconds, answers = await sending
        began = time.perf_counter()
        await until_done(client, workflow["id"], deliveries + len(warm))
        drained = time.perf_counter() - began
        await judge(client, hook, answers, deliveries, len(warm))
    return {
        "deliveries": len(answers),
        "different": deliveries,
        "per_second": round(len(answers) / seconds, 1),
        "median_ms": round(statistics.median(milliseconds), 1),
        "p99_ms": round(quantile(milliseconds, 0.99), 1),
        "seconds_to_last_run_after": round(drained, 1),
        "runs_list_before_ms": round(statistics.median(before.runs), 1),
        "runs_list_during_ms": round(statistics.median(during.runs), 1),
        "runs_list_during_p99_ms": round(quantile(during.runs, 0.99), 1),
        "runs_list_ratio": round(statistics.median(during.runs) / statistics.median(before.runs), 1),
        "healthz_before_ms": round(statistics.median(before.healthz), 1),
        "healthz_during_ms": round(statistics.median(during.healthz), 1),
    }


def signed(secret: str, number: int) -> tuple[bytes, dict[str, str]]:
    """A delivery with its headers."""
    body, at, id = json.dumps({"number": number, "text": "x" * 500}), datetime.now(UTC), f"msg_{number}"
    return body.encode(), {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, at, body),
    }


async def send(
    client: Client, hook: JsonObject, deliveries: int, at_once: int
) -> tuple[list[float], float, list[JsonObject]]:
    """Milliseconds of each delivery, the seconds of all, and the answers."""
    requests = [signed(hook["secret"], number) for number in range(deliveries)]
    left = iter([each for number, one in enumerate(requests) for each in [one] * (2 - bool(number % REPEATED_EVERY))])
    milliseconds: list[float] = []
    answers: list[JsonObject] = []

    async def sender() -> None:
        for body, headers in left:
            took, answer = await client.deliver(hook["path"], body, headers)
            milliseconds.append(took)
            answers.append(answer)

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(at_once)))
    return milliseconds, time.perf_counter() - began, answers


async def look(client: Client, looks: Looks, until: "asyncio.Task[object]") -> None:
    """List runs and ask for life again and again, until the task is over."""
    while not until.done() or not looks.runs:
        for path, found in (("/v1/runs?limit=20", looks.runs), ("/healthz", looks.healthz)):
            began = time.perf_counter()
            await client.get(path)
            found.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(LOOK_SECONDS)


async def until_done(client: Client, workflow_id: str, runs: int) -> None:
    """Until so many runs of the workflow have completed."""
    deadline = time.monotonic() + DONE_SECONDS
    while time.monotonic() < deadline:
        workflow = await client.get(f"/v1/workflows/{workflow_id}")
        if workflow["stats"]["successful_runs"] >= runs:
            return
        await asyncio.sleep(0.5)
    raise SystemExit(f"{workflow['stats']['successful_runs']} of {runs} runs were done after {DONE_SECONDS:g} seconds")


async def judge(client: Client, hook: JsonObject, answers: Sequence[JsonObject], deliveries: int, warm: int) -> None:
    """None lost, none doubled: in the answers, in the log and in the runs."""
    twice = len(answers) - deliveries
    log = Counter(one["status"] for one in await client.all(f"/v1/webhooks/{hook['id']}/deliveries"))
    runs = [run["output"] for run in await client.all(f"/v1/runs?workflow_id={hook['workflow_id']}")]
    expected = [
        (Counter(answer["duplicate"] for answer in answers), Counter({False: deliveries, True: twice})),
        (log, Counter(accepted=deliveries + warm, duplicate=twice)),
        (sorted(runs), sorted([*range(deliveries), *(-number for number in range(1, warm + 1))])),
        (len({answer["delivery_id"] for answer in answers}), len(answers)),
    ]
    for found, wanted in expected:
        if found != wanted:
            raise SystemExit(f"lost or doubled: {str(found)[:500]}, not {str(wanted)[:500]}")
    counted = (await client.get(f"/v1/webhooks/{hook['id']}"))["total_calls"]
    if counted != len(answers) + warm:
        raise SystemExit(f"{counted} calls are counted of {len(answers) + warm}")


def quantile(values: Sequence[float], part: float) -> float:
    """The value that so large a part of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def show(found: JsonObject) -> None:
    """A table, and the same as JSON on the last line."""
    table = Table("measured", "")
    for name, value in found.items():
        table.add_row(name.replace("_", " "), str(value))
    Console().print(table)
    print(json.dumps(found))


async def main() -> None:
    """Measure against a fresh Holdfast, or one that runs already."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=2000, help="different ones; a tenth is sent twice")
    parser.add_argument("--at-once", type=int, default=100, help="requests under way at a time")
    parser.add_argument("--url", help="a Holdfast that runs already")
    parser.add_argument("--key", help="its API key")
    options = parser.parse_args()
    if options.url:
        show(await measure(options.url, options.key or "", options.deliveries, options.at_once))
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        async with started(Path(folder) / "data") as holdfast:
            show(await measure(holdfast.url, holdfast.key, options.deliveries, options.at_once))


if __name__ == "__main__":
    asyncio.run(main())
