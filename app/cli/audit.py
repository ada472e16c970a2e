"""`holdfast audit`: who did what to what, as a table and as files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from app.cli.client import open_api
from app.cli.exits import CliError, ExitCode
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import moment, note, print_json, table, text
from app.cli.selection import moment_of
from app.json import JsonObject

audit_app = typer.Typer(no_args_is_help=True, help="The audit log: who did what to what, from where.")

LONGEST = 60
"""Characters of what changed that the table shows."""

Actor = Annotated[str | None, typer.Option("--actor", metavar="ID", help="Only what this key or person did.")]
ActorKind = Annotated[
    str | None, typer.Option("--actor-kind", help="Only by such actors: key, person, platform, link, system.")
]
Action = Annotated[
    str | None,
    typer.Option("--action", help="Only these actions: workflow.publish, or 'workflow.*'."),
]
TargetType = Annotated[str | None, typer.Option("--target-type", help="Only what was done to such things: workflow.")]
TargetId = Annotated[str | None, typer.Option("--target", metavar="ID", help="Only what was done to this one.")]
OfOutcome = Annotated[str | None, typer.Option("--outcome", help="Only what was done, or refused.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only what was done then or later.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only what was done earlier.")]


class Format(StrEnum):
    """What a file may be."""

    CSV = "csv"
    JSONL = "jsonl"


@audit_app.command("list")
def list_entries(
    *,
    actor: Actor = None,
    actor_kind: ActorKind = None,
    action: Action = None,
    target_type: TargetType = None,
    target: TargetId = None,
    outcome: OfOutcome = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """List who did what, the newest first."""
    wanted = _query(
        actor=actor,
        actor_kind=actor_kind,
        action=action,
        target_type=target_type,
        target=target,
        outcome=outcome,
        since=since,
        until=until,
    )
    with open_api(api_url, data_dir) as api:
        found = list(api.items("/v1/audit-log", limit=limit, **wanted))
    if json_output:
        print_json(found)
    elif not found:
        note("[dim]no entries[/]")
    else:
        table(["AT", "ACTOR", "ACTION", "TARGET", "FROM", "CHANGED"], [_row(entry) for entry in found])


@audit_app.command("export")
def export(
    *,
    format_: Annotated[Format, typer.Option("--format", help="csv for spreadsheets, jsonl for programs.")] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; default standard output.")
    ] = None,
    actor: Actor = None,
    actor_kind: ActorKind = None,
    action: Action = None,
    target_type: TargetType = None,
    target: TargetId = None,
    outcome: OfOutcome = None,
    since: Since = None,
    until: Until = None,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Write all entries that match, the newest first, as CSV or JSON lines."""
    wanted = _query(
        actor=actor,
        actor_kind=actor_kind,
        action=action,
        target_type=target_type,
        target=target,
        outcome=outcome,
        since=since,
        until=until,
    )
    with (
        open_api(api_url, data_dir) as api,
        api.download("/v1/audit-log/export", format=format_.value, **wanted) as pieces,
        _open(output) as file,
    ):
        for piece in pieces:
            file.write(piece)


@contextmanager
def _open(path: Path | None) -> Iterator[TextIO]:
    """The file; one that is not written to its end does not stay."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    if not path.name:
        raise CliError(ExitCode.USAGE, f"{path} is a folder: name a file in it")
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise CliError(ExitCode.USAGE, f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):  # it is not there, or nowhere
            part.unlink()


def _query(*, since: str | None, until: str | None, target: str | None, **others: str | None) -> JsonObject:
    between = {"since": moment_of(since, "--since"), "until": moment_of(until, "--until")}
    return {**others, "target_id": target, **between}


def _row(entry: JsonObject) -> list[str]:
    target = entry["target"]
    action = text(entry["action"])
    return [
        moment(entry["at"]),
        text(entry["actor"]["name"]),
        action if entry["outcome"] == "done" else f"[red]{action}[/]",
        text(target["name"] or target["id"]),
        text(entry["address"]),
        text(_changed(entry)),
    ]


def _changed(entry: JsonObject) -> str:
    """`status: draft → active`; of what was made or deleted only what it was called is told, beside."""
    before, after = entry["before"], entry["after"]
    if before is None or after is None:
        return ""
    names = [*after, *(name for name in before if name not in after)]
    told = ", ".join(f"{name}: {_short(before.get(name))} → {_short(after.get(name))}" for name in names)
    return told if len(told) <= LONGEST else told[:LONGEST] + "…"


def _short(value: object) -> str:
    return "-" if value is None else "…" if isinstance(value, dict | list) else str(value)
