"""One thing done to all runs that match: asked for first, then page by page with a bar, then what became of them."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import typer

from app.cli.bar import Bar
from app.cli.client import Api
from app.cli.exits import CliError, ExitCode
from app.cli.output import note, print_json_line, say, status, text
from app.cli.selection import Selection
from app.json import JsonObject

UNDER_WAY = "running,waiting,paused,held"
OVER = "failed,timed_out,cancelled"
POSSIBLE = {
    "cancel": f"pending,{UNDER_WAY}",
    "pause": "running,waiting,held",
    "resume": "paused",
    "decide": "held",
    "approve": UNDER_WAY,
    "signal": UNDER_WAY,
    "retry": OVER,
    "redrive": OVER,
}
"""Statuses of the runs that are meant when `--status` names none."""

_COUNTED = 1000
_PAGE = 20
"""Runs of one request: few enough for a bar that moves."""
_PAGE_SECONDS = 30.0
_SHOWN_IDS = 3


@dataclass(frozen=True)
class Order:
    """What is to be done: a control's name, its arguments, and a key under which it is done to each run once."""

    control: str
    arguments: JsonObject
    key: str | None = None


def control_all(api: Api, order: Order, selection: Selection, *, yes: bool, as_json: bool) -> None:
    """Do it to all of them. Raises `CliError`, and `typer.Exit` with REFUSED or BROKEN when any was not done."""
    filter_ = selection.among(POSSIBLE[order.control]).as_query(api)
    if not yes and not _confirmed(api, order.control, filter_):
        note("[dim]nothing was done[/]")
        raise typer.Exit(ExitCode.INTERRUPTED)
    tally = _Tally()
    try:
        with Bar(order.control, None, shown=not as_json) as bar:
            for page in _pages(api, order, filter_):
                if not tally.count:
                    bar.expect(page["matched"])
                for item in page["items"]:
                    tally.add(item)
                    bar.advance()
                    _tell(bar, item, as_json=as_json)
    except CliError as error:
        if tally.count:
            error.message += f" ({tally.so_far(order)})"
        raise
    except KeyboardInterrupt:
        note(f"[yellow]{text(tally.so_far(order))}[/]")
        raise
    tally.conclude(as_json=as_json)


def _confirmed(api: Api, control: str, filter_: JsonObject) -> bool:
    if not sys.stdin.isatty():
        raise CliError(ExitCode.USAGE, f"{control} for all that match asks first: say --yes where nobody can answer")
    count = sum(1 for _ in api.items("/v1/runs", limit=_COUNTED + 1, **filter_))
    if not count:
        note("[dim]no runs match[/]")
        raise typer.Exit
    many = f"more than {_COUNTED:,}" if count > _COUNTED else f"{count:,}"
    return typer.confirm(f"{control} {many} run{'' if count == 1 else 's'}?", err=True)


def _pages(api: Api, order: Order, filter_: JsonObject) -> Iterator[JsonObject]:
    body = {"control": order.control, "filter": filter_, "arguments": order.arguments, "limit": _PAGE}
    headers = {"Idempotency-Key": order.key} if order.key else None
    while True:
        page = api.post("/v1/runs/control", body, headers, wait=_PAGE_SECONDS)
        yield page
        if page["next_cursor"] is None:
            return
        body = {**body, "cursor": page["next_cursor"]}


def _tell(bar: Bar, item: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json_line({"event": "run", "data": item})
    elif item["outcome"] != "done":
        bar.line(f"run {item['run_id']} [red]{item['outcome']}[/]: {text(item['problem']['detail'])}")
    else:
        new = f", started {item['new_run_id']}" if item["new_run_id"] else ""
        bar.line(f"run {item['run_id']} {status(item['status'])}{new}")


class _Tally:
    """What became of the runs, and why some were not done."""

    def __init__(self) -> None:
        self.count = 0
        self._outcomes = Counter[str]()
        self._reasons: dict[tuple[str, str], list[str]] = {}

    def add(self, item: JsonObject) -> None:
        self.count += 1
        self._outcomes[item["outcome"]] += 1
        if problem := item["problem"]:
            reason = (str(problem["code"]), str(problem["title"]))
            self._reasons.setdefault(reason, []).append(str(item["run_id"]))

    def so_far(self, order: Order) -> str:
        """Where it broke off, and how the rest is done without doing anything twice."""
        rest = "the same command goes on with the rest" + (f", with --idempotency-key {order.key}" if order.key else "")
        return f"broken off after {self.count} runs: {rest}"

    def conclude(self, *, as_json: bool) -> None:
        """The last lines. Raises `typer.Exit` when any was refused (REFUSED) or failed (BROKEN)."""
        refused, failed = self._outcomes["refused"], self._outcomes["failed"]
        if as_json:
            reasons = {code: len(run_ids) for (code, _), run_ids in self._reasons.items()}
            counts = {"done": self._outcomes["done"], "refused": refused, "failed": failed, "reasons": reasons}
            print_json_line({"event": "done", "data": counts})
        elif not self.count:
            note("[dim]no runs match[/]")
        else:
            say(f"[green]{self._outcomes['done']} done[/], {refused} refused, {failed} failed")
            for (code, title), run_ids in self._reasons.items():
                more = ", ..." if len(run_ids) > _SHOWN_IDS else ""
                say(f"  {len(run_ids)} × {text(title)} ({code}): {', '.join(run_ids[:_SHOWN_IDS])}{more}")
        if failed:
            raise typer.Exit(ExitCode.BROKEN)
        if refused:
            raise typer.Exit(ExitCode.REFUSED)
