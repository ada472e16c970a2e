"""`holdfast workflows`: what is there."""

from typing import Annotated

import typer

from app.cli.client import open_api
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, status, table, text

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
