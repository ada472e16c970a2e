"""How `holdfast demo` looks: what is said, messages as they are caught, the summary. It decides nothing.

Steps are shown as `holdfast run --watch` shows them. For scripts everything is a line of JSON instead.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from app.cli.demo_providers import Mail
from app.cli.output import duration, print_json_line, status
from app.cli.watch import JsonView, LineView, LiveView, View
from app.json import JsonObject

_MARKS = {"completed": "[green]✓[/]", "skipped": "[dim]-[/]"}
_HEADERS = ("From", "To", "Subject")
_NO_MARK = "[red]✗[/]"


@dataclass(frozen=True)
class Check:
    """Something the demo promises, and whether it was so; `found` says what was there instead."""

    promise: str
    held: bool
    found: str = ""


@dataclass(frozen=True)
class Ending:
    """How the demo went: the run, its steps, what was promised, and where to look further."""

    run: JsonObject
    steps: Sequence[JsonObject]
    checks: Sequence[Check]
    links: dict[str, str]

    @property
    def well(self) -> bool:
        """Whether every promise was kept."""
        return all(check.held for check in self.checks)


class Stage(Protocol):
    """Where the demo is shown."""

    def say(self, line: str) -> None: ...
    def mail(self, mail: Mail) -> None: ...
    def steps(self) -> View: ...
    def end(self, ending: Ending) -> None: ...


class TerminalStage:
    """For people: a live table on a terminal, lines in a pipe."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False)

    def say(self, line: str) -> None:
        """A line; rich's markup applies."""
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def mail(self, mail: Mail) -> None:
        """A message that was caught."""
        shown = [f"[dim]{name + ':':<9}[/]{escape(str(mail.message[name]))}" for name in _HEADERS]
        text = "\n".join([*shown, "", escape(mail.text)])
        self._console.print(Panel(text, title="e-mail caught", title_align="left", width=78))

    def steps(self) -> View:
        """What shows the run as it goes."""
        return LiveView(self._console) if self._console.is_terminal else LineView()

    def end(self, ending: Ending) -> None:
        """The summary."""
        self.say("")
        self._console.print(_table(ending))
        self.say("")
        for check in ending.checks:
            found = "" if check.held else f": [red]{escape(check.found)}[/]"
            self.say(f"{'[green]✓[/]' if check.held else _NO_MARK} {escape(check.promise)}{found}")
        self.say("")
        for name, link in ending.links.items():
            # Whole, so that a terminal makes it a link.
            self._console.print(f"{name:<14}{escape(link)}", soft_wrap=True)
        self.say("")


def _table(ending: Ending) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "step", "kind", "status"):
        table.add_column(column)
    table.add_column("took", justify="right")
    for step in ending.steps:
        name = "  " * step["path"].count(".") + escape(step["name"])
        kind = f"[dim]{step['action'] or step['type']}[/]"
        mark = _MARKS.get(step["status"], _NO_MARK)
        table.add_row(mark, name, kind, status(step["status"]), duration(step["duration_ms"]))
    run = ending.run
    mark = _MARKS.get(run["status"], _NO_MARK)
    table.add_row(mark, "[bold]the whole run[/]", "", status(run["status"]), duration(run["duration_ms"]))
    return table


class JsonStage:
    """For scripts: a line of JSON for each thing that happens."""

    def say(self, line: str) -> None:
        """What is said to people is nothing to a script."""

    def mail(self, mail: Mail) -> None:
        """A message that was caught."""
        subject = str(mail.message["Subject"])
        print_json_line({"event": "mail", "to": list(mail.recipients), "subject": subject, "text": mail.text})

    def steps(self) -> View:
        """What shows the run as it goes."""
        return JsonView()

    def end(self, ending: Ending) -> None:
        """The summary."""
        checks = [asdict(check) for check in ending.checks]
        print_json_line({"event": "end", "well": ending.well, "checks": checks, "links": ending.links})
