"""A run, live: a table that redraws on a terminal, a line for each change in a pipe, JSON lines for scripts."""

from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table

from app.cli.client import Api
from app.cli.output import duration, moment, now, print_json_line, say, status, stdout, text
from app.cli.stream import DONE, follow
from app.json import Json, JsonObject

_ICON = {"completed": "[green]✓[/]", "failed": "[red]✗[/]", "running": "[cyan]●[/]", "waiting": "[yellow]◷[/]"}

_WAITS = {
    "approval": "for an approval",
    "decision": "for a decision",
    "retry": "for the next attempt",
    "run": "for a run",
    "concurrency": "for a place beside other runs",
    "rate": "for its turn within the hour",
}


class View(Protocol):
    """What shows a run as it goes."""

    def run(self, run: JsonObject) -> None: ...
    def step(self, step: JsonObject) -> None: ...
    def close(self, run: JsonObject) -> None: ...


def watch(api: Api, run_id: str, *, as_json: bool) -> JsonObject:
    """Show the run until it ends; answers it as it is then."""
    view: View = JsonView() if as_json else LiveView() if stdout().is_terminal else LineView()
    run: JsonObject = api.get(f"/v1/runs/{run_id}")
    view.run(run)
    try:
        for message in follow(api, run_id):
            if message.event == "step":
                view.step(message.data)
            elif message.event == "run":
                view.run(message.data)
            elif message.event == DONE:
                run = api.get(f"/v1/runs/{run_id}")
    finally:
        view.close(run)
    return run


class JsonView:
    """`{"event": "step" | "run" | "done", "data": ...}` a line."""

    def run(self, run: JsonObject) -> None:
        print_json_line({"event": "run", "data": run})

    def step(self, step: JsonObject) -> None:
        print_json_line({"event": "step", "data": step})

    def close(self, run: JsonObject) -> None:
        print_json_line({"event": DONE, "data": run})


class LineView:
    """A line when a step's status or attempt changes."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[Json, ...]] = {}

    def run(self, run: JsonObject) -> None:
        if "run" not in self._shown:
            say(f"run {run['id']} of {text(run['workflow_name'])}, version {run['version']}")
        self._shown["run"] = (run["status"],)

    def step(self, step: JsonObject) -> None:
        state = (step["status"], step["attempt"])
        if self._shown.get(f"step:{step['path']}") == state:
            return
        self._shown[f"step:{step['path']}"] = state
        say(
            f"{moment(now().isoformat())[11:]}  {status(step['status'], width=9)}  {text(step['path'])}  {detail(step)}"
        )

    def close(self, run: JsonObject) -> None:
        say(ending(run))


class LiveView:
    """A table of the steps that redraws in place."""

    def __init__(self, console: Console | None = None) -> None:
        """What else is printed meanwhile must go through the same console, or it is drawn over."""
        self._run: JsonObject | None = None
        self._steps: dict[str, JsonObject] = {}
        self._live = Live(self, console=console or stdout(), refresh_per_second=8, vertical_overflow="visible")
        self._live.start()

    def __rich__(self) -> Table:
        title = f"{text(self._run['workflow_name'])}  [dim]run {self._run['id']}[/]" if self._run else None
        table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left")
        for step in self._steps.values():
            table.add_row(
                _ICON.get(step["status"], "[dim]·[/]"),
                text(step["name"] or step["path"]),
                status(step["status"]),
                detail(step),
            )
        return table

    def run(self, run: JsonObject) -> None:
        self._run = run

    def step(self, step: JsonObject) -> None:
        self._steps[step["path"]] = step

    def close(self, run: JsonObject) -> None:
        self._live.stop()
        say(ending(run))


def detail(step: JsonObject) -> str:
    """What is worth knowing about a step beside its status."""
    parts = [f"[dim]{text(step['action'] or step['type'])}[/]"]
    if step["attempt"] > 1:
        parts.append(f"attempt {step['attempt']}")
    if step["duration_ms"] is not None and step["status"] != "skipped":
        parts.append(duration(step["duration_ms"]))
    if step["status"] == "waiting" and (wait := step.get("wait")):
        parts.append(waiting_for(wait))
    if error := step.get("error"):
        parts.append(f"[red]{text(error['message'])}[/]")
    return "  ".join(parts)


def waiting_for(wait: JsonObject) -> str:
    """`for crm.deal.won until 2026-05-01 09:00:00`, `for a decision`."""
    event = f"for {text(wait['event'])}" if wait.get("event") else _WAITS.get(wait["kind"], "")
    run = text(wait["run_id"]) if wait.get("run_id") else ""
    until = f"until {moment(wait['until'])}" if wait.get("until") else ""
    return " ".join(part for part in (event, run, until) if part)


def ending(run: JsonObject) -> str:
    """The run's last line."""
    took = f" [dim]after {duration(run['duration_ms'])}[/]" if run["duration_ms"] is not None else ""
    why = f": {text(run['error']['message'])}" if run["error"] else ""
    return f"run {run['id']} {status(run['status'])}{took}{why}"
