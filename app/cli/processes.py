"""The processes of an installation, `api` and `worker`, and how to ask whether one of them is well.

They are loaded by module name and run in this very process, so that its command line says what it is.
"""

import asyncio
import enum
import importlib
import socket

import httpx
import typer

from app.cli.exits import CliError, ExitCode
from app.cli.options import DataDir, JsonOutput, load_settings
from app.cli.output import print_json, say
from app.cli.preflight import require_keys
from app.cli.state import where_it_runs
from app.settings import Settings


class Process(enum.StrEnum):
    """What `holdfast health` can look at."""

    API = "api"
    WORKER = "worker"


def api() -> None:
    """Run the API in the foreground. Settings come from HOLDFAST_* variables."""
    _run_module("api.main")


def worker() -> None:
    """Run a worker in the foreground. Settings come from HOLDFAST_* variables."""
    _run_module("worker.main")


def _run_module(name: str) -> None:
    """Raises `CliError` when its settings are not usable."""
    settings = load_settings()
    if not settings.database_url:
        raise CliError(
            ExitCode.USAGE,
            "HOLDFAST_DATABASE_URL is not set: name the database, or start everything with `holdfast dev`",
        )
    require_keys(settings)
    raise typer.Exit(importlib.import_module(name).main() or 0)


def health(process: Process, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Whether the API, or the worker of this host, is well: for the health checks of containers.

    Looks at the running `dev` of the data folder unless the environment names other addresses.
    """
    settings = where_it_runs(load_settings(data_dir=data_dir))
    if process == Process.API:
        _require_ready(settings)
    else:
        asyncio.run(_require_poller(settings))
    if json_output:
        print_json({"status": "ok"})
    else:
        say("ok")


def _require_ready(settings: Settings) -> None:
    try:
        answer = httpx.get(f"{settings.resolved_api_url}/readyz", trust_env=False, timeout=5)
    except httpx.HTTPError as error:
        raise CliError(ExitCode.UNREACHABLE, f"{settings.resolved_api_url} does not answer: {error}") from error
    if answer.status_code != 200:
        raise CliError(ExitCode.BROKEN, f"/readyz answers {answer.status_code}: {answer.text}")


async def _require_poller(settings: Settings) -> None:
    """Raises `CliError` unless a worker on this host has asked Temporal for tasks lately."""
    from app.cli.temporal import reaching_temporal  # noqa: PLC0415 - loads Temporal's client; other commands need none
    from app.temporal.connect import TemporalConnection  # noqa: PLC0415
    from app.temporal.pollers import pollers  # noqa: PLC0415

    with reaching_temporal(settings):
        found = await pollers(await TemporalConnection(settings).client())
    host = socket.gethostname()
    if not any(poller.host == host for poller in found):
        raise CliError(ExitCode.BROKEN, f"no worker on {host} asks Temporal for tasks")
