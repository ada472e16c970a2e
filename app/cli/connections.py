"""`holdfast connections`: which there are, and whether messages come in over one."""

from typing import Annotated

import typer

from app.cli.client import open_api
from app.cli.connection_checks import Wanted, authorize, named, try_connection, usage
from app.cli.exits import CliError, ExitCode
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, say, table, text
from app.json import JsonObject

connections_app = typer.Typer(no_args_is_help=True, help="Connections: mail servers, APIs, numbers, pages, mailboxes.")
for _name, _command in (("test", try_connection), ("usage", usage), ("authorize", authorize)):
    connections_app.command(_name)(_command)


@connections_app.command("list")
def list_connections(
    *,
    kind: Annotated[str | None, typer.Option(help="Only those of this kind.")] = None,
    status: Annotated[str | None, typer.Option(help="Only active, expired, revoked or error ones.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List connections with how their last use ended."""
    with open_api(api_url, data_dir) as api:
        found = list(api.items("/v1/connections", limit=limit, kind=kind, status=status))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no connections; POST /v1/connections makes one[/]")
    else:
        rows = [
            [*(text(item[name]) for name in ("name", "kind", "status")), moment(item["last_used_at"]), _error(item)]
            for item in found
        ]
        table(["NAME", "KIND", "STATUS", "LAST USED", "LAST ERROR"], rows)


@connections_app.command("inbound")
def inbound(
    wanted: Wanted,
    *,
    rotate: Annotated[bool, typer.Option("--rotate", help="Another address; the one before works for a day.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Let no more messages come in.")] = False,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Let messages come in over CONNECTION, and say what to enter at its provider."""
    if rotate and off:
        raise CliError(ExitCode.USAGE, "either --rotate or --off: there is nothing to rotate where nothing comes in")
    with open_api(api_url, data_dir) as api:
        path = f"/v1/connections/{named(api, wanted)['id']}/inbound"
        if off:
            api.delete(path)
            note(f"no messages come in over {text(wanted)} any more")
            return
        found: JsonObject = api.post(f"{path}/rotate" if rotate else path)
    if json_output:
        print_json(found)
    else:
        _show(found)


def _show(found: JsonObject) -> None:
    channels = ", ".join(found["channels"])
    if found["mailbox"] is not None:
        say(f"{text(found['connection'])} is looked into for {channels}, next at {moment(found['mailbox']['due_at'])}")
        if failures := found["mailbox"]["failures"]:
            say(f"The last {failures} looks failed: `holdfast connections list` says why.")
        return
    say(f"{text(found['connection'])} takes {channels}. Enter at the provider:")
    for each in found["enter"]:
        say(f"  {text(each['where'])}\n    {text(each['value'])}")
    if found["previous_until"]:
        say(f"The address before works until {moment(found['previous_until'])}.")


def _error(item: JsonObject) -> str:
    return text(item["last_error"])
