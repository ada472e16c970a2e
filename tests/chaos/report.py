"""How a chaos run is told: a line for each strike while it runs, figures and promises as tables at its end."""

import json
import time

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.json import JsonObject
from tests.chaos.agent import Struck
from tests.chaos.ledger import Ledger
from tests.chaos.program import Outcome

_FIGURES = {
    "orders": "runs asked for",
    "runs": "runs there are",
    "effects_expected": "effects asked for",
    "effects_done": "effects in the ledger, by key",
    "outcomes_kept": "outcomes kept",
    "repeats_in_the_window_before_a_commit": "repeats in the window before a commit",
    "repeats_under_way_at_a_strike": "repeats of requests under way when their worker was struck",
    "repeats_after_a_lost_answer": "repeats after the provider lost its answer",
    "repeats_unexplained": "repeats without a cause",
    "events_sent": "events sent",
    "events_dispatched": "events dispatched",
    "executions": "Temporal executions",
    "largest_history_events": "events of the largest history",
    "requests_insisted_on": "requests customers had to make again",
    "seconds": "seconds",
}


class Progress:
    """Lines on standard error, so that `--json` leaves standard output to the result."""

    def __init__(self, console: Console, effects: int) -> None:
        self._console = console
        self._effects = effects
        self._began = time.monotonic()

    def say(self, words: str) -> None:
        """A line."""
        self._console.print(f"[dim]{self._seconds()}[/] {escape(words)}")

    def struck(self, struck: Struck, ledger: Ledger) -> None:
        """A strike, and where the ledger stands."""
        strike = struck.strike
        after = f"after {strike.seconds:.1f} s" if strike.seconds else "at once"
        back = "" if struck.healthy == struck.let_up else f", well {struck.healthy - struck.let_up:.1f} s later"
        self._console.print(
            f"[dim]{self._seconds()}[/] {ledger.effects:5}/{self._effects} effects  "
            f"[yellow]{strike.name}[/] [dim]let up {after}{back}[/]"
        )

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"


def show(outcome: Outcome, console: Console) -> None:
    """The tables."""
    console.print()
    console.print(_figures(outcome.figures))
    console.print(_strikes(outcome.figures["strikes"]))
    console.print(_promises(outcome))


def show_json(outcome: Outcome) -> None:
    """Figures and promises as one JSON value on standard output."""
    promises = [{"promise": each.text, "kept": each.kept, "broken": list(each.broken)} for each in outcome.promises]
    print(json.dumps({"figures": outcome.figures, "promises": promises}, indent=2))


def _figures(figures: JsonObject) -> Table:
    table = Table("figure", "", title="Figures", title_justify="left")
    for name, title in _FIGURES.items():
        table.add_row(title, str(figures[name]))
    for status, count in figures["runs_by_status"].items():
        table.add_row(f"runs {status}", str(count))
    for strike, count in figures["repeats_in_the_window_by_strike"].items():
        table.add_row(f"repeats in the window: {strike}", str(count))
    for strike, count in figures["repeats_under_way_by_strike"].items():
        table.add_row(f"repeats of requests under way: {strike}", str(count))
    for cut, count in figures["requests_turned_away"].items():
        table.add_row(f"requests the provider turned away: {cut}", str(count))
    return table


def _strikes(strikes: JsonObject) -> Table:
    title = "Seconds until all was healthy, and until the next effect: median, worst"
    table = Table("strike", "times", "healthy", "next effect", title=title, title_justify="left")
    for name, seen in strikes.items():
        healthy = f"{seen['healthy_seconds_median']}, {seen['healthy_seconds_worst']}"
        effect = f"{seen['next_effect_seconds_median'] or '-'}, {seen['next_effect_seconds_worst'] or '-'}"
        table.add_row(name, str(seen["count"]), healthy, effect)
    return table


def _promises(outcome: Outcome) -> Table:
    table = Table("promise", "", title="Promises", title_justify="left")
    for promise in outcome.promises:
        table.add_row(promise.text, "[green]kept[/]" if promise.kept else f"[red]broken[/]\n{escape(promise.told)}")
    return table
