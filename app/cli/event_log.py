"""`holdfast events list`, `show`, `replay` and `types`: what came, what it did, doing it again, and what can come."""

from typing import Annotated
from urllib.parse import quote

import typer

from app.cli.client import open_api
from app.cli.lookup import workflow_by
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, say, status, table, text
from app.cli.selection import moment_of
from app.json import JsonObject

OneEvent = Annotated[str, typer.Argument(metavar="EVENT", help="Id of the event.")]
OfSource = Annotated[str | None, typer.Option("--source", help="Its source, where several have this id.")]


def list_events(
    *,
    type_: Annotated[
        str | None, typer.Option("--type", help="Only those of this type: crm.deal.won, crm.deal.*")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only those with this subject.")] = None,
    after: Annotated[
        str | None, typer.Option("--received-after", metavar="TIME", help="Only those received then or later.")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--received-before", metavar="TIME", help="Only those received earlier.")
    ] = None,
    dispatched: Annotated[
        bool | None, typer.Option("--dispatched/--undispatched", help="Only those whose work is done, or is not.")
    ] = None,
    caused_by: Annotated[
        str | None, typer.Option("--caused-by", metavar="RUN", help="Only those a step of this run caused.")
    ] = None,
    query: Annotated[
        str | None,
        typer.Option("--query", "-q", help="Only those with this text in id, type, source, subject or data."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List the events that came, the newest first, with what they did."""
    wanted = {
        "type": type_,
        "source": source,
        "subject": subject,
        "received_after": moment_of(after, "--received-after"),
        "received_before": moment_of(before, "--received-before"),
        "dispatched": dispatched,
        "caused_by": caused_by,
        "q": query,
    }
    with open_api(api_url, data_dir) as api:
        found = list(api.items("/v1/events", limit=limit, include="data" if json_output else None, **wanted))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no events[/]")
    else:
        rows = [
            [
                text(event["id"]),
                text(event["type"]),
                text(event["source"]),
                text(event["subject"]),
                moment(event["received_at"]),
                _did(event),
            ]
            for event in found
        ]
        table(["EVENT", "TYPE", "SOURCE", "SUBJECT", "RECEIVED", "DID"], rows)


def show(
    event_id: OneEvent,
    source: OfSource = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """One event: what it says, and the runs it started and woke."""
    with open_api(api_url, data_dir) as api:
        found = api.get(_address(event_id), source=source)
    if json_output:
        print_json(found)
    else:
        _draw(found)


def replay(
    event_id: OneEvent,
    *,
    source: OfSource = None,
    workflow: Annotated[
        str | None, typer.Option(help="Start this workflow alone (id, slug or name) and wake nobody.")
    ] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key replays the event once.")] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Let an event happen once more, as a new one: what it does is done again."""
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    query = "" if source is None else f"?source={quote(source, safe='')}"
    with open_api(api_url, data_dir) as api:
        body = {"workflow_id": workflow_by(api, workflow)["id"]} if workflow else {}
        done = api.post(f"{_address(event_id)}/replay{query}", body, headers)
    if json_output:
        print_json(done)
    else:
        _draw(done["event"])


def types(
    type_: Annotated[str | None, typer.Argument(metavar="TYPE", help="Show what is known of this one.")] = None,
    *,
    category: Annotated[str | None, typer.Option(help="Only those of this module.")] = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Only those whose text holds this.")] = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """The types of event that are known, or one with its fields. Events of any other type are taken as well."""
    with open_api(api_url, data_dir) as api:
        if type_ is not None:
            found = [api.get(f"/v1/catalog/events/{quote(type_, safe='')}")]
        else:
            found = api.get("/v1/catalog/events", category=category, q=query)["items"]
    if json_output:
        print_json(found if type_ is None else found[0])
    elif type_ is not None:
        _describe(found[0])
    elif not found:
        note("[dim]no such types are known[/]")
    else:
        table(["TYPE", "WHAT HAPPENED"], [[text(event["id"]), text(event["description"])] for event in found])


def add_to(app: typer.Typer) -> None:
    """Make these commands of `app`."""
    app.command("list")(list_events)
    app.command("show")(show)
    app.command("replay")(replay)
    app.command("types")(types)


def _address(event_id: str) -> str:
    return f"/v1/events/{quote(event_id, safe='')}"


def _did(event: JsonObject) -> str:
    counts = [f"{done} {event[f'{done}_count']}" for done in ("started", "woke") if event[f"{done}_count"]]
    if event["dispatched_at"] is None:
        counts.append("[yellow]not done yet[/]")
    return ", ".join(counts) or "[dim]nobody waited for it[/]"


def _draw(event: JsonObject) -> None:
    say(f"[bold]{text(event['type'])}[/] {text(event['id'])}")
    about = {name: event[name] for name in ("source", "subject", "time", "received_at", "dispatched_at")}
    if event["caused_by"] is not None:
        about["caused by"] = f"run {event['caused_by']['run_id']} at {event['caused_by']['step_path']}"
    about |= event["extensions"]
    table(["", ""], [[name.replace("_", " "), text(value)] for name, value in about.items() if value is not None])
    print_json(event["data"])
    rows = [
        [
            run["effect"],
            text(run["id"]),
            text(run["workflow_name"]),
            status(run["status"]),
            text(", ".join(run["step_paths"])),
        ]
        for run in event["runs"]
    ]
    if rows:
        table(["DID", "RUN", "WORKFLOW", "STATUS", "STEP"], rows)
    else:
        note(_did(event))


def _describe(event: JsonObject) -> None:
    say(f"[bold]{text(event['id'])}[/] {text(event['description'])}")
    schema = event["data_schema"]
    if schema is None:
        note("[dim]no fields of its data are known[/]")
        return
    table(["FIELD", ""], [[text(name), text(field["description"])] for name, field in schema["properties"].items()])
