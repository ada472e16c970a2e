"""`holdfast events`: say that something happened. Looking at what did is `event_log`'s."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import event_log
from app.cli.client import open_api
from app.cli.documents import document, value
from app.cli.exits import CliError, ExitCode
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import print_json, say, text
from app.json import Json, JsonObject

_MOST_AT_ONCE = 1000

events_app = typer.Typer(no_args_is_help=True, help="Events: what starts workflows and wakes waiting runs.")


@events_app.command("send")
def send(
    type_: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="What happened, as in crm.contact.created.")
    ] = None,
    *,
    data: Annotated[str | None, typer.Option(help="Its data: JSON, @FILE, or - for standard input.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file with one event or a list, or - for standard input.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Who says so. Default: holdfast-cli.")] = None,
    subject: Annotated[str | None, typer.Option(help="What it happened to.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="The same id and source twice does it once.")] = None,
    time: Annotated[str | None, typer.Option(help="When it happened, RFC 3339. Default: now.")] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Send one event of TYPE, or the events of a file, and say what they did."""
    if (type_ is None) == (file is None):
        raise CliError(ExitCode.USAGE, "name either the TYPE of one event, or a file of events with -f")
    if type_ is not None:
        fields = {"type": type_, "source": source or "holdfast-cli", "subject": subject, "id": id_, "time": time}
        events: list[Json] = [{name: field for name, field in fields.items() if field is not None}]
        if data is not None:
            events[0]["data"] = value(data, what="--data")
    else:
        assert file is not None
        events = _from_file(file, given=[data, source, subject, id_, time])
    results: list[JsonObject] = []
    with open_api(api_url, data_dir) as api:
        for start in range(0, len(events), _MOST_AT_ONCE):
            results += api.post("/v1/events", events[start : start + _MOST_AT_ONCE])["items"]
    if json_output:
        print_json(results)
        return
    for result in results:
        say(_line(result))


def _from_file(file: Path, *, given: list[str | None]) -> list[Json]:
    if any(field is not None for field in given):
        raise CliError(ExitCode.USAGE, "with -f the file says everything: leave out --data, --source and the like")
    found = document(file)
    return found if isinstance(found, list) else [found]


def _line(result: JsonObject) -> str:
    did = [f"started {run}" for run in result["started"]] + [f"woke {run}" for run in result["woke"]]
    if result["duplicate"]:
        did.insert(0, "[yellow]came before; not done again[/]")
    return f"event {text(result['id'])}: {', '.join(did) or '[dim]nobody waits for it[/]'}"


event_log.add_to(events_app)
