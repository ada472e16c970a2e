"""How results and errors are shown: readable lines and tables for people, one JSON value for `--json`.

Results go to standard output, everything else to standard error, so that a pipe gets results alone.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.exits import CliError
from app.json import Json, JsonObject

_ENDLESS = 100_000
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

STATUS_STYLE = {
    "active": "green",
    "completed": "green",
    "running": "cyan",
    "waiting": "yellow",
    "pending": "dim",
    "held": "magenta",
    "paused": "yellow",
    "failed": "red",
    "timed_out": "red",
    "cancelled": "dim",
    "skipped": "dim",
}


def stdout() -> Console:
    """Made when used, so that it follows a standard output replaced meanwhile."""
    return _console(sys.stdout)


def stderr() -> Console:
    """For everything that is no result."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    # A pipe has no width: what is cut or folded there is lost for grep and friends.
    return Console(file=file, soft_wrap=True, highlight=False, emoji=False, width=None if file.isatty() else _ENDLESS)


def print_json(value: Json, *, indent: int | None = 2) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_json_line(value: Json) -> None:
    """One JSON value on a line of its own, for streams."""
    print_json(value, indent=None)


def say(text: str) -> None:
    """A line for people on standard output; rich's markup applies."""
    stdout().print(text)


def note(text: str) -> None:
    """A line for people on standard error; rich's markup applies."""
    stderr().print(text)


def show_error(error: CliError, *, as_json: bool) -> None:
    """The error, and each problem as `path: message` with its hint below."""
    if as_json:
        sys.stderr.write(json.dumps(error.as_json(), ensure_ascii=False) + "\n")
        return
    console = stderr()
    heading = "[bold red]error:[/]"
    console.print(heading, escape(error.message))
    for problem in error.problems:
        console.print(f"  {describe(problem)}")
        if hint := problem.get("hint"):
            console.print(f"    [dim]{escape(str(hint))}[/]")


def describe(problem: JsonObject) -> str:
    """`path: message` with markup."""
    message = escape(str(problem.get("message", "")))
    path = problem.get("path")
    return f"[bold]{escape(str(path))}[/]: {message}" if path else message


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table; a cell may hold rich's markup. The first column, which names the thing, is never folded."""
    shown = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for number, column in enumerate(columns):
        shown.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        shown.add_row(*row)
    stdout().print(shown, soft_wrap=False)


def status(value: Json, *, width: int = 0) -> str:
    """A status in its colour, at least `width` wide."""
    text = str(value or "")
    style = STATUS_STYLE.get(text)
    return f"[{style}]{text:<{width}}[/]" if style else escape(f"{text:<{width}}")


def text(value: Json) -> str:
    """Any value as cell text, escaped; nothing for null. What would steer a terminal is shown as a mark."""
    if value is None:
        return ""
    return escape(_CONTROLS.sub("\ufffd", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))


def moment(value: Json) -> str:
    """An RFC 3339 time as local time to the second."""
    if not isinstance(value, str):
        return ""
    return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(milliseconds: Json) -> str:
    """`312 ms`, `4.2 s`, `3 min 5 s`."""
    if not isinstance(milliseconds, int | float):
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def now() -> datetime:
    """The moment, aware."""
    return datetime.now(UTC)
