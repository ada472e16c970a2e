"""`holdfast connections test|usage|authorize`: does one work, who would miss it, and where somebody authorizes it."""

from typing import Annotated

import typer

from app.cli.client import Api, open_api
from app.cli.exits import CliError, ExitCode
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, say, table, text
from app.json import JsonObject

Wanted = Annotated[str, typer.Argument(metavar="CONNECTION", help="Name of the connection.")]


def try_connection(
    wanted: Wanted, *, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False
) -> None:
    """Try whether CONNECTION works, and say what is to be done if it does not."""
    with open_api(api_url, data_dir) as api:
        found: JsonObject = api.post(f"/v1/connections/{named(api, wanted)['id']}/test")
    if json_output:
        print_json(found)
    elif found["ok"]:
        say(f"{text(wanted)} works: {text(found['message'])} ({found['duration_ms']:.0f} ms)")
        if found["hint"]:
            note(f"[dim]{text(found['hint'])}[/]")
    if not found["ok"]:
        hint = {"path": "", "message": found["hint"], "hint": ""}
        raise CliError(ExitCode.REFUSED, found["message"], code="connection_does_not_work", problems=[hint])


def usage(wanted: Wanted, *, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """List what uses CONNECTION, and keeps it from being deleted."""
    with open_api(api_url, data_dir) as api:
        found: JsonObject = api.get(f"/v1/connections/{named(api, wanted)['id']}/usage")
    if json_output:
        print_json(found)
        return
    if not found["in_use"]:
        note(f"[dim]nothing uses {text(wanted)}[/]")
    if found["workflows"]:
        rows = [
            [
                text(each["name"]),
                text(each["slug"]),
                _version(each),
                ", ".join(text(step["path"]) for step in each["steps"]),
            ]
            for each in found["workflows"]
        ]
        table(["WORKFLOW", "SLUG", "VERSION", "AT"], rows)
    if found["inbound"]:
        say(f"Messages come in over it ({text(found['inbound'])}).")


def authorize(
    wanted: Wanted, *, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False
) -> None:
    """Print a link at which somebody authorizes CONNECTION (OAuth 2)."""
    with open_api(api_url, data_dir) as api:
        found: JsonObject = api.post(f"/v1/connections/{named(api, wanted)['id']}/authorize")
    if json_output:
        print_json(found)
        return
    say(found["authorization_url"])
    note(f"[dim]Open it in a browser; good until {moment(found['expires_at'])}.[/]")
    note(f"[dim]Redirect URI to register at the provider: {text(found['redirect_uri'])}[/]")


def named(api: Api, name: str) -> JsonObject:
    """The connection of this name. Raises `CliError`."""
    found = next((item for item in api.items("/v1/connections") if item["name"] == name), None)
    if found is None:
        raise CliError(ExitCode.NOT_FOUND, f"no connection is named {name!r}: see `holdfast connections list`")
    return found


def _version(using: JsonObject) -> str:
    return "draft" if using["version"] is None else str(using["version"])
