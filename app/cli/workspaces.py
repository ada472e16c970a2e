"""`holdfast workspaces`: all there are, for whoever administers the installation. Make, suspend, delete them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.client import Api, open_platform_api
from app.cli.documents import assignments
from app.cli.exits import CliError, ExitCode
from app.cli.lookup import named
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, say, status, table, text
from app.json import JsonObject

workspaces_app = typer.Typer(no_args_is_help=True, help="Workspaces, with a platform key.")

PLAN_HELP = "free, pro, enterprise or own."
Wanted = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Its id, or its name where no other has it.")]


@workspaces_app.command("list")
def list_workspaces(
    *,
    state: Annotated[str | None, typer.Option(help="active, suspended or deleting.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 200,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List workspaces."""
    with open_platform_api(api_url, data_dir) as api:
        found = list(api.items("/v1/workspaces", limit=limit, state=state))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no such workspaces[/]")
    else:
        rows = [
            [
                text(one["id"]),
                text(one["name"]),
                text(one["plan"]),
                status(one["state"]),
                moment(one["state_changed_at"]),
            ]
            for one in found
        ]
        table(["ID", "NAME", "PLAN", "STATE", "SINCE"], rows)


@workspaces_app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    *,
    admin: Annotated[
        str | None, typer.Option(help="Its first member: `sub` of their token, or e-mail address.")
    ] = None,
    plan: Annotated[str, typer.Option(help=PLAN_HELP)] = "own",
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Make a workspace and print its first API key, which is shown this once."""
    body: JsonObject = {"name": name, "admin": None if admin is None else {"subject": admin}, "plan": plan}
    with open_platform_api(api_url, data_dir) as api:
        made = api.post("/v1/workspaces", body)
    if json_output:
        print_json(made)
    else:
        say(f"workspace  {made['id']}\nAPI key    {made['api_key']}")


@workspaces_app.command("rename")
def rename(
    wanted: Wanted,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people are to call it.")],
    *,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Give WORKSPACE another name."""
    _change(wanted, {"name": name}, api_url, data_dir, as_json=json_output)


@workspaces_app.command("set-plan")
def set_plan(
    wanted: Wanted,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help=PLAN_HELP)],
    *,
    override: Annotated[
        list[str] | None,
        typer.Option(metavar="LIMIT=VALUE", help="A limit it has otherwise, null for none; replaces those it had."),
    ] = None,
    no_overrides: Annotated[bool, typer.Option("--no-overrides", help="Just as the plan says.")] = False,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Give WORKSPACE another plan. What it has already stays, also beyond the plan."""
    if override and no_overrides:
        raise CliError(ExitCode.USAGE, "--override and --no-overrides contradict each other")
    changes: JsonObject = {"plan": plan}
    if override or no_overrides:
        changes["plan_overrides"] = assignments(override or [])
    with open_platform_api(api_url, data_dir) as api:
        found = api.patch(f"/v1/workspaces/{_found(api, wanted)['id']}", changes)
    if json_output:
        print_json(found)
    else:
        others = ", ".join(f"{name} {json.dumps(value)}" for name, value in found["plan_overrides"].items())
        say(text(f"{found['name']} has the plan {found['plan']}{f', but {others}' if others else ''}"))


@workspaces_app.command("suspend")
def suspend(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Let nothing new start in WORKSPACE, and its keys open nothing; runs under way go on."""
    _change(wanted, {"state": "suspended"}, api_url, data_dir, as_json=json_output)


@workspaces_app.command("resume")
def resume(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Let WORKSPACE be used again."""
    _change(wanted, {"state": "active"}, api_url, data_dir, as_json=json_output)


@workspaces_app.command("delete")
def delete(
    wanted: Wanted,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Delete WORKSPACE with everything in it, for good."""
    with open_platform_api(api_url, data_dir) as api:
        there = _found(api, wanted)
        if not yes and not typer.confirm(f"Delete {there['name']!r} with all its workflows and runs, for good?"):
            raise CliError(ExitCode.REFUSED, "nothing was deleted")
        found = api.call("DELETE", f"/v1/workspaces/{there['id']}").json()
    if json_output:
        print_json(found)
    else:
        say(f"{text(found['name'])} is {status(found['state'])}; `holdfast workspaces list` has it until it is gone")


def _change(wanted: str, changes: JsonObject, api_url: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    with open_platform_api(api_url, data_dir) as api:
        found = api.patch(f"/v1/workspaces/{_found(api, wanted)['id']}", changes)
    if as_json:
        print_json(found)
    else:
        say(f"{text(found['name'])} is {status(found['state'])}")


def _found(api: Api, wanted: str) -> JsonObject:
    return named(api, "/v1/workspaces", wanted, ("name",), what="workspace", see="holdfast workspaces list")
