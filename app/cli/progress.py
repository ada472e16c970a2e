"""How `holdfast dev` tells its progress: a live table on a terminal, plain lines in a pipe, JSON lines for scripts."""

import time
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from app.cli.output import print_json_line, stdout


class PlainReport:
    """One line for each thing that happens."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or stdout()

    def starting(self, name: str) -> None:
        self._say(f"[dim]starting[/] {name}")

    def ready(self, name: str, seconds: float) -> None:
        self._say(f"[green]ready[/]    {name} [dim]({seconds:.1f} s)[/]")

    def ended(self, name: str, how: str, again_in: float, log: Path) -> None:
        self._say(
            f"[yellow]{name} ended ({how}); starting it again in {again_in:g} s[/] [dim](log: {escape(str(log))})[/]"
        )

    def stopping(self, name: str) -> None:
        self._say(f"[dim]stopping[/] {name}")

    def stopped(self, name: str, seconds: float) -> None:
        self._say(f"[green]stopped[/]  {name} [dim]({seconds:.1f} s)[/]")

    def note(self, message: str) -> None:
        self._say(f"[yellow]{escape(message)}[/]")

    def close(self) -> None:
        """Leave the terminal as it was."""

    def _say(self, line: str) -> None:
        self._console.print(line)


class LiveReport(PlainReport):
    """A table with a spinner for what is starting; each row stays as a line once everything is up."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._rows: dict[str, float | None] = {}
        self._began: dict[str, float] = {}
        self._spinner = Spinner("dots")
        self._live: Live | None = None

    def __rich__(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, seconds in self._rows.items():
            if seconds is None:
                table.add_row(self._spinner, name, f"[dim]{time.monotonic() - self._began[name]:.1f} s[/]")
            else:
                table.add_row("[green]✓[/]", name, f"[dim]{seconds:.1f} s[/]")
        return table

    def starting(self, name: str) -> None:
        if self._live is None:
            self._live = Live(self, console=self._console, refresh_per_second=12)
            self._live.start()
        self._rows[name], self._began[name] = None, time.monotonic()

    def ready(self, name: str, seconds: float) -> None:
        if self._live is None:
            super().ready(name, seconds)
        else:
            self._rows[name] = seconds

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


class JsonReport:
    """One JSON object a line: `{"event": ..., "part": ..., ...}`."""

    def starting(self, name: str) -> None:
        print_json_line({"event": "starting", "part": name})

    def ready(self, name: str, seconds: float) -> None:
        print_json_line({"event": "ready", "part": name, "seconds": round(seconds, 3)})

    def ended(self, name: str, how: str, again_in: float, log: Path) -> None:
        print_json_line({"event": "ended", "part": name, "how": how, "again_in": again_in, "log": str(log)})

    def stopping(self, name: str) -> None:
        print_json_line({"event": "stopping", "part": name})

    def stopped(self, name: str, seconds: float) -> None:
        print_json_line({"event": "stopped", "part": name, "seconds": round(seconds, 3)})

    def note(self, message: str) -> None:
        print_json_line({"event": "note", "message": message})

    def close(self) -> None:
        """Nothing to leave."""


def report_for(*, as_json: bool) -> PlainReport | JsonReport:
    """The report that fits where standard output goes."""
    if as_json:
        return JsonReport()
    console = stdout()
    return LiveReport(console) if console.is_terminal else PlainReport(console)
