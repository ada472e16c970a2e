"""Which runs a command is about: one by its id, or all that match the options of `runs list`."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Annotated

import typer

from app.cli.client import Api
from app.cli.exits import CliError, ExitCode
from app.cli.lookup import workflow_by
from app.json import JsonObject

OneRun = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")]
OfWorkflow = Annotated[str | None, typer.Option("--workflow", help="Only of this workflow (id, slug or name).")]
OfStatus = Annotated[str | None, typer.Option("--status", help="Only of this status, or of several with commas.")]
OfTrigger = Annotated[str | None, typer.Option("--trigger", help="Only those started so: manual, event, workflow.")]
WaitingFor = Annotated[
    str | None,
    typer.Option(
        "--waiting-for",
        help="Only those that wait for this: an event type, or event, approval, delay, decision, concurrency, rate.",
    ),
]
OfParent = Annotated[str | None, typer.Option("--parent", metavar="RUN", help="Only those a step of this run started.")]
WithText = Annotated[
    str | None, typer.Option("--query", "-q", help="Only those with this text in workflow name, error or event id.")
]
StartedAfter = Annotated[
    str | None, typer.Option("--started-after", metavar="TIME", help="Only those started then or later: 2026-05-01.")
]
StartedBefore = Annotated[
    str | None, typer.Option("--started-before", metavar="TIME", help="Only those started earlier.")
]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What the options narrow the runs down to; nothing given is all of them, and false."""

    workflow: str | None = None
    status: str | None = None
    trigger: str | None = None
    waiting_for: str | None = None
    parent: str | None = None
    query: str | None = None
    started_after: str | None = None
    started_before: str | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))

    def among(self, statuses: str) -> "Selection":
        """Narrowed down to these statuses, unless the options name some."""
        return self if self.status is not None else replace(self, status=statuses)

    def as_query(self, api: Api) -> JsonObject:
        """The query parameters of `GET /v1/runs`; those not given are left out. Raises `CliError`."""
        found = {
            "workflow_id": workflow_by(api, self.workflow)["id"] if self.workflow else None,
            "status": self.status,
            "trigger": self.trigger,
            "waiting_for": self.waiting_for,
            "parent_run_id": self.parent,
            "q": self.query,
            "started_after": moment_of(self.started_after, "--started-after"),
            "started_before": moment_of(self.started_before, "--started-before"),
        }
        return {name: value for name, value in found.items() if value is not None}


def moment_of(text: str | None, option: str) -> str | None:
    """An option as RFC 3339 time; what has no time zone is this machine's. Raises `CliError` (usage)."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError:
        raise CliError(
            ExitCode.USAGE, f"{option}: {text!r} is no date or time; write 2026-05-01 or 2026-05-01T09:00:00+02:00"
        ) from None
