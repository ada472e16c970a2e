"""`holdfast run` and `holdfast runs`: start runs, follow them, list them, look into them. Steering is `control`'s."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from typing import Annotated

import typer

from app.cli import control
from app.cli.client import Api, open_api
from app.cli.documents import assignments, value
from app.cli.exits import CliError, ExitCode
from app.cli.lookup import workflow_by
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import duration, moment, note, print_json, say, status, stdout, table, text
from app.cli.selection import (
    OfParent,
    OfStatus,
    OfTrigger,
    OfWorkflow,
    OneRun,
    Selection,
    StartedAfter,
    StartedBefore,
    WaitingFor,
    WithText,
)
from app.cli.timeline import draw, latest_steps
from app.cli.watch import detail, ending, waiting_for, watch
from app.json import JsonObject

ENDED = ("completed", "failed", "cancelled", "timed_out")
_FIRST_POLL_SECONDS = 0.05
_POLL_SECONDS = 1.0

runs_app = typer.Typer(no_args_is_help=True, help="Runs: list, look into, follow, steer.")


def run(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="Its id, slug or name.")],
    *,
    input_: Annotated[
        str | None, typer.Option("--input", "-i", help="What `trigger` holds: JSON, @FILE, or - for standard input.")
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option("--variable", "-v", help="NAME=VALUE over the definition's own; repeatable.")
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="A published version; default the active one.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key starts the same run once.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Wait for the end, at most this many seconds.")] = 0,
    watch_: Annotated[bool, typer.Option("--watch", "-w", help="Draw the steps live until the run ends.")] = False,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Start a run of a workflow; with --wait or --watch the exit code says how it ended."""
    body: JsonObject = {}
    if input_ is not None:
        body["input"] = value(input_, what="--input")
    if variable:
        body["variables"] = assignments(variable)
    if version is not None:
        body["version"] = version
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    with open_api(api_url, data_dir) as api, _naming_fields(workflow):
        path = f"/v1/workflows/{workflow_by(api, workflow)['id']}/runs"
        if watch_:
            started = api.post(path, body, headers)
            _finish(_watched(api, started["id"], as_json=json_output), shown=True, as_json=json_output)
        elif wait:
            _finish(_waited(api, path, body, headers, wait), shown=False, as_json=json_output)
        else:
            started = api.post(path, body, headers)
            if json_output:
                print_json(started)
            else:
                say(f"run {started['id']} {status(started['status'])}")
                note(f"[dim]follow it: holdfast runs watch {started['id']}[/]")


@runs_app.command("list")
def list_runs(
    *,
    workflow: OfWorkflow = None,
    status_: OfStatus = None,
    trigger: OfTrigger = None,
    waiting_for: WaitingFor = None,
    parent: OfParent = None,
    query: WithText = None,
    started_after: StartedAfter = None,
    started_before: StartedBefore = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List runs, the newest first."""
    selection = Selection(
        workflow=workflow,
        status=status_,
        trigger=trigger,
        waiting_for=waiting_for,
        parent=parent,
        query=query,
        started_after=started_after,
        started_before=started_before,
    )
    with open_api(api_url, data_dir) as api:
        found = list(api.items("/v1/runs", limit=limit, **selection.as_query(api)))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no runs[/]")
    else:
        rows = [
            [
                text(item["id"]),
                text(item["workflow_name"]),
                status(item["status"]),
                f"{item['steps_completed']}/{item['steps_total']}",
                moment(item["started_at"] or item["created_at"]),
                duration(item["duration_ms"]),
                _remark(item),
            ]
            for item in found
        ]
        table(["RUN", "WORKFLOW", "STATUS", "STEPS", "STARTED", "TOOK", ""], rows)


@runs_app.command("show")
def show(
    run_id: OneRun,
    *,
    limit: Annotated[int, typer.Option(min=0, help="At most this many steps, the latest ones; 0: all.")] = 100,
    full: Annotated[bool, typer.Option("--full", help="Values and errors in full, however long.")] = False,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """The timeline of a run: where it stands, and each step with inputs, output, attempts, waits and decisions."""
    with open_api(api_url, data_dir) as api:
        found = api.get(f"/v1/runs/{run_id}")
        steps = latest_steps(api, run_id, limit)
    if json_output:
        print_json({**found, "steps": list(steps.shown), "steps_left_out": steps.left_out})
    else:
        draw(stdout(), found, steps, full=full)


@runs_app.command("steps")
def steps(run_id: OneRun, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """The steps of one run, as far as it got."""
    with open_api(api_url, data_dir) as api:
        found = list(api.items(f"/v1/runs/{run_id}/steps"))
    if json_output:
        print_json(found)
        return
    rows = [[text(item["path"]), text(item["name"]), status(item["status"]), detail(item)] for item in found]
    table(["PATH", "NAME", "STATUS", ""], rows)


@runs_app.command("watch")
def watch_run(
    run_id: OneRun, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False
) -> None:
    """Draw the steps of a run live until it ends; the exit code says how it ended."""
    with open_api(api_url, data_dir) as api:
        _finish(_watched(api, run_id, as_json=json_output), shown=True, as_json=json_output)


@contextmanager
def _naming_fields(workflow: str) -> Iterator[None]:
    """An input that does not fit is told field by field, with where to see what the workflow takes."""
    try:
        yield
    except CliError as error:
        if error.code != "invalid_input":
            raise
        way = f"`holdfast workflows input {quote(workflow)}` says what it takes"
        message = f"the input does not fit {workflow!r}; {way}"
        raise CliError(error.exit_code, message, code=error.code, problems=error.problems) from error


def _watched(api: Api, run_id: str, *, as_json: bool) -> JsonObject:
    try:
        return watch(api, run_id, as_json=as_json)
    except KeyboardInterrupt:
        note(f"[dim]the run goes on; `holdfast runs watch {run_id}` follows it again[/]")
        raise


def _waited(api: Api, path: str, body: JsonObject, headers: dict[str, str], wait: float) -> JsonObject:
    """Start a run and wait by asking: a call that waits itself may be answered by a step of the run (`respond`)."""
    deadline, pause = time.monotonic() + wait, _FIRST_POLL_SECONDS
    found: JsonObject = api.post(path, body, headers)
    while found["status"] not in ENDED and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _POLL_SECONDS)
        found = api.get(f"/v1/runs/{found['id']}")
    return found


def _finish(found: JsonObject, *, shown: bool, as_json: bool) -> None:
    """Show the run unless it was, and end with the exit code of how it ended."""
    if not shown and as_json:
        print_json(found)
    if not as_json:
        if not shown:
            say(ending(found))
        if found["output"] is not None:
            print_json(found["output"])
    if found["status"] == "completed":
        return
    raise typer.Exit(ExitCode.RUN_FAILED if found["status"] in ENDED else ExitCode.STILL_RUNNING)


def _remark(item: JsonObject) -> str:
    if item["error"]:
        return f"[red]{text(item['error']['message'])}[/]"
    return waiting_for(item["waiting_for"]) if item["waiting_for"] else ""


control.add_to(runs_app)
