"""`holdfast replay`: whether the code installed here can take over a server's runs. The work is `worker.replay`'s."""

import asyncio
import importlib
import logging
from typing import Annotated, Any

import typer

from app.cli.bar import Bar
from app.cli.exits import CliError, ExitCode
from app.cli.options import DataDir, JsonOutput, load_settings
from app.cli.output import note, print_json_line, say, text
from app.cli.preflight import require_keys
from app.cli.state import where_it_runs
from app.json import JsonObject
from app.settings import Settings


def replay(
    *,
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="Only those Temporal finds by this: HoldfastWorkflow = '...'.")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Runs that are over, the latest first.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most this many; 0: all.")] = 1000,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Replay the runs under way against the code installed here, before it is deployed. Writes nothing.

    Exit code 1 when a run would not go on: its workers would hold it until the code is mended.
    """
    settings = where_it_runs(load_settings(data_dir=data_dir))
    if not settings.database_url:
        raise CliError(
            ExitCode.USAGE, "HOLDFAST_DATABASE_URL is not set: large values of a history are kept in the database"
        )
    require_keys(settings)
    from app.cli.temporal import reaching_temporal  # noqa: PLC0415 - loads Temporal's client

    # What does not replay is told by the command; the log would tell it again, with traces of the library.
    logging.getLogger("temporalio").addHandler(logging.NullHandler())
    with reaching_temporal(settings):
        tally = asyncio.run(_replayed(settings, query, closed=closed, limit=limit or None, as_json=json_output))
    if json_output:
        print_json_line({"event": "done", "data": tally})
    else:
        _conclude(tally)
    if tally["failed"]:
        raise typer.Exit(ExitCode.RUN_FAILED)


async def _replayed(
    settings: Settings, more: str | None, *, closed: bool, limit: int | None, as_json: bool
) -> JsonObject:
    """How many were `replayed`, how many of these `failed`, and how many the query `matched`."""
    from app.services.platform import open_platform  # noqa: PLC0415 - loads the database's client

    # Loaded by name: the command line imports no code of runs, and a fault in that code must be told as one.
    code = importlib.import_module("worker.replay")
    async with open_platform(settings) as platform:
        client = await platform.temporal.client()
        query = code.query_of(closed=closed, more=more)
        tally = {"matched": await code.count(client, query), "replayed": 0, "failed": 0}
        with Bar("replaying", min(tally["matched"], limit or tally["matched"]), shown=not as_json) as bar:
            async for found in code.replay(client, query, limit=limit):
                tally["replayed"] += 1
                tally["failed"] += found.problem is not None
                bar.advance()
                if as_json:
                    print_json_line({"event": "run", "data": _json(found)})
                elif found.problem is not None:
                    bar.line(_line(found))
    return tally


def _json(found: Any) -> JsonObject:
    return {
        "run_id": found.run_id,
        "temporal_run_id": found.temporal_run_id,
        "events": found.events,
        "replays": found.problem is None,
        "workflow": found.workflow,
        "kind": found.kind,
        "problem": found.problem,
    }


def _line(found: Any) -> str:
    return f"[red]✗[/] {text(found.run_id)}  {text(found.workflow)}  [red]{text(found.kind)}[/]: {text(found.problem)}"


def _conclude(tally: JsonObject) -> None:
    replayed, failed = tally["replayed"], tally["failed"]
    if not replayed:
        note("[dim]no runs to replay[/]")
        return
    good = f"[green]{replayed - failed} of {replayed} replay[/]"
    say(good if not failed else f"{good}, [red]{failed} do not[/]: the code must not be deployed under them")
    if tally["matched"] > replayed:
        say(f"[dim]{tally['matched'] - replayed} more were left out; --limit 0 replays all[/]")
