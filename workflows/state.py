"""What all scopes of a run share: input, journal, clock, waits, messages, and how the run looks from outside.

Mutable, and only ever changed by the walk and the message handlers of the same run. What it means is decided elsewhere.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from itertools import islice
from typing import Literal

from temporalio import workflow

from app.definition import durations, tree
from app.definition.model import Definition
from app.json import JsonObject
from app.temporal import names
from app.temporal.child_messages import ChildEnded
from app.temporal.messages import Carry, Decision, RunInput, RunResult, StepRecord
from app.temporal.plain import read_carry
from app.temporal.record_messages import LostEffect
from workflows.failures import step_id_of
from workflows.history import History
from workflows.holdings import Holdings
from workflows.inbox import Inbox
from workflows.journal import Journal, is_over
from workflows.outbox import Outbox

SHOWN = 12
"""Steps in the table that Temporal's UI shows."""

Status = Literal["running", "waiting", "paused", "held", "completed", "failed", "cancelled", "timed_out"]


class RunState:
    """One run as it stands."""

    def __init__(self, input: RunInput) -> None:
        carry = read_carry(input.carry) if input.carry else None
        self.input = input
        self.definition = Definition()
        self.is_new = carry is None or carry.started_at is None
        """This is the run's first execution; a redriven run's first one has a journal already."""
        self.journal = Journal(carry.journal if carry else None)
        self.inbox = Inbox(carry.events, carry.seen) if carry else Inbox()
        self.decisions: dict[str, Decision] = dict(carry.decisions) if carry else {}
        self.children: dict[str, ChildEnded] = {one.key: one for one in carry.children} if carry else {}
        """Runs this one started that have ended, by their keys, until their steps hear of it."""
        self.paused = bool(carry and carry.paused)
        self.ending: RunResult | None = carry.ending if carry else None
        """How the body ended; what is left then is compensation, `finally` and the records."""
        self.deadline: str | None = carry.deadline if carry else None
        self.executions = carry.executions if carry else 0
        self.started_at = durations.parse_moment(carry.started_at) if carry and carry.started_at else workflow.now()
        self.reports = carry.reports if carry else 0
        """How often the run has reported how it stands."""
        self.reported: list[str] = list(carry.reported) if carry else ["running", ""]
        """How the run looked in its last report."""
        self.outbox = Outbox()
        self.history = History(_timers(self.journal) if self.walks(4) else 0)
        self.holdings = Holdings(input.limits, self.journal)
        self.moved = False
        """Something happened in this execution: without that, a run with very many waits would only ever continue."""
        self.lost: dict[str, LostEffect] | None = None
        """Effects of a task that got lost by path, while the walk is on its way to them; see `lost`."""
        self.must_stay = False
        """The journal is too large to travel: the run ends in this execution."""
        self.waits: dict[str, JsonObject] = {}
        """Open waits by path: `{kind, event, until}`."""
        self.held: dict[str, StepRecord] = {}
        self.current_step: str | None = None
        self.work = 0
        """Units of computing since the walk last gave its task back."""
        self.work_before = 0
        """The same without the prices that came later: what runs from before them go by."""
        self.at_full_price = True
        self.breathing = False
        """A part of the walk is giving the task back just now."""
        self.walkers = 1
        """Parts of the walk that go on side by side."""
        self.one_at_a_time = self.walks(2)
        self._local_slot = asyncio.Lock()
        self.busy = 0
        """Effects under way: while one is, the run is running even if another branch waits."""
        self._announced: tuple[str, ...] = tuple(carry.announced) if carry and carry.announced else ("running", "")

    @property
    def suspending(self) -> bool:
        """Whether the walk has to stop where it is, to go on in the next execution."""
        return self.moved and self.history.full and not self.must_stay and self.lost is None

    def walks(self, number: int) -> bool:
        """Whether the run is walked in the way that came with this number, see `messages.WALK`, or in a later one."""
        return self.input.walk >= number

    @property
    def charged(self) -> int:
        """The units that decide when the walk gives its task back."""
        return self.work if self.at_full_price else self.work_before

    @property
    def may_have_children(self) -> bool:
        """Whether the definition has steps that start runs."""
        return any(step.type == "run_workflow" for _place, step in tree.walk(self.definition))

    @property
    def alone(self) -> bool:
        """Whether one walker walks, so that its effect may be a local activity: nothing else has to wait for that."""
        return self.walkers <= 1 or not self.one_at_a_time

    @property
    def records_apart(self) -> bool:
        """Whether what is written now is written by a regular activity, because others walk beside."""
        return self.walkers > 1 and self.walks(3)

    def leave(self, _walker: object) -> None:
        """A part of the walk has ended."""
        self.walkers -= 1

    def local_slot(self) -> AbstractAsyncContextManager[None]:
        """Held while a local activity is under way: there is never another one.

        A replay hands over the results of several together, and in another order than they came in; what they woke
        would go on in that order, and begin local activities that get each other's results.
        """
        return self._local_slot if self.one_at_a_time else nullcontext()

    def note_message(self, size: int) -> None:
        """A signal or an update of so many bytes came."""
        self.moved = True
        self.history.message(size)

    def carry(self) -> Carry:
        """What the next execution goes on from."""
        return Carry(
            journal=self.journal.state(),
            started_at=moment(self.started_at),
            deadline=self.deadline,
            ending=self.ending,
            events=self.inbox.waiting(),
            seen=self.inbox.seen(),
            decisions=self.decisions,
            paused=self.paused,
            announced=list(self._announced),
            executions=self.executions + 1,
            reports=self.reports,
            reported=self.reported,
            children=list(self.children.values()),
        )

    # As others see it

    @property
    def status(self) -> Status:
        """What the run is doing, while it is under way."""
        if self.paused:
            return "paused"
        if self.held:
            return "held"
        return "waiting" if self.waits and not self.busy else "running"

    @property
    def waiting_for(self) -> JsonObject | None:
        """The wait that began first, if the run waits; a held run waits for a decision."""
        if self.held:
            return {"kind": "decision", "event": None, "until": None}
        return next(iter(self.waits.values()), None) if not self.busy else None

    @property
    def look(self) -> list[str]:
        """What of the run people search by: status, what it waits for, which steps are held."""
        waiting = self.waiting_for
        return [self.status, str(waiting["event"] or waiting["kind"]) if waiting else "", *self.held]

    @property
    def held_error(self) -> JsonObject | None:
        """Why the run is held: `{type, message, step_id, path}` of the step that was held first."""
        record = next(iter(self.held.values()), None)
        if record is None or record.error is None:
            return None
        path = record.failed_path or record.path
        return {
            "type": record.error["type"],
            "message": record.error["message"],
            "step_id": step_id_of(path),
            "path": path,
        }

    def announce(self) -> bool:
        """Put status and wait into the search attributes when they changed: each change is an event in the history.

        Answers whether they did.
        """
        self.show()
        now = tuple(self.look[:2])
        if now == self._announced:
            return False
        self._announced = now
        self.history.command()
        workflow.upsert_search_attributes(
            [
                names.STATUS.value_set(now[0]),
                names.WAITING_FOR.value_set(now[1]) if now[1] else names.WAITING_FOR.value_unset(),
            ]
        )
        return True

    def show(self) -> None:
        """Keep what the run does and a short table of the latest steps as its details in Temporal's UI. No event."""
        latest = list(islice(reversed(self.journal.records.values()), SHOWN))
        rows = [f"| {_cell(r.name)} | {r.type} | {r.status} | {r.attempt} |" for r in reversed(latest)]
        earlier = self.journal.completed - sum(is_over(record) for record in latest)
        note = [f"{earlier} earlier steps are not shown."] if earlier > 0 else []
        table = ["| step | kind | status | attempt |", "|---|---|---|---|", *rows]
        workflow.set_current_details("\n".join([*self._now(), "", *table, "", *note]))

    def _now(self) -> list[str]:
        run = self.input
        # Temporal keeps a summary with the first execution alone.
        name = [f"### {_cell(run.workflow_name)}", f"Run `{run.run_id}`, version {run.version}"]
        lines = (name if self.executions else []) + [
            f"**{self.status}**" + (f" at `{self.current_step}`" if self.current_step else "")
        ]
        for path, wait in islice(self.waits.items(), SHOWN):
            what = f"event `{wait['event']}`" if wait["event"] else wait["kind"]
            lines.append(f"- `{path}` waits for {what}" + (f" until {wait['until']}" if wait["until"] else ""))
        for path, record in islice(self.held.items(), SHOWN):
            lines.append(f"- `{path}` is held: {_cell(str((record.error or {}).get('message', '')))}")
        return lines


def _timers(journal: Journal) -> int:
    """How many timers an execution begins with that goes on from there."""
    waits = [record for record in journal.records.values() if not is_over(record)]
    return sum(bool(record.deadline) + bool(record.wait and record.wait.get("until")) for record in waits)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def moment(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_text() -> str:
    """The run's clock as RFC 3339."""
    return moment(workflow.now())
