"""`holdfast apply`: bring workflows to what files say; found by name, made when new, left alone when the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from app.cli.client import Api, open_api
from app.cli.documents import document, files
from app.cli.exits import CliError, ExitCode
from app.cli.lookup import workflow_named
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import print_json, say, show_error, text
from app.json import JsonObject

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

    An active workflow is paused for the moment of the change. Nothing is changed when a definition has problems.
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
                style = _RESULT_STYLE[result["result"]]
                say(f"[{style}]{result['result']:<9}[/] {text(result['name'])} [dim]version {result['version']}[/]")
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
    if not isinstance(found.get("name"), str) or not found["name"].strip():
        raise CliError(ExitCode.REFUSED, "the workflow needs a name: it is found again by it", code="invalid")
    return found


def _apply_one(api: Api, definition: JsonObject, *, activate: bool, comment: str | None) -> JsonObject:
    workflow = workflow_named(api, definition["name"])
    if workflow is None:
        return _create(api, definition, activate=activate, comment=comment)
    if _is_as(api, workflow, definition, activate=activate):
        return _result("unchanged", workflow, workflow["active_version"])
    return _update(api, workflow, definition, activate=activate, comment=comment)


def _create(api: Api, definition: JsonObject, *, activate: bool, comment: str | None) -> JsonObject:
    body = {"name": definition["name"], "definition": definition, "description": definition.get("description", "")}
    workflow = api.post("/v1/workflows", body)
    try:
        version = _publish(api, workflow, activate=activate, comment=comment)
    except CliError:
        # It was refused as a whole, so nothing of it stays.
        api.delete(f"/v1/workflows/{workflow['id']}")
        raise
    return _result("created", workflow, version["number"])


def _update(
    api: Api, workflow: JsonObject, definition: JsonObject, *, activate: bool, comment: str | None
) -> JsonObject:
    path = f"/v1/workflows/{workflow['id']}"
    verdict = api.post(f"{path}/validate", {"definition": definition})
    if not verdict["valid"]:
        raise CliError(ExitCode.REFUSED, "the definition has problems", code="invalid", problems=verdict["problems"])
    paused = _make_changeable(api, workflow)
    try:
        api.patch(path, {"definition": definition}, headers={"If-Match": f'"{paused["revision"]}"'})
        version = _publish(api, workflow, activate=activate, comment=comment)
    except CliError:
        if workflow["status"] == "active" and paused["status"] != "active":
            api.post(f"{path}/activate")
        raise
    return _result("updated", workflow, version["number"])


def _make_changeable(api: Api, workflow: JsonObject) -> JsonObject:
    """The workflow in a state in which its draft may be changed."""
    if workflow["status"] != "active":
        return workflow
    paused: JsonObject = api.post(f"/v1/workflows/{workflow['id']}/pause")
    return paused


def _publish(api: Api, workflow: JsonObject, *, activate: bool, comment: str | None) -> JsonObject:
    version: JsonObject = api.post(
        f"/v1/workflows/{workflow['id']}/publish", {"activate": activate, "comment": comment}
    )
    return version


def _is_as(api: Api, workflow: JsonObject, definition: JsonObject, *, activate: bool) -> bool:
    """Whether the published version already is this definition, and is as active as it should be.

    Compared by digest: the server keeps the canonical form, in which defaults and spellings make no difference.
    """
    number = workflow["active_version"]
    if number is None or (activate and workflow["status"] != "active"):
        return False
    wanted = _digest(definition)
    version = api.get(f"/v1/workflows/{workflow['id']}/versions/{number}")
    return bool(wanted == version["digest"] == _digest(workflow["draft"]))


def _digest(document: JsonObject) -> str | None:
    """The digest a server would give it; None for what is no definition, which the server then explains."""
    from app.definition.parse import digest, dump, parse  # noqa: PLC0415 - loads the whole language
    from app.definition.problems import DefinitionInvalid  # noqa: PLC0415

    try:
        return digest(dump(parse(document)))
    except DefinitionInvalid:
        return None


def _result(result: str, workflow: JsonObject, version: int) -> JsonObject:
    return {
        "result": result,
        "workflow_id": workflow["id"],
        "name": workflow["name"],
        "slug": workflow["slug"],
        "version": version,
    }
