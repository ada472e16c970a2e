"""`holdfast workflows`: what is there, and whether it runs."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.client import open_api
from app.cli.lookup import workflow_by
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, say, status, table, text
from app.cli.schedules import when

workflows_app = typer.Typer(no_args_is_help=True, help="Workflows of the workspace.")


@workflows_app.command("list")
def list_workflows(
    *,
    status_: Annotated[str | None, typer.Option("--status", help="draft, active, paused or archived.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Only those whose text holds this.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List workflows with how their runs went."""
    with open_api(api_url, data_dir) as api:
        found = list(api.items("/v1/workflows", limit=limit, status=status_, tag=tag, q=query))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no workflows; `holdfast apply -f FILE` makes one[/]")
    else:
        table(
            ["NAME", "SLUG", "STATUS", "VERSION", "RUNS", "FAILED", "LAST RUN"],
            [
                [
                    text(item["name"]),
                    text(item["slug"]),
                    status(item["status"]),
                    text(item["active_version"]),
                    text(item["stats"]["total_runs"]),
                    text(item["stats"]["failed_runs"]),
                    moment(item["stats"]["last_run_at"]),
                ]
                for item in found
            ],
        )


Wanted = Annotated[str, typer.Argument(metavar="WORKFLOW", help="Id, slug or name.")]


@workflows_app.command("show")
def show(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Show a workflow with its schedules."""
    with open_api(api_url, data_dir) as api:
        workflow = workflow_by(api, wanted)
        schedules = list(api.items("/v1/schedules", workflow_id=workflow["id"]))
    if json_output:
        print_json({**workflow, "schedules": schedules})
        return
    version = f"version {workflow['active_version']}" if workflow["active_version"] else "no version active"
    say(f"{text(workflow['name'])} ({text(workflow['slug'])}) is {status(workflow['status'])}, {version}")
    say(f"  id {workflow['id']}, {workflow['stats']['total_runs']} runs, {workflow['stats']['failed_runs']} failed")
    for schedule in schedules:
        say(f"  schedule {schedule['id']}: {text(when(schedule['trigger']))} is {status(schedule['status'])}")
        if schedule["paused_reason"]:
            say(f"    {text(schedule['paused_reason'])}")


@workflows_app.command("activate")
def activate(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Let events and requests start runs of the published version."""
    _move("activate", wanted, api_url, data_dir, json_output=json_output)


@workflows_app.command("pause")
def pause(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Start no more runs. Runs under way go on."""
    _move("pause", wanted, api_url, data_dir, json_output=json_output)


@workflows_app.command("archive")
def archive(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Put it aside for good. What it did stays readable."""
    _move("archive", wanted, api_url, data_dir, json_output=json_output)


@workflows_app.command("input")
def input_of(
    wanted: Wanted,
    version: Annotated[int | None, typer.Option(min=1, help="A published version; default the active one.")] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """What a run of it may be started with, field by field."""
    with open_api(api_url, data_dir) as api:
        found = api.get(f"/v1/workflows/{workflow_by(api, wanted)['id']}/input", version=version)
    if json_output:
        print_json(found)
        return
    for form in (found, *found["alternatives"]):
        if not form["fields"]:
            print_json(form["input_schema"])
            continue
        rows = [
            [
                text(field["name"]),
                text(field["kind"]),
                "required" if field["required"] else "",
                text(field["default"]),
                ", ".join(map(text, field["options"])),
                text(field["description"] or (field["label"] if field["label"] != field["name"] else "")),
            ]
            for field in form["fields"]
        ]
        table(["FIELD", "KIND", "", "DEFAULT", "ONE OF", ""], rows)


def _move(to: str, wanted: str, api_url: str | None, data_dir: Path | None, *, json_output: bool) -> None:
    with open_api(api_url, data_dir) as api:
        workflow = api.post(f"/v1/workflows/{workflow_by(api, wanted)['id']}/{to}")
    if json_output:
        print_json(workflow)
    else:
        say(f"{text(workflow['name'])} is {status(workflow['status'])}")
