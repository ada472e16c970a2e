"""`holdfast schedules`: what starts runs at moments. List, look into, set off, fill in, pause, resume."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.client import open_api
from app.cli.lookup import workflow_by
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, say, status, table, text
from app.json import Json, JsonObject

schedules_app = typer.Typer(no_args_is_help=True, help="Schedules: what starts runs at moments.")

Wanted = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Its id: `holdfast schedules list`.")]


@schedules_app.command("list")
def list_schedules(
    *,
    workflow: Annotated[str | None, typer.Option(help="Only those of this workflow: id, slug or name.")] = None,
    status_: Annotated[str | None, typer.Option("--status", help="active or paused.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List schedules with how their last runs went."""
    with open_api(api_url, data_dir) as api:
        workflow_id = None if workflow is None else workflow_by(api, workflow)["id"]
        found = list(api.items("/v1/schedules", limit=limit, workflow_id=workflow_id, status=status_))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no schedules; a workflow with a `schedule` trigger has one once it is published[/]")
    else:
        rows = [
            [
                text(item["id"]),
                text(item["workflow_name"]),
                text(when(item["trigger"])),
                status(item["status"]),
                moment((item["last_run"] or {}).get("started_at")),
                status((item["last_run"] or {}).get("status")),
            ]
            for item in found
        ]
        table(["ID", "WORKFLOW", "WHEN", "STATUS", "LAST RUN", "WAS"], rows)


@schedules_app.command("show")
def show(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Show a schedule with its next runs."""
    with open_api(api_url, data_dir) as api:
        found = api.get(f"/v1/schedules/{wanted}")
    if json_output:
        print_json(found)
        return
    say(f"{text(found['workflow_name'])}: {text(when(found['trigger']))} is {status(found['status'])}")
    if found["paused_reason"]:
        say(f"  {text(found['paused_reason'])}")
    if last := found["last_run"]:
        which = f"run {last['id']}" if last["id"] else text(last["error"])
        say(f"  last: {which}, {status(last['status'])}, {moment(last['started_at'])}")
    for next_run in found["next_runs"] or []:
        say(f"  next: {text(next_run)}")
    if found["note"]:
        note(f"[dim]{text(found['note'])}[/]")


@schedules_app.command("trigger")
def trigger(
    wanted: Wanted,
    *,
    overlap: Annotated[
        str | None,
        typer.Option(help="While a run is under way: skip, buffer_one, allow_all; default as scheduled."),
    ] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Start a run now, as if a moment had come."""
    with open_api(api_url, data_dir) as api:
        found = api.post(f"/v1/schedules/{wanted}/trigger-now", {"overlap": overlap}, wait=10)
    if json_output:
        print_json(found)
    elif found["run"]:
        say(f"run {found['run']['id']} {status(found['run']['status'])}")
    else:
        say(text(found["note"]))


@schedules_app.command("backfill")
def backfill(
    wanted: Wanted,
    *,
    from_: Annotated[str, typer.Option("--from", help="First moment of the period, RFC 3339.")],
    to: Annotated[str, typer.Option(help="Its last moment, not in the future.")],
    overlap: Annotated[str, typer.Option(help="buffer_all: one after the other; allow_all: at once.")] = "buffer_all",
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Start the runs of a period's moments that have none."""
    with open_api(api_url, data_dir) as api:
        found = api.post(f"/v1/schedules/{wanted}/backfill", {"from": from_, "to": to, "overlap": overlap})
    if json_output:
        print_json(found)
    else:
        say(f"{found['moments']} moments; those that had their run are not run again")


@schedules_app.command("pause")
def pause(
    wanted: Wanted,
    *,
    reason: Annotated[str | None, typer.Option(help="For whoever sees it next.")] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Start no more runs until it is resumed."""
    _move("pause", wanted, {"reason": reason}, api_url, data_dir, json_output=json_output)


@schedules_app.command("resume")
def resume(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Start runs again, whoever paused it."""
    _move("resume", wanted, {}, api_url, data_dir, json_output=json_output)


def _move(to: str, wanted: str, body: Json, api_url: str | None, data_dir: Path | None, *, json_output: bool) -> None:
    with open_api(api_url, data_dir) as api:
        found = api.post(f"/v1/schedules/{wanted}/{to}", body)
    if json_output:
        print_json(found)
    else:
        say(f"{text(found['workflow_name'])}: {text(when(found['trigger']))} is {status(found['status'])}")


def when(trigger: JsonObject) -> str:
    """When a schedule trigger starts runs, in short."""
    if trigger.get("every"):
        return f"every {trigger['every']}"
    cron = trigger.get("cron")
    lines = cron if isinstance(cron, list) else [cron]
    return f"{', '.join(map(str, lines))} {trigger['timezone']}"
