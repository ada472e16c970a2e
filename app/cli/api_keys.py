"""`holdfast api-keys`: the keys of a workspace over HTTP, for whoever may manage them. `holdfast keys` works beside the
database instead, where there is no key yet."""

from typing import Annotated

import typer

from app.cli.client import Api, open_api
from app.cli.exits import CliError, ExitCode
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, say, status, table, text
from app.cli.selection import moment_of
from app.json import JsonObject

api_keys_app = typer.Typer(no_args_is_help=True, help="Keys of the workspace: make, list, rotate and revoke them.")

Wanted = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, or its name where only one has it.")]


@api_keys_app.command("list")
def list_keys(
    *,
    status_: Annotated[str | None, typer.Option("--status", help="active, expired or revoked.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List keys, those made last first, with what they may do and when they were used."""
    with open_api(api_url, data_dir) as api:
        found = list(api.items("/v1/api-keys", limit=limit, status=status_))
    if json_output:
        print_json(found)
    else:
        table(
            ["ID", "NAME", "BEGINS", "ROLE", "SCOPES", "STATUS", "LAST USED", "EXPIRES"],
            [
                [
                    *(text(item[name]) for name in ("id", "name", "prefix", "role")),
                    text(", ".join(item["scopes"] or ())),
                    status(item["status"]),
                    moment(item["last_used_at"]),
                    moment(item["expires_at"]),
                ]
                for item in found
            ],
        )


@api_keys_app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Shown beside what is done with it.")],
    *,
    role: Annotated[str, typer.Option(help="viewer, operator, editor or admin.")] = "viewer",
    scope: Annotated[
        list[str] | None, typer.Option(help="A permission it is narrowed to, such as runs:read; may be repeated.")
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option(help="When it ends by itself, such as 2030-01-31T00:00:00Z. Default: never.")
    ] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Make a key. It may do at most what yours may. It is shown now and never again."""
    with open_api(api_url, data_dir) as api:
        body = {
            "name": name,
            "role": role,
            "scopes": scope or None,
            "expires_at": moment_of(expires_at, "--expires-at"),
        }
        made = api.post("/v1/api-keys", body)
    _show(made, json_output=json_output)


@api_keys_app.command("rotate")
def rotate(
    wanted: Wanted,
    *,
    grace_seconds: Annotated[
        int, typer.Option(min=0, help="How long the old text still works; a week at most. Default: not at all.")
    ] = 0,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Give KEY a new text, shown now and never again."""
    with open_api(api_url, data_dir) as api:
        made = api.post(f"/v1/api-keys/{_id(api, wanted)}/rotate", {"grace_seconds": grace_seconds})
    _show(made, json_output=json_output)


@api_keys_app.command("revoke")
def revoke(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None) -> None:
    """End KEY for good."""
    with open_api(api_url, data_dir) as api:
        api.delete(f"/v1/api-keys/{_id(api, wanted)}")
    note(f"{text(wanted)} is revoked")


def _id(api: Api, wanted: str) -> str:
    """The id of the one key that works and has this name, or this id."""
    keys = [item for item in api.items("/v1/api-keys") if wanted in (item["id"], item["name"])]
    found = [item for item in keys if item["id"] == wanted or item["status"] != "revoked"]
    if not found:
        raise CliError(ExitCode.NOT_FOUND, f"no key is {wanted!r}: see `holdfast api-keys list`")
    if len(found) > 1:
        ids = ", ".join(item["id"] for item in found[:5])
        raise CliError(ExitCode.USAGE, f"{len(found)} keys are named {wanted!r} ({ids}): say which by its id")
    return str(found[0]["id"])


def _show(made: JsonObject, *, json_output: bool) -> None:
    if json_output:
        print_json(made)
        return
    say(f"key      {text(made['name'])} ({text(made['role'])})\nid       {text(made['id'])}")
    say(f"API key  {text(made['key'])}")
    if made["previous_until"]:
        say(f"The text before works until {moment(made['previous_until'])}.")
    note("[dim]the key is not shown again[/]")
