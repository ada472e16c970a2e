"""`holdfast members`: the people of a workspace. List, add, give another role, remove."""

from typing import Annotated

import typer

from app.cli.client import Api, open_api
from app.cli.lookup import named
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, say, table, text
from app.json import JsonObject

members_app = typer.Typer(no_args_is_help=True, help="Members: who may do what in the workspace.")

Wanted = Annotated[str, typer.Argument(metavar="MEMBER", help="Subject, e-mail address or id.")]
AsRole = Annotated[str, typer.Argument(metavar="ROLE", help="viewer, operator, editor or admin.")]


@members_app.command("list")
def list_members(
    *,
    role: Annotated[str | None, typer.Option(help="Only those with this role.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 200,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List members."""
    with open_api(api_url, data_dir) as api:
        found = list(api.items("/v1/members", limit=limit, role=role))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no members; keys open the workspace, and `holdfast members add` adds people[/]")
    else:
        rows = [
            [*(text(one[key] or "") for key in ("subject", "role", "name")), moment(one["last_seen_at"])]
            for one in found
        ]
        table(["SUBJECT", "ROLE", "NAME", "LAST SEEN"], rows)


@members_app.command("add")
def add(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="`sub` of their token, or e-mail address.")],
    role: AsRole,
    *,
    name: Annotated[str | None, typer.Option(help="What people call them.")] = None,
    email: Annotated[str | None, typer.Option(help="Where they are reached.")] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Let SUBJECT into the workspace as ROLE."""
    body: JsonObject = {"subject": subject, "role": role, "name": name, "email": email}
    with open_api(api_url, data_dir) as api:
        found = api.post("/v1/members", body)
    _shown(found, as_json=json_output)


@members_app.command("set-role")
def set_role(
    wanted: Wanted, role: AsRole, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False
) -> None:
    """Give MEMBER another role."""
    with open_api(api_url, data_dir) as api:
        found = api.patch(f"/v1/members/{_found(api, wanted)['id']}", {"role": role})
    _shown(found, as_json=json_output)


@members_app.command("remove")
def remove(wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Let MEMBER in no more."""
    with open_api(api_url, data_dir) as api:
        there = _found(api, wanted)
        api.delete(f"/v1/members/{there['id']}")
    if json_output:
        print_json({"id": there["id"], "removed": True})
    else:
        say(f"{text(there['subject'])} is no member any more")


def _found(api: Api, wanted: str) -> JsonObject:
    return named(api, "/v1/members", wanted, ("subject", "email"), what="member", see="holdfast members list")


def _shown(found: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        say(f"{text(found['subject'])} is {text(found['role'])}")
