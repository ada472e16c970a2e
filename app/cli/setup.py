"""One-shot jobs before the servers of an installation start: `migrate` and `temporal-setup`. Safe to do again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

import typer

from app.cli.exits import CliError, ExitCode
from app.cli.options import JsonOutput, load_settings
from app.cli.output import print_json, say

Wait = Annotated[float, typer.Option(help="Seconds to wait for the server to be there.", min=0)]


def migrate(wait: Wait = 0, json_output: JsonOutput = False) -> None:
    """Bring the database to the present shape and make the roles Holdfast works as.

    HOLDFAST_MIGRATION_DATABASE_URL names the owner of the tables, HOLDFAST_DATABASE_URL the role that sees one
    workspace at a time, HOLDFAST_PLATFORM_DATABASE_URL the one that may ask which there are.
    """
    import psycopg  # noqa: PLC0415 - database code takes a second to load; other commands need none
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    from app.db import migrate as migration  # noqa: PLC0415

    settings = load_settings()
    owner_url, app_url = settings.migration_database_url, settings.database_url
    if not owner_url or not app_url:
        missing = "HOLDFAST_DATABASE_URL" if owner_url else "HOLDFAST_MIGRATION_DATABASE_URL"
        raise CliError(ExitCode.USAGE, f"{missing} is not set")

    async def once() -> None:
        try:
            await asyncio.to_thread(migration.migrate, owner_url, app_url, settings.platform_database_url)
        except (migration.MigrationRefused, ValueError) as error:
            raise CliError(ExitCode.REFUSED, str(error), code="migration_refused") from error

    asyncio.run(_when_there(once, (psycopg.OperationalError, OperationalError), wait, "the database"))
    _done(json_output, "the database is up to date", {"revision": migration.head_revision()})


def temporal_setup(wait: Wait = 30, json_output: JsonOutput = False) -> None:
    """Make the Temporal namespace, the search attributes of Holdfast in it and its schedule, where they are missing."""
    from temporalio.service import RPCError  # noqa: PLC0415 - loads Temporal's client

    from app.temporal.connect import TemporalConnection  # noqa: PLC0415
    from app.temporal.names import UPKEEP_SCHEDULE  # noqa: PLC0415
    from app.temporal.schedule import ensure_upkeep  # noqa: PLC0415
    from app.temporal.setup import prepare  # noqa: PLC0415

    settings = load_settings()
    added: list[str] = []

    async def once() -> None:
        client = await TemporalConnection(settings).client()
        added.extend(await prepare(client))
        if await ensure_upkeep(client, timedelta(seconds=settings.upkeep_interval_seconds)):
            added.append(f"schedule {UPKEEP_SCHEDULE}")

    what = f"Temporal at {settings.resolved_temporal_address}"
    asyncio.run(_when_there(once, (RPCError, RuntimeError, TimeoutError), wait, what))
    _done(json_output, f"added: {', '.join(added)}" if added else "nothing to add", {"added": added})


async def _when_there(
    once: Callable[[], Awaitable[None]], away: tuple[type[Exception], ...], wait: float, what: str
) -> None:
    """Try until the server is there, for at most `wait` seconds; raises `CliError` when it is not."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return await once()
        except away as error:
            if time.monotonic() >= deadline:
                raise CliError(ExitCode.UNREACHABLE, f"{what} cannot be used: {error}") from error
        await asyncio.sleep(0.5)


def _done(as_json: bool, line: str, value: dict[str, object]) -> None:
    if as_json:
        print_json(value)
    else:
        say(line)
