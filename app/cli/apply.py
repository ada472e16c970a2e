"""`holdfast apply`: bring workflows to what files say; found by name, made when new, left alone when the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from app.cli.client import Api, open_api
from app.cli.documents import document, files
from app.cli.exits import CliError, ExitCode
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import print_json, say, show_error, text
from app.json import JsonObject

_NAMES = ("name", "event_name", "workflowName")
"""Where a definition has its name, by dialect."""

_RESULT_STYLE = {"created": "green", "updated": "green", "unchanged": "dim"}


def apply(
    *,
    file: Annotated[
        list[Path], typer.Option("--file", "-f", help="YAML or JSON file, folder of such, or - for standard input.")
    ],
    activate: Annotated[bool, typer.Option(help="Let new runs take the published version.")] = True,
    comment: Annotated[str | None, typer.Option(help="What changed; kept with the version.")] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Create or update workflows by name and publish them. What is as the file says is left untouched.

    A paused or archived workflow gets the new version and stays as it is. Nothing is changed when a definition has
    problems.
    """
    results: list[JsonObject] = []
    failed: ExitCode | None = None
    with open_api(api_url, data_dir) as api:
        for path, result in _applied(api, file, activate=activate, comment=comment):
            if isinstance(result, CliError):
                failed = failed or result.exit_code
                results.append({"file": str(path), **result.as_json()})
                if not json_output:
                    show_error(
                        CliError(result.exit_code, f"{path}: {result.message}", problems=result.problems), as_json=False
                    )
                continue
            results.append({"file": str(path), **result})
            if not json_output:
                for remark in (result.get("read_as") or {}).get("remarks", ()):
                    said = ": ".join(part for part in (remark["path"], remark["message"]) if part)
                    say(f"[dim]{text(said)}{text('; ' + remark['hint'] if remark['hint'] else '')}[/]")
                style = _RESULT_STYLE[result["result"]]
                what = f"[{style}]{result['result']:<9}[/] {text(result['name'])} [dim]version {result['version']}[/]"
                say(what if result["status"] == "active" else f"{what} [yellow]({result['status']})[/]")
    if json_output:
        print_json(results)
    if failed is not None:
        raise typer.Exit(failed)


def _applied(
    api: Api, paths: list[Path], *, activate: bool, comment: str | None
) -> Iterator[tuple[Path, JsonObject | CliError]]:
    """One result a file. An API that is away or refuses the key ends it all."""
    for path in files(paths):
        try:
            yield path, _apply_one(api, _definition(path), activate=activate, comment=comment)
        except CliError as error:
            if error.exit_code in (ExitCode.UNREACHABLE, ExitCode.NOT_ALLOWED):
                raise
            yield path, error


def _definition(path: Path) -> JsonObject:
    found = document(path)
    if not isinstance(found, dict):
        raise CliError(ExitCode.REFUSED, "a workflow is an object with `name`, `trigger` and `steps`", code="invalid")
    if not any(isinstance(found.get(key), str) and found[key].strip() for key in _NAMES):
        raise CliError(ExitCode.REFUSED, "the workflow needs a name: it is found again by it", code="invalid")
    return found


def _apply_one(api: Api, definition: JsonObject, *, activate: bool, comment: str | None) -> JsonObject:
    done = api.post("/v1/workflows/apply", {"definition": definition, "activate": activate, "comment": comment})
    workflow = done["workflow"]
    return {
        "result": done["result"],
        "workflow_id": workflow["id"],
        "name": workflow["name"],
        "slug": workflow["slug"],
        "status": workflow["status"],
        "version": done["version"]["number"],
        **({"read_as": workflow["read_as"]} if workflow.get("read_as") else {}),
    }
