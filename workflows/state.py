"""The parts of a run that all of its scopes share: input, clock, variables, waits, delivered events.

Mutable, and only ever changed by the walk and the signal handler of the same run. What it means is decided elsewhere.
"""

from datetime import datetime
from itertools import islice
from typing import Literal

from temporalio import workflow

from app.definition.model import Definition
from app.json import JsonObject
from app.temporal import names
from app.temporal.messages import DeliveredEvent, RunInput
from workflows.journal import Journal, is_over
from workflows.outbox import Outbox

SHOWN = 12
"""Steps in the table that Temporal's UI shows."""

Status = Literal["running", "waiting", "completed", "failed", "cancelled", "timed_out"]


class RunState:
    """One run as it stands."""

    def __init__(self, input: RunInput) -> None:
        self.input = input
        self.journal = Journal()
        self.inbox = Inbox()
        self.variables: JsonObject = {}
        self.current_step: str | None = None
        self.waits: dict[str, JsonObject] = {}
        """Open waits by path: `{kind, event, until}`."""
        self.outbox = Outbox()
        self.history_full = False
        self.work = 0
        """Units of computing since the walk last gave its task back."""
        self.busy = 0
        """Effects under way: while one is, the run is running even if another branch waits."""
        self.started_at = workflow.now()
        self.definition = Definition()
        self._announced: tuple[str, str] = ("running", "")

    @property
    def status(self) -> Status:
        """What the run is doing, while it is under way."""
        return "waiting" if self.waits and not self.busy else "running"

    @property
    def waiting_for(self) -> JsonObject | None:
        """The wait that began first, if the run waits."""
        return next(iter(self.waits.values()), None) if self.status == "waiting" else None

    def announce(self) -> bool:
        """Put status and wait into the search attributes when they changed: each change is an event in the history.

        Answers whether they did.
        """
        self.show()
        waiting = self.waiting_for
        now = (self.status, str(waiting["event"] or waiting["kind"]) if waiting else "")
        if now == self._announced:
            return False
        self._announced = now
        workflow.upsert_search_attributes(
            [
                names.STATUS.value_set(now[0]),
                names.WAITING_FOR.value_set(now[1]) if now[1] else names.WAITING_FOR.value_unset(),
            ]
        )
        return True

    def show(self) -> None:
        """Keep a short table of the latest steps as the run's details in Temporal's UI. Costs no event."""
        latest = list(islice(reversed(self.journal.records.values()), SHOWN))
        rows = [f"| {_cell(r.name)} | {r.type} | {r.status} | {r.attempt} |" for r in reversed(latest)]
        earlier = self.journal.completed - sum(is_over(record) for record in latest)
        note = [f"{earlier} earlier steps are not shown."] if earlier > 0 else []
        workflow.set_current_details(
            "\n".join(["| step | kind | status | attempt |", "|---|---|---|---|", *rows, "", *note])
        )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


class Inbox:
    """Events delivered by signal, by the path of the wait they match. The same event twice counts once."""

    def __init__(self) -> None:
        self._events: dict[str, list[JsonObject]] = {}
        self._seen: dict[tuple[str, str, str], None] = {}

    def put(self, delivered: DeliveredEvent) -> None:
        """Keep the event for each of its paths."""
        for path in delivered.paths:
            key = (path, str(delivered.event["source"]), str(delivered.event["id"]))
            if key not in self._seen:
                self._seen[key] = None
                self._events.setdefault(path, []).append(delivered.event)

    def has(self, path: str) -> bool:
        """Whether an event is there for the wait at `path`."""
        return bool(self._events.get(path))

    def clear(self, path: str) -> None:
        """Forget what came for an earlier wait at `path`."""
        self._events.pop(path, None)

    def take(self, path: str) -> JsonObject:
        """The first event for the wait at `path`; the others are dropped, since a wait takes one."""
        return self._events.pop(path)[0]


def moment(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_text() -> str:
    """The run's clock as RFC 3339."""
    return moment(workflow.now())
