"""What it costs each request that somebody must be who they say, and that no workspace sees another's rows.

The same requests to the same application over four ways: as it is; without authentication (who asks, and whether they
may, is taken for granted); on a copy of the database whose tables have no row-level security, over transactions that
name no workspace; and without both. Everything is in one process but PostgreSQL, and requests are handed to the
application itself: an HTTP server and a client in between would only make the share of what is measured smaller.

The four take turns in every round, in a rotating order; told are the medians of the rounds, and for each of the three
the median of its rounds' ratios to the way without. Keys are known to the process here, as those of whoever sends more
than a request in five seconds are (`--cold` forgets them before each request). An answer that is not the
expected one ends the measurement.
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import uvloop
from fastapi import FastAPI
from psycopg import sql
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import actor_of, permitted
from api.main import create_app
from app.db.engine import Database, driver_url
from app.db.migrate import migrate
from app.embedded.postgres import EmbeddedPostgres
from app.json import JsonObject
from app.services import workflows
from app.services.actors import Actor
from app.services.platform import Platform, open_platform
from app.services.workspaces import authenticate, create_workspace
from app.settings import Settings

MOST_OF_THROUGHPUT = 15.0
"""Percent that authentication and row-level security may take together."""
WORKFLOWS = 50
WARM_UP = 100
_BARE = "bare"


@dataclass(frozen=True)
class Plan:
    """How much is measured: requests of each way, each round."""

    rounds: int
    requests: int
    at_once: int


@dataclass(frozen=True)
class Asked:
    """A request that each way answers alike."""

    shown: str
    path: str
    expected: Callable[[JsonObject], bool]


class BareDatabase(Database):
    """Transactions that name no workspace."""

    @asynccontextmanager
    async def transaction(self, workspace_id: UUID) -> AsyncIterator[AsyncSession]:
        """As `Database.transaction`, without what row-level security needs."""
        with self._translated():
            async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
                connection = await session.connection()
                driver: Any = (await connection.get_raw_connection()).driver_connection
                await driver.execute("BEGIN")
                yield session


def copied_bare(owner_url: str, app_url: str) -> str:
    """A copy of the database whose tables have no row-level security; the application's URL of it."""
    url = driver_url(owner_url).set(drivername="postgresql")
    name = sql.Identifier(_BARE)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(url.database or "")))
    with psycopg.connect(url.set(database=_BARE).render_as_string(hide_password=False), autocommit=True) as owner:
        tables = owner.execute("SELECT relname FROM pg_class WHERE relrowsecurity").fetchall()
        for (table,) in tables:
            owner.execute(sql.SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY").format(sql.Identifier(table)))
        owner.execute("VACUUM ANALYZE")
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    bare = driver_url(app_url).set(drivername="postgresql", database=_BARE)
    return bare.render_as_string(hide_password=False)


@asynccontextmanager
async def opened(owner_url: str, app_url: str) -> AsyncIterator[tuple[Platform, Platform, str, list[Asked]]]:
    """A platform and one over the bare copy, a key of a workspace with workflows, and requests about them."""
    settings = Settings(database_url=app_url)
    # A connection to the database would keep it from being copied.
    async with open_platform(settings) as platform:
        key, asked = await _filled(platform)
    changed = settings.model_copy(update={"database_url": await asyncio.to_thread(copied_bare, owner_url, app_url)})
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(open_platform(settings))
        bare = await stack.enter_async_context(open_platform(changed))
        database = BareDatabase(changed)
        stack.push_async_callback(database.close)
        yield platform, replace(bare, database=database), key, asked


async def _filled(platform: Platform) -> tuple[str, list[Asked]]:
    for number in range(20):
        await create_workspace(platform, f"Other {number}")
    _, key = await create_workspace(platform, "Measured")
    actor = await authenticate(platform, key)
    steps = [{"id": f"step{number}", "type": "transform", "mapping": {"a": number}} for number in range(10)]
    ids = [
        (
            await workflows.create(platform, actor.workspace_id, name=f"Workflow {number}", definition={"steps": steps})
        ).id
        for number in range(WORKFLOWS)
    ]
    return key, [
        Asked("GET /workflows/{id}", f"/v1/workflows/{ids[0]}", lambda found: found["id"] == str(ids[0])),
        Asked("GET /workflows", "/v1/workflows?limit=20", lambda found: len(found["items"]) == 20),
        Asked("GET /runs", "/v1/runs", lambda found: found["items"] == []),
    ]


@dataclass(frozen=True)
class Way:
    """An application, a key for it, and what is done before each request."""

    app: FastAPI
    key: str
    before: Callable[[], None]

    async def answer(self, asked: Asked) -> None:
        """One request, as a server hands it over; it must be answered as expected."""
        path, _, query = asked.path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(b"host", b"holdfast.test"), (b"authorization", f"Bearer {self.key}".encode())],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip
        status, body = 0, bytearray()

        async def receive() -> JsonObject:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            body.extend(message.get("body", b""))

        self.before()
        await self.app(scope, receive, send)
        if status != 200 or not asked.expected(json.loads(body)):
            raise SystemExit(f"{asked.path} was answered with {status}: {bytes(body[:500])!r}")

    async def per_second(self, asked: Asked, requests: int, at_once: int) -> float:
        """So many requests, so many at a time."""
        left = iter(range(requests))

        async def caller() -> None:
            for _ in left:
                await self.answer(asked)

        gc.collect()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(caller())
        return requests / (time.perf_counter() - began)


def ways(platform: Platform, bare: Platform, key: str, actor: Actor, *, cold: bool) -> dict[str, Way]:
    """The four ways, by what they leave out."""

    async def taken_for_granted() -> Actor:
        return actor

    async def nothing() -> None: ...

    def forget() -> None:
        if cold:
            platform.actors.clear()
            bare.actors.clear()

    def way(over: Platform, *, authenticates: bool) -> Way:
        app = create_app(over)
        if not authenticates:
            app.dependency_overrides |= {actor_of: taken_for_granted, permitted: nothing}
        return Way(app, key, forget)

    return {
        "as it is": way(platform, authenticates=True),
        "without authentication": way(platform, authenticates=False),
        "without row-level security": way(bare, authenticates=True),
        "without both": way(bare, authenticates=False),
    }


async def measure(found: dict[str, Way], asked: Asked, plan: Plan) -> dict[str, list[float]]:
    """By way, requests a second in each round."""
    names = list(found)
    measured: dict[str, list[float]] = {name: [] for name in names}
    for way in found.values():
        await way.per_second(asked, WARM_UP, plan.at_once)
    for number in range(plan.rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(await found[name].per_second(asked, plan.requests, plan.at_once))
    return measured


def costs(measured: dict[str, list[float]]) -> dict[str, float]:
    """Percent of throughput: of both together, and of each while the other is there."""
    full = measured["as it is"]

    def percent(other: str) -> float:
        ratios = [a / b for a, b in zip(full, measured[other], strict=True)]
        return round(100 * (1 - statistics.median(ratios)), 1)

    return {
        "authentication": percent("without authentication"),
        "row-level security": percent("without row-level security"),
        "both": percent("without both"),
    }


def report(results: dict[str, dict[str, list[float]]], plan: Plan, console: Console) -> JsonObject:
    """Print the table; answers with the same numbers for programs."""
    table = Table(title=f"Requests a second, {plan.at_once} at once; medians of {plan.rounds} rounds")
    names = list(next(iter(results.values())))
    for column in ("request", *names, "authentication", "row-level security", "both"):
        table.add_column(column, justify="left" if column == "request" else "right")
    found: JsonObject = {}
    for request, measured in results.items():
        medians = {name: round(statistics.median(measured[name]), 1) for name in names}
        shares = costs(measured)
        table.add_row(
            request, *(f"{value:.0f}" for value in medians.values()), *(f"{each} %" for each in shares.values())
        )
        found[request] = {"per_second": medians, "percent": shares}
    console.print(table)
    worst = max(each["percent"]["both"] for each in found.values())
    console.print(f"At most {worst} % of throughput; {MOST_OF_THROUGHPUT:g} % is what it may be.")
    return {"benchmark": "request_cost", "requests": found, "plan": asdict(plan), "processors": os.cpu_count()}


async def measured_all(owner_url: str, app_url: str, plan: Plan, *, cold: bool) -> dict[str, dict[str, list[float]]]:
    """By request, what was measured of it."""
    async with opened(owner_url, app_url) as (platform, bare, key, requests):
        found = ways(platform, bare, key, await authenticate(platform, key), cold=cold)
        return {asked.shown: await measure(found, asked, plan) for asked in requests}


def main() -> None:
    """Read the arguments, measure, print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=300, help="requests of each way, each round")
    parser.add_argument("--at-once", type=int, default=10)
    parser.add_argument("--cold", action="store_true", help="forget whose key it is before each request")
    arguments = vars(parser.parse_args())
    cold = arguments.pop("cold")
    plan = Plan(**arguments)
    # uvloop starts no program as another account, as PostgreSQL has to be where this runs as root.
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, asyncio.Runner() as runner:
        os.chmod(folder, 0o755)
        postgres = EmbeddedPostgres(Path(folder) / "data")
        runner.run(postgres.start())
        try:
            migrate(postgres.owner_url, postgres.app_url)
            results = uvloop.run(measured_all(postgres.owner_url, postgres.app_url, plan, cold=cold))
        finally:
            runner.run(postgres.stop())
    print(json.dumps(report(results, plan, Console())))


if __name__ == "__main__":
    main()
