"""`holdfast forms`: where people find a workflow's forms, and what they ask."""

from typing import Annotated

import typer

from app.cli.client import Api, open_api
from app.cli.exits import CliError, ExitCode
from app.cli.lookup import workflow_by
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import note, print_json, say, table, text
from app.json import JsonObject

forms_app = typer.Typer(no_args_is_help=True, help="Forms: pages that start workflows.")

Wanted = Annotated[str, typer.Argument(metavar="WORKFLOW", help="Id, slug or name.")]


@forms_app.command("list")
def list_forms(
    wanted: Wanted, api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False
) -> None:
    """List the forms of a workflow with their addresses."""
    with open_api(api_url, data_dir) as api:
        found = _forms(api, wanted)
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no forms are published; a trigger of type form makes one[/]")
    else:
        rows = [[text(each["form_id"]), text(each["title"]), _open(each), text(each["address"])] for each in found]
        table(["FORM", "TITLE", "OPEN", "ADDRESS"], rows)


@forms_app.command("show")
def show(
    wanted: Wanted,
    form_id: Annotated[str | None, typer.Argument(metavar="FORM", help="Its form_id, where there are several.")] = None,
    *,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Show one form: its address, and the fields it asks for."""
    with open_api(api_url, data_dir) as api:
        found = _one(_forms(api, wanted), form_id)
    if json_output:
        print_json(found)
        return
    say(f"[bold]{text(found['title'])}[/] ({text(found['form_id'])}), open: {_open(found)}")
    say(text(found["address"]))
    fields = [
        [text(each["name"]), text(each["kind"]), "required" if each["required"] else "", text(each["label"])]
        for each in found["fields"]
    ]
    table(["FIELD", "KIND", "", "LABEL"], fields)


def _forms(api: Api, wanted: str) -> list[JsonObject]:
    found: list[JsonObject] = api.get(f"/v1/workflows/{workflow_by(api, wanted)['id']}/forms")["items"]
    return found


def _one(found: list[JsonObject], form_id: str | None) -> JsonObject:
    chosen = [each for each in found if form_id is None or each["form_id"] == form_id]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(each["form_id"] for each in found)
    if chosen:
        raise CliError(ExitCode.USAGE, f"the workflow has several forms: say which ({names})")
    told = f"; there are: {names}" if names else ": none is published"
    raise CliError(ExitCode.NOT_FOUND, f"the workflow has no form {form_id or ''}".rstrip() + told)


def _open(form: JsonObject) -> str:
    return "[green]yes[/]" if form["active"] else "[yellow]no[/]"
