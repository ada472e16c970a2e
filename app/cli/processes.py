"""The processes a server runs (`api`, `worker`) and the jobs before them (`migrate`, `temporal-setup`, `keys`).

API and worker are loaded by module name and run in this very process, so that its command line says what it is.
"""

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from app.cli.exits import CliError, ExitCode
from app.cli.options import DataDir, JsonOutput, load_settings
from app.cli.output import print_json, say
from app.cli.state import WORKSPACE_NAME, running_group
from app.settings import Settings

T = TypeVar("T")

Wait = Annotated[float, typer.Option(help="Seconds to wait for the server to be there.", min=0)]

keys_app = typer.Typer(no_args_is_help=True, help="API keys, made beside the database: no key is needed to make one.")


def api() -> None:
    """Run the API in the foreground. Settings come from HOLDFAST_* variables."""
    _run_module("api.main")


def worker() -> None:
    """Run a worker in the foreground. Settings come from HOLDFAST_* variables."""
    _run_module("worker.main")


def _run_module(name: str) -> None:
    """Raises `CliError` when its settings are not usable."""
    load_settings()
    raise typer.Exit(importlib.import_module(name).main() or 0)


def migrate(wait: Wait = 0, json_output: JsonOutput = False) -> None:
    """Bring the database to the present shape and make the role Holdfast works as.

    HOLDFAST_MIGRATION_DATABASE_URL names the owner of the tables, HOLDFAST_DATABASE_URL the role.
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
            await asyncio.to_thread(migration.migrate, owner_url, app_url)
        except (migration.MigrationRefused, ValueError) as error:
            raise CliError(ExitCode.REFUSED, str(error), code="migration_refused") from error

    asyncio.run(_when_there(once, (psycopg.OperationalError, OperationalError), wait, "the database"))
    _done(json_output, "the database is up to date", {"revision": migration.head_revision()})


def temporal_setup(wait: Wait = 0, json_output: JsonOutput = False) -> None:
    """Add the search attributes of Holdfast to the Temporal namespace, where they are missing."""
    from temporalio.service import RPCError  # noqa: PLC0415 - loads Temporal's client

    from app.temporal.connect import TemporalConnection  # noqa: PLC0415
    from app.temporal.setup import ensure_search_attributes  # noqa: PLC0415

    settings = load_settings()

    async def once() -> list[str]:
        return await ensure_search_attributes(await TemporalConnection(settings).client())

    what = f"Temporal at {settings.resolved_temporal_address}"
    added = asyncio.run(_when_there(once, (RPCError, RuntimeError, TimeoutError), wait, what))
    _done(json_output, f"added: {', '.join(added)}" if added else "nothing to add", {"added": added})


@keys_app.command("create")
def create_key(
    workspace: Annotated[UUID | None, typer.Option(help="Id of a workspace; without it a new one is made.")] = None,
    workspace_name: Annotated[str, typer.Option(help="Name of the new workspace.")] = WORKSPACE_NAME,
    name: Annotated[str, typer.Option(help="Name of the key, shown beside what was done with it.")] = "command line",
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Make an API key, for a workspace that is there or for a new one. It is shown now and never again."""
    from app.db.engine import RoleBypassesRowSecurity  # noqa: PLC0415 - loads the database's client
    from app.services.errors import Invalid, NotFound, Unavailable  # noqa: PLC0415

    settings = _with_database(load_settings(data_dir=data_dir))
    try:
        made, key = asyncio.run(_create_key(settings, workspace, workspace_name, name))
    except NotFound as error:
        raise CliError(ExitCode.NOT_FOUND, error.detail, code=error.code) from error
    except Invalid as error:
        problems = [problem.as_json() for problem in error.problems]
        raise CliError(ExitCode.REFUSED, error.detail, code=error.code, problems=problems) from error
    except Unavailable as error:
        raise CliError(ExitCode.UNREACHABLE, error.detail, code=error.code) from error
    except RoleBypassesRowSecurity as error:
        raise CliError(ExitCode.REFUSED, str(error), code="role_bypasses_row_security") from error
    if json_output:
        print_json({"workspace_id": str(made), "api_key": key})
    else:
        say(f"workspace  {made}\nAPI key    {key}")


async def _create_key(settings: Settings, workspace: UUID | None, workspace_name: str, name: str) -> tuple[UUID, str]:
    from app.services.platform import open_platform  # noqa: PLC0415 - loads the database's client
    from app.services.workspaces import create_api_key, create_workspace  # noqa: PLC0415

    async with open_platform(settings) as platform:
        if workspace is not None:
            return workspace, await create_api_key(platform, workspace, name)
        row, key = await create_workspace(platform, workspace_name)
        return row.workspace_id, key


def _with_database(settings: Settings) -> Settings:
    """The configured database, else the one of the running group."""
    if settings.database_url is not None:
        return settings
    if group := running_group(settings.data_dir):
        return load_settings(**settings.model_dump(exclude_unset=True), database_url=group.database_url)
    raise CliError(
        ExitCode.USAGE, "no database: set HOLDFAST_DATABASE_URL, or start `holdfast dev`", code="no_database"
    )


async def _when_there(once: Callable[[], Awaitable[T]], away: tuple[type[Exception], ...], wait: float, what: str) -> T:
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
